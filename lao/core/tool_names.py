"""The names of the tools, LAO's own and those of other programs' rules. Knows no tool; the registry has the tools."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SHELL: Final = "shell_exec"
HELPER: Final = "agent_run"
"""Sends a helper that only reads; no tool of the registry, since it is a conversation (``lao.agents.subagent``)."""

PILOT_READING: Final = frozenset(
    {"pipeline_status", "project_status", "gate_summary", "explain_failure", "plan_preflight"}
)
PILOT_ACTING: Final = frozenset(
    {"create_plan", "edit_plan", "retry_failed", "pause_pipeline", "resume_pipeline", "cancel_plan"}
)
"""What only the Pilot is offered: looking at the factory, and steering it."""

READING: Final = frozenset(
    {
        *PILOT_READING,
        "file_read", "list_dir", "find_relevant_files", "task_todo_get", "task_todo_set", "enter_plan_mode",
        "memory_read", "skill_list", "skill_run", "skill_clear", HELPER,
    }
)  # fmt: skip
"""Change nothing but the to-do list, the plan mode and the open skill; all that runs in plan mode, with ``LEAVING``.
A list of what is allowed: a tool that is not here counts as one that changes something."""

LEAVING: Final = "exit_plan_mode"
WRITING: Final = frozenset({"file_write", "file_patch"})
BY_PATH: Final = frozenset({"file_read", "list_dir", *WRITING})
"""Tools with an argument ``path``; a specifier of their rules is a path pattern."""

REMEMBERING: Final = frozenset({"memory_append", "memory_forget"})
OWN: Final = frozenset({SHELL, LEAVING, *READING, *WRITING, *REMEMBERING, *PILOT_ACTING})

OTHER_NAMES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "Agent": (HELPER,),
        "Task": (HELPER,),
        "Bash": (SHELL,),
        "Shell": (SHELL,),
        "Read": ("file_read", "list_dir"),
        "FileRead": ("file_read",),
        "Edit": ("file_patch", "file_write"),
        "FileEdit": ("file_patch",),
        "FilePatch": ("file_patch",),
        "Write": ("file_write",),
        "FileWrite": ("file_write",),
        "ListDir": ("list_dir",),
        "LS": ("list_dir",),
        "Grep": ("find_relevant_files",),
        "Search": ("find_relevant_files",),
        "TodoWrite": ("task_todo_set",),
        "TodoRead": ("task_todo_get",),
        "EnterPlanMode": ("enter_plan_mode",),
        "ExitPlanMode": (LEAVING,),
    }
)
"""What the tools are called in rules of LAO 3.1 and of Claude Code, and which of ours they stand for."""

_MCP: Final = re.compile(r"mcp__([A-Za-z0-9][\w.-]*?)(?:__([A-Za-z0-9_][\w.-]*|\*))?")


def is_mcp(name: str) -> bool:
    """Whether this is the name of an MCP tool, ``mcp__server__tool``, or of a whole server."""
    return _MCP.fullmatch(name) is not None


def tools_of(name: str) -> tuple[str, ...]:
    """Which tools a rule's name stands for; an MCP server stands for itself. Empty: there is no such tool."""
    if name in OWN or is_mcp(name):
        return (name,)
    return OTHER_NAMES.get(name, ())


def covers(name: str, tool: str) -> bool:
    """Whether one of ``tools_of`` is this tool, or the MCP server that it belongs to."""
    if name == tool:
        return True
    return is_mcp(name) and tool.startswith(name.removesuffix("__*") + "__")
