"""MCP servers in the workers: opened from the settings, their tools recorded with the attempt that is offered them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lao.config.settings import Settings
from lao.core.words import Event, Json
from lao.durable.containment import Containment
from lao.llm.tokens import estimate
from lao.tools.registry import Tool

if TYPE_CHECKING:
    from lao.tools.mcp.hub import McpHub
    from workflows.factory import Factory

CONTEXT_SHARE = 10
"""Tools of MCP servers never take more than this part of the window, whatever ``mcp.tool_tokens`` says."""


def open_mcp(
    settings: Settings,
    marker: str,
    containment: Containment,
    report: Callable[[Event], None],
    stop: threading.Event,
) -> McpHub:
    """The hub of a process; nothing is started yet. ``marker`` begins the mark on the servers' processes."""
    from lao.tools.mcp.hub import McpHub
    from lao.tools.mcp.servers import servers_of

    servers, problems = servers_of(settings, os.environ)

    def notice(server: str, text: str) -> None:
        report(Event("mcp.notice", f"MCP server {server!r}: {text}", {"server": server}))

    return McpHub(
        servers, problems, marker=marker, containment=containment, notice=notice, stop=stop.is_set, count=estimate
    )


def budget(settings: Settings, window: int) -> int:
    """Tokens that the tools of MCP servers may take in a window of that many tokens."""
    return min(int(settings.raw["mcp"]["tool_tokens"]), window // CONTEXT_SHARE)


def offered(factory: Factory, window: int) -> list[Json]:
    """The tools for an attempt, to be recorded with it: a resumed one sees the same, whatever its servers say then.

    Raises:
        Interrupted: the worker is stopping.
    """
    return [offer.to_json() for offer in factory.mcp.offers(budget(factory.settings, window))]


def tools(factory: Factory, recorded: Sequence[Json]) -> tuple[Tool, ...]:
    """The tools of ``offered`` for one phase; it gives a server up that fails it twice."""
    if not recorded:
        return ()
    from lao.tools.mcp.hub import PhaseTools
    from lao.tools.mcp.offers import Offer

    return PhaseTools(factory.mcp, [Offer.from_json(offer) for offer in recorded]).tools
