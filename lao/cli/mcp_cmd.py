"""``lao mcp list|check``: the MCP servers whose tools models may use, and what they take of a prompt."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import click

from lao.cli.context import Session, emit, emit_json, pass_session

if TYPE_CHECKING:
    from lao.tools.mcp.hub import Look
    from lao.tools.mcp.servers import McpServer

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
        emit_json({"servers": [_configured(server) for server in servers], "problems": wrong})
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


def examine(session: Session) -> dict[str, Any]:
    """What every server shows, with the tools that the coder would be offered (``offered``) and their tokens."""
    from lao.core.states import Role
    from lao.durable.containment import choose
    from lao.llm.tokens import estimate
    from lao.tools.mcp.offers import within
    from lao.tools.mcp.servers import servers_of
    from workflows.mcp import budget, open_mcp

    settings = session.settings()
    servers, problems = servers_of(settings, os.environ if session.env is None else session.env)
    marker = f"mcp-check.{os.getpid()}."
    hub = open_mcp(settings, marker, choose(settings.sandbox.backend), lambda _event: None, threading.Event())
    try:
        looks = hub.look()
    finally:
        hub.close()
    limit = budget(settings, settings.models[Role.CODER].context_length)
    offered, used = within(limit, [(look.server, look.offers) for look in looks], estimate)
    names = {offer.name: offer.tokens(estimate) for offer in offered}
    shown = [_seen(look, names) for look in looks]
    shown += [{**_configured(server), "state": "off"} for server in servers if not server.enabled]
    wrong = [{"server": problem.server, "problem": problem.text} for problem in problems]
    ok = not wrong and not any(look.error for look in looks)
    return {"ok": ok, "servers": shown, "problems": wrong, "tokens": used, "budget": limit}


def _configured(server: McpServer) -> dict[str, Any]:
    return {
        "name": server.name,
        "source": server.source,
        "transport": server.transport,
        "place": server.place,
        "enabled": server.enabled,
    }


def _seen(look: Look, names: dict[str, int]) -> dict[str, Any]:
    from lao.core.steps import StepKind

    tools = [
        {
            "name": offer.name,
            "offered": offer.name in names,
            "tokens": names.get(offer.name),
            "repeated": offer.kind != StepKind.UNKNOWN.value,
        }
        for offer in look.offers
    ]
    state = "failed" if look.error else "ok"
    return {**_configured(look.server), "state": state, "error": look.error, "listed": look.listed, "tools": tools}


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
            told = f"{tool['tokens']} tokens" if tool["offered"] else "left out: mcp.tool_tokens is used up"
            emit(f"  {tool['name']}: {told}{'' if tool['repeated'] else ', never repeated after a crash'}")
    for problem in view["problems"]:
        emit(f"{problem['server']}: NOT USED: {problem['problem']}")
    if view["servers"]:
        emit(f"in all {view['tokens']} of at most {view['budget']} tokens")
    elif not view["problems"]:
        emit("no MCP servers: see mcp_servers in factory.yaml, or .mcp.json beside it")
