"""Tool exit_plan_mode: hands in a plan. Runs only when the plan is approved, which is never the model's to do."""

from __future__ import annotations

from collections.abc import Mapping

from lao.core.words import Json
from lao.tools.context import ToolContext, ToolResult


def run(context: ToolContext, arguments: Mapping[str, Json]) -> ToolResult:  # noqa: ARG001  # every tool's signature
    """That the plan may be carried out now."""
    return ToolResult("The plan is approved. Plan mode is off: carry the plan out now, step by step.")
