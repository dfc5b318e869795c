"""``lao mcp list|check``: the MCP servers whose tools models may use, and what they take of a prompt."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.mcp_look import configured, examine

UNHEALTHY = 1


@click.group(help="MCP servers: what is configured, and whether it works.")
def group() -> None:
    pass


@group.command("list", help="Show the configured servers; starts none.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def list_servers(session: Session, as_json: bool) -> None:
    from lao.tools.mcp.servers import servers_of

    servers, problems = servers_of(session.settings(), os.environ if session.env is None else session.env)
    if as_json:
        wrong = [{"server": problem.server, "problem": problem.text} for problem in problems]
        emit_json({"servers": [configured(server) for server in servers], "problems": wrong})
        return
    for server in servers:
        off = "" if server.enabled else ", switched off"
        emit(f"{server.name}: {server.transport} {server.place} ({server.source}{off})")
    for problem in problems:
        emit(f"{problem.server}: NOT USED: {problem.text}")
    if not servers and not problems:
        emit("no MCP servers: see mcp_servers in factory.yaml, or .mcp.json beside it")


@group.command("check", help="Start every server and show its tools; exits with 1 when one does not start.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def check(session: Session, as_json: bool) -> None:
    view = examine(session)
    if as_json:
        emit_json(view)
    else:
        _print(view)
    sys.exit(0 if view["ok"] else UNHEALTHY)


def _print(view: dict[str, Any]) -> None:
    for server in view["servers"]:
        if server["state"] != "ok":
            text = server.get("error") or "switched off"
            emit(f"{server['name']}: {'DOES NOT START: ' if server['state'] == 'failed' else ''}{text}")
            continue
        offered = [tool for tool in server["tools"] if tool["offered"]]
        total = sum(tool["tokens"] for tool in offered)
        emit(f"{server['name']}: {len(offered)} of {server['listed']} tools offered, {total} tokens")
        for tool in server["tools"]:
            told = f"{tool['tokens']} tokens" if tool["offered"] else "left out: the tokens for MCP tools are used up"
            emit(f"  {tool['name']}: {told}{'' if tool['repeated'] else ', never repeated after a crash'}")
    for problem in view["problems"]:
        emit(f"{problem['server']}: NOT USED: {problem['problem']}")
    if view["servers"]:
        emit(f"in all {view['tokens']} of at most {view['budget']} tokens")
    elif not view["problems"]:
        emit("no MCP servers: see mcp_servers in factory.yaml, or .mcp.json beside it")
