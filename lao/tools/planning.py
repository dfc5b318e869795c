"""Plan mode: whether it holds. Which calls it lets through is in ``lao.tools.permissions``; it is told by results."""

from __future__ import annotations

from dataclasses import dataclass

from lao.tools.context import ToolResult


@dataclass
class PlanMode:
    """The plan mode of one run. It follows the recorded results of its two tools, so a resumed run stands where the
    first one stood.

    Attributes:
        on: nothing but reading is allowed.
    """

    on: bool = False

    def note(self, tool: str, result: ToolResult) -> None:
        """A call has ended, or was replayed."""
        if result.ok and tool == "enter_plan_mode":
            self.on = True
        elif result.ok and tool == "exit_plan_mode":
            self.on = False
