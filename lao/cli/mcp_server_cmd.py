"""``lao mcp-server``: this project as an MCP server on stdin and stdout, by the official SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lao.cli.context import Session, pass_session
from lao.cli.project import open_project

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

    from lao.cli.mcp_server_tools import ServedTools
    from workflows.factory import Factory

INSTRUCTIONS = (
    "LAO builds software from Markdown plans with local models. submit_plan hands one in, plan_status and "
    "list_findings tell how it goes, retry_failed sets failed work back. memory is what later tasks are told. The "
    "other tools read in a plan's folder."
)


@click.command(help="Serve this project to other agents over MCP, on stdin and stdout.")
@pass_session
def command(session: Session) -> None:
    import logging

    import anyio

    logging.getLogger("mcp").setLevel(logging.ERROR)  # to stderr: stdout carries the protocol alone
    with open_project(session) as factory:
        import workflows.phases  # noqa: F401  # registers the tasks that a wake-up names
        from lao.cli.mcp_server_tools import ServedTools

        anyio.run(_serve, build(factory, ServedTools(factory)))


async def _serve(server: Server[Any]) -> None:
    from mcp.server.stdio import stdio_server

    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def build(factory: Factory, served: ServedTools) -> Server[Any]:
    """The protocol's side of the tools. Errors of LAO are results with ``isError``."""
    from mcp.server.lowlevel import Server
    from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool, ToolAnnotations

    from lao import __version__
    from lao.state.store import ERRORS, explain

    async def list_tools(_context: Any, _params: Any) -> ListToolsResult:
        return ListToolsResult(
            tools=[
                Tool(
                    name=tool.name,
                    description=tool.description,
                    input_schema=dict(tool.parameters),
                    annotations=ToolAnnotations(
                        read_only_hint=tool.reads, destructive_hint=tool.destroys, open_world_hint=False
                    ),
                )
                for tool in served.tools.values()
            ]
        )

    async def call_tool(_context: Any, params: Any) -> CallToolResult:
        try:
            result = served.call(params.name, params.arguments)
            text, ok = result.text, result.ok
        except ERRORS as error:
            text, ok = str(explain(error, factory.store.path)), False
        return CallToolResult(content=[TextContent(type="text", text=text)], is_error=not ok)

    return Server(
        "lao", version=__version__, instructions=INSTRUCTIONS, on_list_tools=list_tools, on_call_tool=call_tool
    )
