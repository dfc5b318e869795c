"""The coder's first message: what stays the same for a task first, what changes between attempts last; cut to fit.

The order is for the server's prompt cache: candidates and repairs of a task share all that is before their own files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from lao.agents.plan_text import excerpt
from lao.agents.prompt import load
from lao.core.words import TaskSpec
from lao.llm.tokens import clip, estimate
from lao.workspace.symbols import outline

EDIT_FORMATS = ("search_replace", "patch")
_LANGUAGES = {".py": "python", ".js": "javascript", ".ts": "typescript", ".md": "markdown", ".sh": "bash"}
_LONG_LINES = 120
_SHORT = 160
_TEST = re.compile(r"(?:^|/)(?:tests?/.*|test_[^/]*|[^/]*[_.\-](?:test|tests|spec)\.\w+)$")


@dataclass(frozen=True)
class CoderBrief:
    """All that a coding attempt starts from.

    Attributes:
        plan_text: the whole plan; an excerpt is shown.
        context_files: (path, content) of files to show, the most important first.
        tree: the workspace's files, one a line.
        feedback: what earlier attempts did wrong, with the real output of commands; newest last.
        commands: what will be run to check the work.
        lesson: one or two lines from the last attempt, for a fresh one.
        previous: (path, content) of the best earlier candidate, to be repaired; it is what is on the disk now.
        focus: the one failing check to solve first.
        hints: short advice for this attempt.
        protected: paths that must not be changed, whatever the task says.
        plain: ask in the plain form where it suits (``coder_plain``).
        repo_map: the definitions of other files that matter most for the task (``lao.search.repo_map``).
        memory: what is known about the project, near the end of the message.
        skills: which skills there are; shown where there are tools to open them.
    """

    plan_title: str
    plan_text: str
    task: TaskSpec
    context_files: tuple[tuple[str, str], ...] = ()
    tree: str = ""
    feedback: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    lesson: str = ""
    previous: tuple[tuple[str, str], ...] = ()
    focus: str = ""
    hints: tuple[str, ...] = ()
    protected: frozenset[str] = frozenset()
    plain: bool = False
    repo_map: str = ""
    memory: str = ""
    skills: str = ""

    def protects(self, path: str) -> bool:
        """Whether ``path`` is a given test file that is not the task's to change."""
        if path in self.protected:
            return True
        if path in self.task.file_paths or path not in dict(self.context_files) or not is_test(path):
            return False
        return bool(self.task.file_paths) or path not in self.task.title + self.task.description

    @property
    def current(self) -> dict[str, str]:
        """Path to content, as far as it is known: an earlier candidate's files stand for those of the workspace."""
        return {**dict(self.context_files), **dict(self.previous)}

    @property
    def rejected(self) -> dict[str, str]:
        """Contents that failed; the same again would be no progress."""
        if self.previous:
            return dict(self.previous)
        return dict(self.context_files) if self.feedback else {}

    def without_short_files(self) -> CoderBrief:
        """The same without the short files of the task itself; a long one cannot be written without seeing it."""
        kept = tuple(f for f in self.context_files if f[0] not in self.task.file_paths or is_long(f[1]))
        return replace(self, context_files=kept, previous=tuple(f for f in self.previous if is_long(f[1])))


def is_test(path: str) -> bool:
    """Whether ``path`` is a test file by its name or folder."""
    return bool(_TEST.search(path))


def system_prompt(protocol: str, edit_format: str = "auto") -> str:
    """The coder's system prompt: the same bytes for the same protocol ("tools" or "text") and format."""
    if protocol == "tools":
        return load("coder_tools")
    return load(f"coder_text_{edit_format if edit_format in EDIT_FORMATS else 'whole'}")


def user_message(brief: CoderBrief, *, budget: int, protocol: str, edit_format: str = "auto") -> str:
    """The message within about ``budget`` tokens. Parts that do not fit are clipped, the least important first."""
    return "\n\n".join(text for _, text in _layout(brief, budget, protocol, edit_format))


