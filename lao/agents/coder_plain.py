"""The task in other words: one file, its tests, one code block, no rules. For samples that shall differ from the usual.

Two ways of asking solve more than twice as many samples of one: a small model's mistakes hang on the form of a prompt.
"""

from __future__ import annotations

from lao.agents.coder_brief import CoderBrief, fenced, is_long
from lao.agents.plan_text import body
from lao.agents.prompt import load
from lao.llm.tokens import clip, estimate

_LESSON = 160
_FAILURE = 400


def suits(brief: CoderBrief) -> bool:
    """Whether the task can be put this way: one short file to write as a whole, or to be mended after a check."""
    if len(brief.task.file_paths) != 1 or bool(brief.previous) != bool(brief.feedback):
        return False
    (path,) = brief.task.file_paths
    return not is_long(brief.current.get(path, "")) and {p for p, _ in brief.previous} <= {path}


def plain_message(brief: CoderBrief, *, budget: int) -> str:
    """The message within about ``budget`` tokens: plan, file, map, tests and other files, what to do.

    For a version that fails only that and its failure: a short prompt is read in a moment, and nothing distracts.
    """
    (path,) = brief.task.file_paths
    if brief.previous:
        return _mending(brief, path, budget)
    closing = load("coder_plain_end", path=path, task=clip(brief.task.description.strip(), budget // 6))
    left = budget - estimate(closing)
    files = dict(brief.context_files)
    own = clip(files.pop(path, "").rstrip("\n"), left // 3)
    parts = [f"This is `{path}` now:\n{fenced(path, own)}"] if own else []
    left -= sum(map(estimate, parts))
    plan = clip(body(brief.plan_text).strip(), left // 2)
    left -= estimate(plan)
    if brief.repo_map.strip() and estimate(brief.repo_map) < left // 2:
        parts.append(f"Other files define this; import what you need from there:\n{fenced('', brief.repo_map)}")
        left -= estimate(parts[-1])
    for name, content in files.items():
        room = left - 30
        if room < 60:
            break
        what = f"`{name}` (it must pass)" if brief.protects(name) else f"`{name}`"
        parts.append(f"This is {what}:\n{fenced(name, clip(content.rstrip(), room))}")
        left -= estimate(parts[-1])
    if brief.lesson.strip():
        parts.append(f"An earlier version went wrong: {clip(brief.lesson.strip(), _LESSON)}")
    return "\n\n".join([plan, *parts, closing])


def _mending(brief: CoderBrief, path: str, budget: int) -> str:
    failure = clip("\n\n".join(brief.feedback).strip(), min(_FAILURE, budget // 3))
    closing = load("coder_plain_mend", path=path, failure=failure)
    return (
        f"`{path}`:\n{fenced(path, clip(dict(brief.previous)[path].rstrip(), budget - estimate(closing)))}\n\n{closing}"
    )
