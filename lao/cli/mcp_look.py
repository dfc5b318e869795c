"""What the configured MCP servers show when a command starts them for a moment: ``mcp check``, doctor, health."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from lao.cli.context import Session

if TYPE_CHECKING:
    from lao.tools.mcp.hub import Look
    from lao.tools.mcp.servers import McpServer

HEALTH_S: Final = 10.0
"""Longest wait for all servers together where a quick answer is wanted."""


def has_servers(session: Session) -> bool:
    """Whether anything is configured; costs no import."""
    settings = session.settings()
    raw = settings.raw
    return bool(raw.get("mcp_servers")) or (raw["mcp"]["project_file"] and (settings.paths.root / ".mcp.json").exists())


def examine(session: Session, limit_s: float | None = None) -> dict[str, Any]:
    """What every server shows, with the tools that the coder would be offered (``offered``) and their tokens.

    None of their processes is left, also when this one is interrupted or asked to end.

    Args:
        limit_s: seconds that a server has to start, when its own ``startup_timeout_s`` is longer.
    """
    from lao.core.states import Role
    from lao.durable.containment import choose
    from lao.llm.tokens import estimate
    from lao.tools.mcp.hub import McpHub
    from lao.tools.mcp.offers import within
    from lao.tools.mcp.servers import servers_of
    from lao.tools.mcp.strays import end_those_of_dead_looks, marker_of_a_look
    from workflows.mcp import budget

    settings = session.settings()
    servers, problems = servers_of(settings, os.environ if session.env is None else session.env)
    if limit_s is not None:
        servers = tuple(replace(s, startup_timeout_s=min(s.startup_timeout_s, limit_s)) for s in servers)
    end_those_of_dead_looks()
    hub = McpHub(
        servers,
        marker=marker_of_a_look(),
        containment=choose(settings.sandbox.backend),
        notice=lambda _server, _text: None,
        stop=threading.Event().is_set,
        count=estimate,
    )
    with _asked_to_end():
        try:
            looks = hub.look()
        finally:
            hub.close()
    limit = budget(settings, settings.models[Role.CODER].context_length)
    offered, used = within(limit, [(look.server, look.offers) for look in looks], estimate)
    names = {offer.name: offer.tokens(estimate) for offer in offered}
    shown = [_seen(look, names) for look in looks]
    shown += [{**configured(server), "state": "off"} for server in servers if not server.enabled]
    wrong = [{"server": problem.server, "problem": problem.text} for problem in problems]
    ok = not wrong and not any(look.error for look in looks)
    return {"ok": ok, "servers": shown, "problems": wrong, "tokens": used, "budget": limit}


def configured(server: McpServer) -> dict[str, Any]:
    """What a server's entry says, without arguments and secrets."""
    return {
        "name": server.name,
        "source": server.source,
        "transport": server.transport,
        "place": server.place,
        "enabled": server.enabled,
    }


def remedy(server: dict[str, Any]) -> str:
    """What to do about a server of ``examine`` that does not start."""
    first = "look whether its address answers" if server["transport"] != "stdio" else "try its command by hand"
    return f"{first}, or set enabled: false; 'lao mcp check' tries {server['name']!r} again"


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
    return {
        **configured(look.server),
        "state": "failed" if look.error else "ok",
        "error": look.error,
        "seconds": look.seconds,
        "listed": look.listed,
        "tools": tools,
    }


@contextmanager
def _asked_to_end() -> Iterator[None]:
    """SIGTERM and a closed terminal end the block as Ctrl-C does, so that it can end what it has started."""

    def end(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [number for number in (signal.SIGTERM, getattr(signal, "SIGHUP", None)) if number is not None]
    before = [(number, signal.signal(number, end)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
