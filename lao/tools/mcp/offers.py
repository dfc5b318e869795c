"""Which of a server's tools a model is offered, and how: few, small, and in the same form on every resume."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Final

from lao.core.steps import StepKind
from lao.core.words import Json
from lao.tools.mcp.connection import Listed
from lao.tools.mcp.schemas import short, simplified, tool_name
from lao.tools.mcp.servers import McpServer

FIRST_TOOLS: Final = 8
"""How many tools of a server are offered when its ``enabled_tools`` says nothing."""

Tokens = Callable[[str], int]


@dataclass(frozen=True)
class Offer:
    """A tool in the form in which a model gets it.

    Attributes:
        name: ``mcp__SERVER__TOOL``; ``tool`` is the server's own name for it.
        kind: value of its class of effect (``StepKind``).
    """

    name: str
    server: str
    tool: str
    description: str
    parameters: Json
    kind: str

    def to_json(self) -> dict[str, Json]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Json]) -> Offer:
        return cls(**data)

    def tokens(self, count: Tokens) -> int:
        """What it takes in a prompt."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return count(json.dumps({"type": "function", "function": function}, ensure_ascii=False))


def wanted(server: McpServer, tools: Iterable[Listed]) -> list[Offer]:
    """The tools that the server's settings let through, in its order; when nobody has named any, the first few, and
    those that only read before others."""
    names = server.enabled_tools
    kept = [tool for tool in tools if not _matches(tool.name, server.disabled_tools)]
    if names is None:
        kept = sorted(kept, key=lambda tool: not tool.reads)[:FIRST_TOOLS]
    else:
        kept = [tool for tool in kept if _matches(tool.name, names)]
    return [_offer(server, tool) for tool in kept]


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _offer(server: McpServer, tool: Listed) -> Offer:
    kind = StepKind.UNKNOWN
    if server.trust and tool.reads:
        kind = StepKind.READ
    elif server.trust and tool.repeatable:
        kind = StepKind.REPEATABLE
    return Offer(
        tool_name(server.name, tool.name),
        server.name,
        tool.name,
        short(tool.description) or f"Tool {short(tool.name, 60)!r} of the MCP server {server.name!r}.",
        simplified(tool.schema),
        kind.value,
    )


def within(budget: int, found: Sequence[tuple[McpServer, Sequence[Offer]]], count: Tokens) -> tuple[list[Offer], int]:
    """The offers that fit into ``budget`` tokens, and what they take: first the tools that somebody named, then of each
    server in turn the next one."""
    rank = {server.name: (server.enabled_tools is None) for server, _ in found}
    queue = [
        (rank[server.name], place, at, offer)
        for at, (server, offers) in enumerate(found)
        for place, offer in enumerate(offers)
    ]
    queue.sort(key=lambda item: item[:3])
    taken: dict[str, Offer] = {}
    left = budget
    for *_, offer in queue:
        cost = offer.tokens(count)
        if cost <= left and offer.name not in taken:
            taken[offer.name] = offer
            left -= cost
    return [taken[name] for name in sorted(taken)], budget - left
