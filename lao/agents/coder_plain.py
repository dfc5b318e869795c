"""The task in other words: one file, its tests, one code block, no rules. For samples that shall differ from the usual.

Two ways of asking solve more than twice as many samples of one: a small model's mistakes hang on the form of a prompt.
"""

from __future__ import annotations

from lao.agents.coder_brief import CoderBrief, fenced, is_long
from lao.agents.plan_text import body
from lao.agents.prompt import load
from lao.llm.tokens import clip, estimate

_LESSON = 160


def suits(brief: CoderBrief) -> bool:
    """Whether the task can be put this way: one short file to write as a whole, nothing to be mended."""
    if len(brief.task.file_paths) != 1 or brief.previous or brief.feedback:
        return False
    return not is_long(brief.current.get(brief.task.file_paths[0], ""))


def plain_message(brief: CoderBrief, *, budget: int) -> str:
    """The message within about ``budget`` tokens: plan, file, tests and other files, what to do."""
    (path,) = brief.task.file_paths
    closing = load("coder_plain_end", path=path, task=clip(brief.task.description.strip(), budget // 6))
    left = budget - estimate(closing)
    files = dict(brief.context_files)
    own = clip(files.pop(path, "").rstrip("\n"), left // 3)
    parts = [f"This is `{path}` now:\n{fenced(path, own)}"] if own else []
    left -= sum(map(estimate, parts))
    plan = clip(body(brief.plan_text).strip(), left // 2)
    left -= estimate(plan)
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
