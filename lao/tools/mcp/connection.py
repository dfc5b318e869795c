"""One live connection to one server, by the SDK's client. Runs in the loop's thread; knows no limits of a phase."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lao import __version__
from lao.core.words import Json
from lao.durable.containment import Containment
from lao.durable.processes import kill_marked
from lao.tools.mcp.pipes import Words, piped
from lao.tools.mcp.servers import McpServer
from lao.tools.mcp.web import web

if TYPE_CHECKING:
    from mcp import Client
    from mcp_types import CallToolResult, Tool

MOST_TOOLS: Final = 500
_MOST_PAGES: Final = 50
_UNWIND_S: Final = 8.0


class Gone(Exception):
    """The server cannot be started, has ended, or makes no sense; the text says what is known of it."""


@dataclass(frozen=True)
class Listed:
    """One tool as its server lists it; ``reads`` and ``repeatable`` are its own word."""

    name: str
    description: str
    schema: Json
    reads: bool
    repeatable: bool


@dataclass
class Connection:
    """``open`` it, then ``call``, then ``close``. Attributes: ``tools``, in the server's order; ``more`` tells whether
    the server lists more than are kept, ``doubled`` which names it lists twice."""

    server: McpServer
    marker: str
    containment: Containment
    tools: tuple[Listed, ...] = ()
    more: bool = False
    doubled: tuple[str, ...] = ()
    _client: Client | None = None
    _task: asyncio.Task[None] | None = None
    _ending: asyncio.Event = field(default_factory=asyncio.Event)
    _words: Words = field(default_factory=Words)

    @property
    def alive(self) -> bool:
        return self._client is not None and self._task is not None and not self._task.done() and not self._words.ended

    async def open(self) -> None:
        """Start the server, shake hands and list its tools.

        Raises:
            Gone: it did not come to that, or not in time.
        """
        import mcp  # noqa: F401  # takes a while the first time, which is not the server's

        ready = asyncio.Event()
        self._words.on_end = self._ending.set
        self._task = asyncio.create_task(self._hold(ready))
        waits = [asyncio.create_task(ready.wait()), asyncio.create_task(self._ending.wait())]
        await asyncio.wait(
            [self._task, *waits], timeout=self.server.startup_timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        for wait in waits:
            wait.cancel()
        if ready.is_set():
            return
        if self._task.done() or self._ending.is_set():
            await asyncio.wait([self._task], timeout=_UNWIND_S)
            reason = self._why()
        else:
            reason = f"was not ready within {self.server.startup_timeout_s:g} s (startup_timeout_s)"
        await self.close()
        raise Gone("; ".join(part for part in (reason, self._words.last()) if part))

    async def _hold(self, ready: asyncio.Event) -> None:
        """Enter and leave the client in one task, as its cancel scopes want."""
        from mcp import Client
        from mcp_types import Implementation

        about = Implementation(name="lao", version=__version__)
        transport: Any
        if self.server.transport == "stdio":
            transport = piped(self.server, self.marker, self.containment, self._words)
        else:
            transport = web(self.server)
        async with Client(transport, client_info=about, read_timeout_seconds=self.server.startup_timeout_s) as client:
            await self._list(client)
            self._client = client
            ready.set()
            await self._ending.wait()

    async def _list(self, client: Client) -> None:
        found: list[Listed] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await client.list_tools(cursor=cursor)
            found += [_listed(tool) for tool in page.tools[: MOST_TOOLS + 1 - len(found)]]
            cursor = page.next_cursor
            if cursor is None or len(found) > MOST_TOOLS:
                break
        self.more = cursor is not None or len(found) > MOST_TOOLS
        kept: dict[str, Listed] = {}
        doubled = [tool.name for tool in found[:MOST_TOOLS] if kept.setdefault(tool.name, tool) is not tool]
        self.tools, self.doubled = tuple(kept.values()), tuple(dict.fromkeys(doubled))

    async def call(self, tool: str, arguments: dict[str, Json]) -> CallToolResult:
        """One call.

        Raises:
            Gone: the connection has ended.
            Exception: whatever the SDK raises for a wrong or missing answer.
        """
        if not self.alive or self._client is None:
            raise Gone(self._why())
        return await self._client.call_tool(tool, arguments, read_timeout_seconds=self.server.tool_timeout_s)

    async def why_gone(self) -> str:
        """What is known of its end, "" while it lives; waits a moment for its exit code and its last words."""
        if self._task is not None and not self._task.done():
            wait = asyncio.create_task(self._ending.wait())
            await asyncio.wait([self._task, wait], timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
            wait.cancel()
        if self.alive:
            return ""
        return "; ".join(part for part in (self._why(), self._words.last()) if part)

    def _why(self) -> str:
        task, words = self._task, self._words
        error = task.exception() if task is not None and task.done() and not task.cancelled() else None
        if words.fault:
            return words.fault
        if error is not None and not (words.ended and _is_closed(error)):
            return told(error)
        if words.ended:
            code = words.exit_code
            return "ended" if code is None else f"ended with exit code {code}"
        return "the connection was closed"

    async def close(self) -> None:
        """End the session and the process; takes at most some seconds."""
        self._ending.set()
        task = self._task
        if task is None:
            return
        if self._client is None:  # it is still in its handshake
            task.cancel()
        await asyncio.wait([task], timeout=_UNWIND_S)
        if not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=1.0)
            await asyncio.to_thread(kill_marked, self.marker)  # a busy machine: its end was cut off half-way
        if not task.cancelled() and task.done():
            task.exception()  # seen


def told(error: BaseException) -> str:
    """The first cause of an error in words, in one line."""
    error = _first(error)
    if isinstance(error, FileNotFoundError):
        return f"there is no {error.filename!r}"
    text = " ".join(str(error).split()).partition(" For further information visit")[0][:300]
    known = isinstance(error, (OSError, TimeoutError, Gone)) or type(error).__name__ == "MCPError"
    return text if known and text else f"{type(error).__name__}: {text}"


def _first(error: BaseException) -> BaseException:
    """The first error of a group of groups."""
    while inner := getattr(error, "exceptions", None):
        error = inner[0]
    return error


def _is_closed(error: BaseException) -> bool:
    from mcp import MCPError
    from mcp_types import CONNECTION_CLOSED

    inner = _first(error)
    return isinstance(inner, MCPError) and inner.code == CONNECTION_CLOSED


def _listed(tool: Tool) -> Listed:
    hints = tool.annotations
    return Listed(
        name=tool.name,
        description=tool.description or tool.title or (hints.title if hints else None) or "",
        schema=tool.input_schema,
        reads=bool(hints and hints.read_only_hint),
        repeatable=bool(hints and hints.idempotent_hint),
    )