def sections(brief: CoderBrief, budget: int, protocol: str, edit_format: str = "auto") -> tuple[tuple[str, int], ...]:
    """How many tokens each section of that message takes, in the message's order.

    The names are plan, tree, map, other files, task, checks, own files, feedback, memory, skills, hints, closing; an
    empty section is left out.
    """
    sizes: dict[str, int] = {}
    for name, text in _layout(brief, budget, protocol, edit_format):
        sizes[name] = sizes.get(name, 0) + estimate(text + "\n\n")
    return tuple(sizes.items())


def _layout(brief: CoderBrief, budget: int, protocol: str, edit_format: str) -> list[tuple[str, str]]:
    stable = _stable(brief, budget)
    left = budget - sum(estimate(text) for _, text in stable)
    form = _form(brief, protocol, edit_format)
    advice = _advice(brief, max(_SHORT, budget // 8))
    closing = _closing(brief, form)
    memory = clip(brief.memory, max(0, budget // 6)) if brief.memory else ""
    skills = brief.skills if form == "tools" and estimate(brief.skills) <= budget // 10 else ""
    left -= sum(map(estimate, (advice, closing, memory, skills)))
    feedback = _feedback(brief, max(left * 4 // 10, left - _need(_own(brief)) - 60))
    left -= estimate(feedback)
    own, clipped = _own_files(brief, left - 100)
    hint = load("coder_text_edit") if form == "whole" and clipped else ""
    guidance = [("memory", memory), ("skills", skills)]
    changing = [("own files", own), ("feedback", feedback), *guidance, ("hints", advice)]
    changing += [("closing", hint), ("closing", closing)]
    return [(name, text) for name, text in (*stable, *changing) if text]


def _stable(brief: CoderBrief, budget: int) -> list[tuple[str, str]]:
    """What does not depend on earlier attempts, in any byte, as long as the task and the workspace are the same."""
    own = _need([f for f in brief.context_files if f[0] in brief.task.file_paths])
    left = budget - max(budget * 35 // 100, min(own + budget // 5, budget * 6 // 10))
    task = _task(brief, budget // 4)
    checks = clip(_commands(brief), budget // 8)
    left -= estimate(task) + estimate(checks)
    files = _other_files(brief, left * 6 // 10)
    left -= estimate(files)
    plan = excerpt(brief.plan_text, (brief.task.title, *brief.task.file_paths), max(0, left * 7 // 10))
    plan = f"# The plan that this task belongs to: {brief.plan_title}\n\n{plan}" if plan.strip() else ""
    left -= estimate(plan)
    tree = (
        f"# Files in the workspace\n{clip(brief.tree.strip(), left // 2)}" if brief.tree.strip() and left > 60 else ""
    )
    left -= estimate(tree)
    shown = f"# Defined in other files of the workspace\n{fenced('', brief.repo_map)}" if brief.repo_map.strip() else ""
    shown = shown if estimate(shown) <= left else ""
    return [
        ("plan", plan),
        ("tree", tree),
        ("map", shown),
        ("other files", files),
        ("task", task),
        ("checks", checks),
    ]


def _form(brief: CoderBrief, protocol: str, edit_format: str) -> str:
    """ "tools", or the form of a text answer; where there is nothing to edit yet, whole files are asked for."""
    if protocol == "tools":
        return "tools"
    there = any(content.strip() for _, content in _own(brief))
    return edit_format if edit_format in EDIT_FORMATS and there else "whole"


def _own(brief: CoderBrief) -> list[tuple[str, str]]:
    """The task's files as they are now, and all files of an earlier candidate."""
    paths = dict.fromkeys((*brief.task.file_paths, *(path for path, _ in brief.previous)))
    return [(path, brief.current[path]) for path in paths if path in brief.current]


def _need(files: Sequence[tuple[str, str]]) -> int:
    return sum(estimate(content) + 30 for _, content in files)


def _closing(brief: CoderBrief, form: str) -> str:
    failed = bool(brief.previous or brief.feedback)
    if form == "tools":
        return load("coder_mend_tools" if brief.previous else "coder_tools_end")
    paths = brief.task.file_paths or tuple(path for path, _ in brief.previous)
    path = paths[0] if paths else "path/of/file"
    if form == "whole":
        name = "mend" if brief.previous else "again" if brief.feedback else "end"
        return load(f"coder_text_{name}", path=path)
    asked = load(f"coder_text_{form}_end", path=path)
    return f"{load('coder_text_mistake')} {asked}" if failed else asked


def _task(brief: CoderBrief, limit: int) -> str:
    text = f"# Your task: {brief.task.title}\n\n{clip(brief.task.description.strip(), limit)}"
    if brief.task.file_paths:
        text += "\n\nFiles of this task:\n" + "\n".join(f"- {p}" for p in brief.task.file_paths)
    return text


def _commands(brief: CoderBrief) -> str:
    if not brief.commands:
        return ""
    return "These commands will check your work; each must succeed:\n" + "\n".join(f"- `{c}`" for c in brief.commands)


def _feedback(brief: CoderBrief, limit: int) -> str:
    if not brief.feedback or limit <= 0:
        return ""
    share = limit // len(brief.feedback)
    said = "\n\n".join(clip(f.strip(), max(60, share), tail_share=0.7) for f in brief.feedback)
    if brief.previous:
        return f"# This version fails the checks. Their output:\n\n{said}"
    return f"# An earlier attempt was rejected. Mend this:\n\n{said}"


def _advice(brief: CoderBrief, limit: int) -> str:
    share = limit // max(1, len(brief.hints))
    parts = [clip(hint.strip(), share) for hint in brief.hints if hint.strip()]
    if brief.lesson.strip():
        parts.append(f"# What went wrong before\n{clip(brief.lesson.strip(), limit)}")
    if brief.focus.strip():
        parts.append(f"Solve this first: {clip(brief.focus.strip(), _SHORT)}")
    return "\n\n".join(parts)


def _other_files(brief: CoderBrief, limit: int) -> str:
    """Files that the task does not name; long ones that are no tests are reduced to their signatures."""
    earlier = dict(brief.previous)
    parts: list[str] = []
    for path, content in brief.context_files:
        if path in brief.task.file_paths or path in earlier:
            continue
        room = limit - sum(map(estimate, parts)) - 30
        body = content.rstrip("\n")
        short = "" if is_test(path) or not (is_long(body) or estimate(body) > room) else outline(path, content)
        if room < 40:
            parts.append(f"(not shown for lack of space: {path})")
        elif short and len(short) < len(body):
            parts.append(f"Signatures in {path} (shortened):\n{fenced(path, clip(short, room))}")
        else:
            note = " (tests; do not change this file)" if brief.protects(path) else ""
            parts.append(f"Current content of {path}{note}:\n{fenced(path, clip(body, room))}")
    return "\n\n".join(parts)


def _own_files(brief: CoderBrief, limit: int) -> tuple[str, bool]:
    """The files to work on; whether an edit may serve better than a whole file."""
    earlier = dict(brief.previous)
    parts: list[str] = []
    long = False
    for path, content in _own(brief):
        room = limit - sum(map(estimate, parts)) - 30
        if room < 40:
            parts.append(f"(not shown for lack of space: {path})")
            continue
        body = clip(content.rstrip("\n"), room)
        long = long or body != content.rstrip("\n") or is_long(content)
        what = "Your earlier version of" if path in earlier else "Current content of"
        parts.append(f"{what} {path}:\n{fenced(path, body)}")
    return "\n\n".join(parts), long


def is_long(content: str) -> bool:
    """Whether a file is better edited than written anew."""
    return content.count("\n") > _LONG_LINES


def fenced(path: str, body: str) -> str:
    """``body`` in a code fence that is longer than any inside."""
    runs = [len(m) for m in re.findall(r"^`{3,}", body, re.MULTILINE)]
    marks = "`" * max([3, *(n + 1 for n in runs)])
    return f"{marks}{_LANGUAGES.get(PurePosixPath(path).suffix, '')}\n{body}\n{marks}"
