"""Tool task_todo_get: the open points of the running task."""

from __future__ import annotations

from collections.abc import Mapping

from lao.core.words import Json
from lao.tools.context import ToolContext, ToolResult


def run(context: ToolContext, arguments: Mapping[str, Json]) -> ToolResult:  # noqa: ARG001 - one form for all tools
    """One line an item."""
    return ToolResult(listed(context.todos.get()))


def listed(items: list[dict[str, Json]]) -> str:
    """``[completed] 1: write the parser`` a line."""
    return "\n".join(f"[{i['status']}] {i['id']}: {i['content']}" for i in items) or "the list is empty"
