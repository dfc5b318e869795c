"""Tool shell_exec: one command line in the workspace, with a time limit."""

from __future__ import annotations

from collections.abc import Mapping

from lao.core.words import CommandResult, Json
from lao.durable.processes import run_command
from lao.tools.context import ToolContext, ToolResult


def run(context: ToolContext, arguments: Mapping[str, Json]) -> ToolResult:
    """The exit status and what the command wrote."""
    asked = arguments.get("timeout_s", context.command_timeout_s)
    if context.before_command is not None:
        context.before_command()
    result = run_command(
        arguments["command"],
        cwd=context.root,
        timeout_s=min(asked, context.command_timeout_s),
        marker=context.marker,
        containment=context.containment,
        output_limit=max(context.result_limit - 500, 1_000),
        stop=context.stop,
    )
    return ToolResult(_told(result), result.passed, isolation=result.isolation)


def more(context: ToolContext) -> str:
    """What is closed for commands, so that none is tried in vain."""
    return context.containment.for_the_model


def _told(result: CommandResult) -> str:
    if result.timed_out:
        head = f"killed: it ran longer than its {result.seconds:.0f} s; commands must end by themselves, unasked"
    else:
        head = f"exit status {result.exit_code} after {result.seconds:.1f} s"
    return f"{head}\n{result.output}" if result.output else f"{head}, no output"
