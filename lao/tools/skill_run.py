"""Tool skill_run: opens a skill, or shows one of its files. Runs nothing: a skill is text to follow."""

from __future__ import annotations

from collections.abc import Mapping

from lao.core.words import Json
from lao.tools.context import ToolContext, ToolResult, failure
from lao.tools.skill_list import NO_SKILLS


def run(context: ToolContext, arguments: Mapping[str, Json]) -> ToolResult:
    """The skill's instructions, or the text of ``file`` below its folder."""
    if context.skills is None:
        return failure(NO_SKILLS)
    if file := arguments.get("file"):
        return ToolResult(context.skills.file(arguments["name"], file))
    return ToolResult(context.skills.shown(arguments["name"]))
