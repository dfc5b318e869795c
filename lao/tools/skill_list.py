"""Tool skill_list: the names of the skills and when each is used."""

from __future__ import annotations

from collections.abc import Mapping

from lao.core.words import Json
from lao.tools.context import ToolContext, ToolResult, failure

NO_SKILLS = "there are no skills here"


def run(context: ToolContext, _arguments: Mapping[str, Json]) -> ToolResult:
    """One line a skill."""
    return failure(NO_SKILLS) if context.skills is None else ToolResult(context.skills.listing())
