"""All servers of a process: started when first needed, kept, ended with it. And what one phase sees of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from lao.core.steps import StepKind
from lao.core.words import Json
from lao.durable.containment import Containment
from lao.durable.processes import kill_marked
from lao.tools.context import ToolContext, ToolResult, failure
from lao.tools.mcp.connection import Connection, Gone, told
from lao.tools.mcp.offers import FIRST_TOOLS, Offer, Tokens, wanted, within
from lao.tools.mcp.results import as_result, cut
from lao.tools.mcp.schemas import short
from lao.tools.mcp.servers import McpServer, Problem
from lao.tools.mcp.thread import LoopThread
from lao.tools.registry import Tool

if TYPE_CHECKING:
    from mcp_types import CallToolResult

STRIKES: Final = 2
"""Deaths, silences and senseless answers of one server after which a phase gives it up."""

_TRIED_AGAIN_S: Final = 300.0
_SLACK_S: Final = 10.0
_CLOSE_S: Final = 5.0
_TOLD: Final = 2_000
_NAMED: Final = 12


class Died(Gone):
    """The server ended while it was at work on a call."""


@dataclass(frozen=True)
class Look:
    """What a server shows.

    Attributes:
        error: why it cannot be used, "" when it can.
        listed: how many tools it has; ``more`` tells that it has others beyond those.
        offers: those that its settings let through, whatever they take.
        seconds: until it was ready, or was given up; nearly 0 when it ran already.
        doubled: names that it lists more than once.
    """

    server: McpServer
    error: str
    listed: int
    offers: tuple[Offer, ...]
    more: bool = False
    seconds: float = 0.0
    doubled: tuple[str, ...] = ()


class McpHub:
    """The connections of one process.

    Args:
        marker: begins the marker of every server's processes (``lao.durable.processes``).
        notice: told once of everything that a person should know, with the server's name and a text.
        stop: asked while a call waits.
        count: tokens of a text.
        now: seconds of a clock that only goes forward.
    """

    def __init__(
        self,
        servers: Sequence[McpServer],
        problems: Sequence[Problem] = (),
        *,
        marker: str,
        containment: Containment,
        notice: Callable[[str, str], None],
        stop: Callable[[], bool],
        count: Tokens,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.servers: Mapping[str, McpServer] = {server.name: server for server in servers if server.enabled}
        self._problems = tuple(problems)
        self._marker, self._containment = marker, containment
        self._notice, self._stop, self._count, self._now = notice, stop, count, now
        self._thread = LoopThread()
        self._live: dict[str, Connection] = {}
        self._made: list[Connection] = []
        self._locks: dict[str, asyncio.Lock] = {}
        self._failed: dict[str, tuple[float, str]] = {}
        self._told: set[tuple[str, str]] = set()

    def tell(self, server: str, text: str) -> None:
        """Tell a person, once."""
        if (server, text) not in self._told:
            self._told.add((server, text))
            self._notice(server, text)

    def look(self) -> tuple[Look, ...]:
        """Start every server that does not run and see what it has.

        Raises:
            Interrupted: the worker is stopping.
        """
        if not self.servers:
            return ()
        longest = max(server.startup_timeout_s for server in self.servers.values())
        ended = self._thread.run(self._open_all(), longest + _SLACK_S, self._stop)
        if ended.value is None:
            return tuple(Look(server, told(ended.error or Gone()), 0, ()) for server in self.servers.values())
        looks = []
        for server, (found, seconds) in zip(self.servers.values(), ended.value, strict=True):
            if isinstance(found, Connection):
                offers = tuple(wanted(server, found.tools))
                looks.append(Look(server, "", len(found.tools), offers, found.more, seconds, found.doubled))
            else:
                looks.append(Look(server, told(found), 0, (), seconds=seconds))
        return tuple(looks)

    def offers(self, budget: int) -> tuple[Offer, ...]:
        """The tools for a prompt, in at most ``budget`` tokens. Servers that do not start are told of and left out.

        Raises:
            Interrupted: the worker is stopping.
        """
        for problem in self._problems:
            self.tell(problem.server, f"cannot be used: {problem.text}")
        looks = self.look()
        for look in looks:
            if look.error:
                self.tell(look.server.name, f"does not start, plans go on without it: {look.error}")
        offered, _ = within(budget, [(look.server, look.offers) for look in looks], self._count)
        names = {offer.name for offer in offered}
        for look in looks:
            self._tell_of_doubles(look)
            self._tell_of_the_rest(look, [offer.tool for offer in look.offers if offer.name not in names], budget)
        return tuple(offered)

    def _tell_of_doubles(self, look: Look) -> None:
        for name in look.doubled:
            self.tell(look.server.name, f"lists two tools called {short(name, 60)!r}; the first one is offered")
        first: dict[str, str] = {}
        for offer in look.offers:
            other = first.setdefault(offer.name, offer.tool)
            if other != offer.tool:
                text = f"its tools {other!r} and {offer.tool!r} are both {offer.name!r} in plain letters; the first"
                self.tell(look.server.name, f"{text} one is offered")

    def _tell_of_the_rest(self, look: Look, left: Sequence[str], budget: int) -> None:
        named, text = look.server.enabled_tools, ""
        if look.error:
            return
        if named and not look.offers:
            text = f"has none of the tools that enabled_tools names, of {look.listed} in all"
        elif left:
            shown = ", ".join(short(name, 40) for name in left[:_NAMED]) + (", …" if len(left) > _NAMED else "")
            text = (
                f"only {len(look.offers) - len(left)} of {len(look.offers)} tools are offered, since those of all "
                f"servers may take {budget} tokens (mcp.tool_tokens, at most a tenth of the context); left out: {shown}"
            )
        elif named is None and look.listed > FIRST_TOOLS:
            number = f"more than {look.listed}" if look.more else str(look.listed)
            text = f"{FIRST_TOOLS} of its {number} tools are offered; name those that you want in enabled_tools"
        if text:
            self.tell(look.server.name, text)

    def call(self, server: McpServer, tool: str, arguments: dict[str, Json], stop: Callable[[], bool]) -> Any:
        """One call: a ``CallToolResult``, or the error that ended it (an exception, not raised).

        Raises:
            Interrupted: the worker is stopping.
        """
        limit = server.startup_timeout_s + server.tool_timeout_s + _SLACK_S
        ended = self._thread.run(self._call(server, tool, arguments), limit, stop)
        return ended.value if ended.error is None else ended.error

    def close(self) -> None:
        """End all servers, within some seconds."""
        self._thread.close(self._close_all, _CLOSE_S)
        for connection in list(self._made):
            if connection.server.transport == "stdio":
                kill_marked(connection.marker)  # what a busy machine has not let end in time

    async def _open_all(self) -> list[tuple[Connection | BaseException, float]]:
        return list(await asyncio.gather(*map(self._timed, self.servers.values())))

    async def _timed(self, server: McpServer) -> tuple[Connection | BaseException, float]:
        started = time.monotonic()
        (found,) = await asyncio.gather(self._connected(server), return_exceptions=True)
        return found, round(time.monotonic() - started, 3)

    async def _connected(self, server: McpServer) -> Connection:
        async with self._locks.setdefault(server.name, asyncio.Lock()):
            known = self._live.get(server.name)
            if known is not None and known.alive:
                return known
            if known is not None:
                await self._drop(known)
            failed = self._failed.get(server.name)
            if failed is not None and self._now() - failed[0] < _TRIED_AGAIN_S:
                raise Gone(failed[1])
            made = Connection(server, f"{self._marker}{time.monotonic_ns()}.", self._containment)
            self._made.append(made)
            try:
                await made.open()
            except Gone as error:
                self._failed[server.name] = (self._now(), str(error))
                self._made.remove(made)
                raise
            self._live[server.name] = made
            return made

    async def _drop(self, connection: Connection) -> None:
        await connection.close()
        if connection in self._made:
            self._made.remove(connection)

    async def _call(self, server: McpServer, tool: str, arguments: dict[str, Json]) -> CallToolResult:
        from mcp import MCPError
        from mcp_types import CONNECTION_CLOSED

        connection = await self._connected(server)
        try:
            return await connection.call(tool, arguments)
        except MCPError as error:
            if error.code == CONNECTION_CLOSED and (why := await connection.why_gone()):
                raise Died(why) from error
            raise

    async def _close_all(self) -> None:
        await asyncio.gather(*(connection.close() for connection in list(self._made)), return_exceptions=True)


class PhaseTools:
    """The servers as one phase uses them: it counts what goes wrong, and gives a server up.

    Args:
        offers: as ``McpHub.offers`` gave them to this phase when it began.
    """

    def __init__(self, hub: McpHub, offers: Sequence[Offer]) -> None:
        self._hub = hub
        self._wrong: dict[str, int] = {}
        self.tools: tuple[Tool, ...] = tuple(
            Tool(offer.name, StepKind(offer.kind), offer.description, offer.parameters, run=partial(self._run, offer))
            for offer in offers
        )

    def _run(self, offer: Offer, context: ToolContext, arguments: Mapping[str, Json]) -> ToolResult:
        server = self._hub.servers.get(offer.server)
        if server is None:
            return failure(f"the MCP server {offer.server!r} is not configured any more; go on without it")
        if context.before_command is not None:
            context.before_command()
        repeatable = offer.kind != StepKind.UNKNOWN.value
        text = ""
        while self._wrong.get(server.name, 0) < STRIKES:
            answer = self._hub.call(server, offer.tool, dict(arguments), context.stop or (lambda: False))
            if not isinstance(answer, BaseException):
                return as_result(answer, server.name, context.result_limit)
            what, ours = _judge(answer, server)
            text = f"the MCP server {server.name!r} {what}"
            if ours:
                return failure(text)
            self._strike(server, what)
            if isinstance(answer, Gone) and not isinstance(answer, Died):
                text = f"{text}; nothing was done"
                continue
            if not isinstance(answer, Died) or not repeatable:
                unsure = "" if repeatable else "; the outcome of the call is unknown, look before you repeat it"
                return failure(text + unsure)
        given_up = f"the MCP server {server.name!r} is given up for this attempt; go on without it"
        return failure(f"{text}; {given_up}" if text else given_up)

    def _strike(self, server: McpServer, what: str) -> None:
        self._wrong[server.name] = self._wrong.get(server.name, 0) + 1
        last = self._wrong[server.name] >= STRIKES
        self._hub.tell(server.name, f"{what}{'; given up for the attempt' if last else ''}")


def _judge(error: BaseException, server: McpServer) -> tuple[str, bool]:
    """What a model is told of an error, and whether it is an answer to its call rather than the server's failing."""
    from mcp import MCPError
    from mcp_types import REQUEST_TIMEOUT

    what = cut(told(error), _TOLD)
    if isinstance(error, Died):
        return f"ended during a call: {what}", False
    if isinstance(error, Gone):
        return f"cannot be used: {what}", False
    if isinstance(error, (TimeoutError, asyncio.TimeoutError)) or (
        isinstance(error, MCPError) and error.code == REQUEST_TIMEOUT
    ):
        return f"gave no answer within {server.tool_timeout_s:g} s (tool_timeout_s)", False
    if isinstance(error, MCPError):
        return f"refused the call: {what}", True
    return f"gave an answer that makes no sense: {what}", False
