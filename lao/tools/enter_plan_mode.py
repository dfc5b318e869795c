"""Tool enter_plan_mode: from now on only reading, until a plan is approved. The mode is ``lao.tools.planning``."""

from __future__ import annotations

from collections.abc import Mapping

from lao.core.words import Json
from lao.tools.context import ToolContext, ToolResult


def run(context: ToolContext, arguments: Mapping[str, Json]) -> ToolResult:  # noqa: ARG001  # every tool's signature
    """What holds now, and how to leave it."""
    return ToolResult(
        "Plan mode is on: only reading is possible. Read what you need, then call exit_plan_mode with your plan."
    )
