"""Tool skill_clear: leaves the open skill, and with it what it took away."""

from __future__ import annotations

from collections.abc import Mapping

from lao.core.words import Json
from lao.tools.context import ToolContext, ToolResult


def run(_context: ToolContext, _arguments: Mapping[str, Json]) -> ToolResult:
    """The dispatcher tells the shelf; here is nothing to do."""
    return ToolResult("No skill is open.")
