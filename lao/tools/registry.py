"""The tools that exist. A tool is ``x.py`` (what it does), ``x.md`` (what the model reads), ``x.json`` (parameters)."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from types import MappingProxyType

from lao.core.steps import Effect, StepKind
from lao.core.words import Json
from lao.tools import (
    enter_plan_mode,
    exit_plan_mode,
    file_patch,
    file_read,
    file_write,
    find_relevant_files,
    list_dir,
    memory_append,
    memory_forget,
    memory_read,
    shell_exec,
    skill_clear,
    skill_list,
    skill_run,
    task_todo_get,
    task_todo_set,
)
from lao.tools.context import ToolContext, ToolResult

Arguments = Mapping[str, Json]


@dataclass(frozen=True)
class Tool:
    """One tool.

    Attributes:
        kind: the class of its effect in the journal.
        description: for the model.
        parameters: JSON Schema of an object; every property has one plain ``type`` (templates crash on more).
        run: does it; None for an EDIT.
        edit: builds the effect whose result is a ``ToolResult`` as JSON; only for an EDIT.
        more: what the model should know besides, as things stand; "" for nothing.
    """

    name: str
    kind: StepKind
    description: str
    parameters: Mapping[str, Json]
    run: Callable[[ToolContext, Arguments], ToolResult] | None = None
    edit: Callable[[ToolContext, Arguments], Effect] | None = None
    more: Callable[[ToolContext], str] | None = None

    def said_in(self, context: ToolContext) -> Tool:
        """The tool with its description as it is told there."""
        told = self.more(context) if self.more is not None else ""
        return replace(self, description=f"{self.description}\n{told}") if told else self


@functools.cache
def all_tools() -> Mapping[str, Tool]:
    """Every tool by its name, in alphabetical order, so that a prompt's prefix stays the same."""
    tools = (
        # What the two say is recorded, and lao.tools.planning follows the record: nothing else is changed.
        _tool("enter_plan_mode", StepKind.READ, run=enter_plan_mode.run),
        _tool("exit_plan_mode", StepKind.READ, run=exit_plan_mode.run),
        _tool("file_patch", StepKind.EDIT, edit=file_patch.edit),
        _tool("file_read", StepKind.READ, run=file_read.run),
        _tool("file_write", StepKind.EDIT, edit=file_write.edit),
        _tool("find_relevant_files", StepKind.READ, run=find_relevant_files.run),
        _tool("list_dir", StepKind.READ, run=list_dir.run),
        _tool("memory_append", StepKind.EDIT, edit=memory_append.edit),
        _tool("memory_forget", StepKind.EDIT, edit=memory_forget.edit),
        _tool("memory_read", StepKind.READ, run=memory_read.run),
        _tool("shell_exec", StepKind.UNKNOWN, run=shell_exec.run, more=shell_exec.more),
        _tool("skill_clear", StepKind.READ, run=skill_clear.run),
        _tool("skill_list", StepKind.READ, run=skill_list.run),
        _tool("skill_run", StepKind.READ, run=skill_run.run),
        _tool("task_todo_get", StepKind.READ, run=task_todo_get.run),
        # Replacing the whole list is the same done once or twice: READ lets the journal simply run it again.
        _tool("task_todo_set", StepKind.READ, run=task_todo_set.run),
    )
    return MappingProxyType({tool.name: tool for tool in tools})


def _tool(
    name: str,
    kind: StepKind,
    *,
    run: Callable[[ToolContext, Arguments], ToolResult] | None = None,
    edit: Callable[[ToolContext, Arguments], Effect] | None = None,
    more: Callable[[ToolContext], str] | None = None,
) -> Tool:
    folder = resources.files("lao.tools")
    description = folder.joinpath(f"{name}.md").read_text(encoding="utf-8").strip()
    parameters = json.loads(folder.joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return Tool(name, kind, description, parameters, run, edit, more)
