"""Which of the plan's own commands decides which task. Invents none and runs none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from lao.agents.plan_text import body, is_command, plan_commands
from lao.core.words import TaskSpec


def own_commands(tasks: Sequence[TaskSpec], plan_text: str) -> list[TaskSpec]:
    """``tasks`` without the commands that the planner invented."""
    own = {_plain(c) for _, c in plan_commands(plan_text)}
    shown = body(plan_text)
    return [replace(t, commands=tuple(c for c in t.commands if _is_own(c, own, shown))) for t in tasks]


def assign_commands(tasks: Sequence[TaskSpec], plan_text: str) -> list[TaskSpec]:
    """``tasks`` (in dependency order) with the plan's commands.

    A command that a task claims is kept only when the plan says it; one of the plan's test lines that no task claims
    goes to the last task that its section is about, else to the last task of all: no test of a plan is lost.
    """
    named = plan_commands(plan_text)
    result = own_commands(tasks, plan_text)
    for section, command in named:
        about = [n for n, t in enumerate(result) if _mentions(section, t)]
        claimed = [n for n, t in enumerate(result) if _plain(command) in map(_plain, t.commands)]
        single = sum(_plain(c) == _plain(command) for _, c in named) == 1
        if set(claimed) & set(about) or (claimed and (single or not about)):
            continue
        to = about[-1] if about else len(result) - 1
        result[to] = replace(result[to], commands=(*result[to].commands, command))
    return result


def _is_own(command: str, own: set[str], plan: str) -> bool:
    if _plain(command) in own:
        return True
    return (
        is_command(command)
        and " " in command.strip()
        and bool(re.search(rf"(?<![\w/.-]){re.escape(command.strip())}(?=\s*(?:$|[`.,;)]))", plan, re.MULTILINE))
    )


def _plain(command: str) -> str:
    return " ".join(command.split())


def _mentions(section: str, task: TaskSpec) -> bool:
    text = section.lower()
    names = [task.title, *task.file_paths, *(PurePosixPath(p).name for p in task.file_paths)]
    return any(re.search(rf"(?<![\w.-]){re.escape(name.lower())}(?![\w-])", text) for name in names if name)
