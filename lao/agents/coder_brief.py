"""The coder's first message: the task, what it touches, what will check it, what went wrong before; cut to fit."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from lao.agents.plan_text import excerpt
from lao.agents.prompt import load
from lao.core.words import TaskSpec
from lao.llm.tokens import clip, estimate

_LANGUAGES = {".py": "python", ".js": "javascript", ".ts": "typescript", ".md": "markdown", ".sh": "bash"}
_LONG_LINES = 120
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
    """

    plan_title: str
    plan_text: str
    task: TaskSpec
    context_files: tuple[tuple[str, str], ...] = ()
    tree: str = ""
    feedback: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()

    def protects(self, path: str) -> bool:
        """Whether ``path`` is a given test file that is not the task's to change."""
        if path in self.task.file_paths or path not in dict(self.context_files) or not is_test(path):
            return False
        return bool(self.task.file_paths) or path not in self.task.title + self.task.description

    def without_short_files(self) -> CoderBrief:
        """The same without the short files of the task itself; a long one cannot be written without seeing it."""
        kept = tuple(f for f in self.context_files if f[0] not in self.task.file_paths or _is_long(f[1]))
        return replace(self, context_files=kept)


def is_test(path: str) -> bool:
    """Whether ``path`` is a test file by its name or folder."""
    return bool(_TEST.search(path))


def user_message(brief: CoderBrief, *, budget: int, protocol: str) -> str:
    """The message within about ``budget`` tokens. Parts that do not fit are clipped, the least important first."""
    end = _end(brief, protocol)
    head = _head(brief, budget // 3)
    checks = _commands(brief)
    feedback = _feedback(brief, budget // 4)
    left = budget - sum(map(estimate, (head, checks, feedback, end)))
    shown, clipped = _files(brief, left * 6 // 10)
    left -= estimate(shown)
    plan = excerpt(brief.plan_text, (brief.task.title, *brief.task.file_paths), max(0, left * 7 // 10))
    plan = f"# The plan that this task belongs to: {brief.plan_title}\n\n{plan}" if plan.strip() else ""
    left -= estimate(plan)
    tree = (
        f"# Files in the workspace\n{clip(brief.tree.strip(), left // 2)}" if brief.tree.strip() and left > 60 else ""
    )
    edit = load("coder_text_edit") if protocol == "text" and clipped else ""
    return "\n\n".join(part for part in (head, plan, tree, shown, checks, feedback, edit, end) if part)


def _end(brief: CoderBrief, protocol: str) -> str:
    if protocol == "tools":
        return load("coder_tools_end")
    path = brief.task.file_paths[0] if brief.task.file_paths else "path/of/file"
    return load("coder_text_again" if brief.feedback else "coder_text_end", path=path)


def _head(brief: CoderBrief, limit: int) -> str:
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
    return f"# An earlier attempt was rejected. Mend this:\n\n{said}"


def _files(brief: CoderBrief, limit: int) -> tuple[str, bool]:
    """Current contents, those of the task first; whether an edit may serve better than a whole file."""
    mine = [f for f in brief.context_files if f[0] in brief.task.file_paths]
    others = [f for f in brief.context_files if f[0] not in brief.task.file_paths]
    parts: list[str] = []
    long = False
    for path, content in (*mine, *others):
        room = limit - sum(map(estimate, parts)) - 30
        if room < 40:
            parts.append(f"(not shown for lack of space: {path})")
            continue
        body = clip(content.rstrip("\n"), room)
        long = long or (path in brief.task.file_paths and (body != content.rstrip("\n") or _is_long(content)))
        note = "" if not brief.protects(path) else " (tests; do not change this file)"
        parts.append(f"Current content of {path}{note}:\n{fenced(path, body)}")
    return "\n\n".join(parts), long


def _is_long(content: str) -> bool:
    return content.count("\n") > _LONG_LINES


def fenced(path: str, body: str) -> str:
    """``body`` in a code fence that is longer than any inside."""
    runs = [len(m) for m in re.findall(r"^`{3,}", body, re.MULTILINE)]
    marks = "`" * max([3, *(n + 1 for n in runs)])
    return f"{marks}{_LANGUAGES.get(PurePosixPath(path).suffix, '')}\n{body}\n{marks}"
