"""Which tools a phase offers its model, as far as its window has room for their schemas. Runs none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

from lao.core.states import Phase
from lao.core.words import Json
from lao.llm.tokens import estimate
from lao.tools.registry import Tool, all_tools

SETS: Final[Mapping[Phase, tuple[str, ...]]] = {
    Phase.CODE: (
        "file_read",
        "file_write",
        "file_patch",
        "shell_exec",
        "list_dir",
        "find_relevant_files",
        "task_todo_set",
        "task_todo_get",
    ),
}
"""The tools of a phase, the most needed first; a phase without an entry offers none."""

PLAN_MODE: Final = ("exit_plan_mode", "enter_plan_mode")
PLANNING_MODES: Final = frozenset({"plan_only", "confirm"})
"""Permission modes in which plan mode is offered; elsewhere its schemas would only take room."""

LEAST: Final = 3
"""Reading, writing and patching files are offered whatever they take: without them there is no work."""

SHARE: Final = 6
"""The schemas take at most this part of the window (a sixth)."""


def spec(tool: Tool) -> dict[str, Json]:
    """The tool in the ``tools`` of a chat request, without the examples of its schema."""
    parameters = {key: value for key, value in tool.parameters.items() if key != "examples"}
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}


def tokens_of(tools: Iterable[Tool]) -> int:
    """What the schemas of these tools take of the window, estimated."""
    return estimate(json.dumps([spec(tool) for tool in tools]))


def fitting(tools: Iterable[Tool], window: int, least: int = LEAST) -> tuple[Tool, ...]:
    """The first of the tools, as many as fit a sixth of the window; ``least`` of them in any case."""
    chosen: list[Tool] = []
    for tool in tools:
        if len(chosen) >= least and tokens_of((*chosen, tool)) * SHARE > window:
            break
        chosen.append(tool)
    return tuple(chosen)


def offered(phase: Phase, window: int, mode: str = "auto") -> tuple[str, ...]:
    """The names of the tools that a phase offers, the most needed first.

    Args:
        window: tokens of the model's context; the tools that do not fit a sixth of it are left out, from the end.
        mode: the permission mode.
    """
    names = SETS.get(phase, ())
    if names and mode in PLANNING_MODES:
        names = (*names[:LEAST], *PLAN_MODE, *names[LEAST:])
    least = LEAST + (mode == "plan_only")  # whoever begins in plan mode must be able to leave it
    return tuple(tool.name for tool in fitting((all_tools()[name] for name in names), window, least))
