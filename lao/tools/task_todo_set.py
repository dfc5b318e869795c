"""Tool task_todo_set: replaces the open points of the running task."""

from __future__ import annotations

from collections.abc import Mapping

from lao.core.errors import BadInput
from lao.core.words import Json
from lao.tools.context import ToolContext, ToolResult
from lao.tools.task_todo_get import listed


def run(context: ToolContext, arguments: Mapping[str, Json]) -> ToolResult:
    """Items without an id get their place as id; without a status they are pending."""
    items = [
        {"id": str(i.get("id") or n), "content": i["content"].strip(), "status": i.get("status", "pending")}
        for n, i in enumerate(arguments["todos"], 1)
    ]
    ids = [i["id"] for i in items]
    twice = sorted({i for i in ids if ids.count(i) > 1})
    if twice:
        raise BadInput(f"the id {twice[0]!r} is given twice", "every item needs an id of its own, or none")
    context.todos.set(items)
    return ToolResult(listed(items))
