"""Tool memory_read: what is remembered in the project and by its user."""

from __future__ import annotations

from collections.abc import Mapping

from lao.core.words import Json
from lao.memory.book import SCOPES
from lao.tools.context import ToolContext, ToolResult, failure

NO_MEMORY = "memory is switched off here"


def run(context: ToolContext, _arguments: Mapping[str, Json]) -> ToolResult:
    """The text and the facts of both scopes."""
    if context.memory is None:
        return failure(NO_MEMORY)
    parts = []
    for scope in SCOPES:
        facts = "\n".join(f"- {fact}" for fact in context.memory.facts(scope))
        shown = "\n".join(part for part in (context.memory.own_text(scope), facts) if part)
        parts.append(f"# {scope}\n{shown or '(nothing yet)'}")
    return ToolResult("\n\n".join(parts))
