"""Which tasks of a plan answer which of its demands, and which commands decide that. Asks no model, decides no task."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from lao.agents.plan_draft import VAGUE_WORD
from lao.agents.plan_items import TICKED_FILE
from lao.agents.plan_text import plan_commands
from lao.core.words import TaskSpec
from lao.state.requirements import Requirement

_SHARE: Final = 0.6
_LEAST: Final = 3
"""Words that must be shared, and how many of a demand's words: fewer say nothing."""

_TICKED: Final = re.compile(r"`([^`\n]+)`")
_WORDS: Final = re.compile(r"[A-Za-z_]\w{2,}|\d+")
_FILLING: Final = frozenset(
    """the and must should shall that this with for not are has have does its can may all any each when then from into
    than which will was were been but also only given task tests test file files""".split()  # noqa: SIM905
)


@dataclass(frozen=True)
class Answer:
    """A demand's answer: positions of tasks in the plan's list, and commands that decide."""

    tasks: tuple[int, ...]
    commands: tuple[str, ...]


def answer(demand: Requirement, block: str, tasks: Sequence[TaskSpec]) -> Answer:
    """The tasks that speak of the demand, by its id, its commands, its files, or its words; in this order of trust.

    A plan of one task is answered by it. The commands are the demand's own, else those of the tasks that answer it.

    Args:
        block: the demand's whole text in the plan.
    """
    own = tuple(dict.fromkeys((*demand.commands, *(command for _, command in plan_commands(block)))))
    found = _answering(demand.key, block, own, tasks)
    commands = own or tuple(dict.fromkeys(c for n in found for c in tasks[n].commands))
    return Answer(found, commands)


def bound(demand: Requirement, given: Answer, ids: Sequence[int]) -> Requirement:
    """The demand with its answer; ``ids`` are those of the tasks in the plan's order."""
    return replace(demand, tasks=tuple(ids[n] for n in given.tasks), commands=given.commands)


def gaps(demands: Sequence[Requirement], answers: Sequence[Answer]) -> tuple[tuple[str, str], ...]:
    """(what is missing, what to do) for each demand that nobody answers, nothing can show, or nobody can check."""
    found = []
    for demand, given in zip(demands, answers, strict=True):
        name = f"{demand.key} (line {demand.line})" if demand.line else demand.key
        vague = sorted({word.lower() for word in VAGUE_WORD.findall(_TICKED.sub("", demand.text))})
        if not given.tasks:
            found.append((f"no task answers {name}: {demand.text}", "name its files, or give it a heading of its own"))
        if not given.commands:
            found.append((f"no command decides about {name}: {demand.text}", "add a line 'Check: `command`'"))
        elif vague:
            found.append((f"{name} is vague: {', '.join(map(repr, vague))}", "say how much, or how it shows"))
    return tuple(found)


def _answering(key: str, block: str, commands: Collection[str], tasks: Sequence[TaskSpec]) -> tuple[int, ...]:
    if len(tasks) == 1:
        return (0,)
    named = rf"(?<![\w.-]){re.escape(key)}(?![\w-])"
    files = TICKED_FILE.findall(block)
    ways: tuple[Callable[[TaskSpec], bool], ...] = (
        lambda task: "-" in key and bool(re.search(named, f"{task.title}\n{task.description}")),
        lambda task: bool(set(commands) & set(task.commands)),
        lambda task: any(_writes(task, path) for path in files),
        lambda task: _shares(block, task),
    )
    for way in ways:
        found = tuple(n for n, task in enumerate(tasks) if way(task))
        if found:
            return found
    return ()


def _writes(task: TaskSpec, path: str) -> bool:
    name = PurePosixPath(path).name
    return any(PurePosixPath(own).name == name for own in task.file_paths)


def _shares(block: str, task: TaskSpec) -> bool:
    said = _terms(block)
    about = _terms(f"{task.title}\n{task.description}")
    return len(said & about) >= max(_LEAST, _SHARE * len(said))


def _terms(text: str) -> set[str]:
    return {word.lower() for word in _WORDS.findall(text)} - _FILLING
