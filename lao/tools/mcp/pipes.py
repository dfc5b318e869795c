"""The SDK's transport to a server that LAO starts itself: a contained process, lines of bounded length, its last words.

Why not the SDK's own: it reads a line of any length, and its processes are not tied to the worker's life.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lao.durable.containment import Containment
from lao.durable.processes import child_environment, kill_marked
from lao.durable.tied import tied
from lao.tools.mcp import strays
from lao.tools.mcp.servers import McpServer

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp.shared.message import SessionMessage

MOST_LINE: Final = 8_000_000
"""Bytes of one message; a longer one ends the server."""

_MOST_GARBAGE: Final = 1_000
_KEPT_WORDS: Final = 2_000
_GRACE_S: Final = 1.0
_POLL_S: Final = 0.02


@dataclass
class Words:
    """What a server said beside the protocol.

    Attributes:
        garbage: lines on stdout that are no messages; ``sample`` is the first of them, ``in_a_row`` counts since the
            last message.
        fault: why the connection was ended by this side, "" when it was not.
        errors: the end of its stderr.
    """

    garbage: int = 0
    in_a_row: int = 0
    sample: str = ""
    fault: str = ""
    errors: bytes = b""
    ended: bool = False
    exit_code: int | None = None
    on_end: Callable[[], None] = field(default=lambda: None)

    def last(self) -> str:
        """What a person should see of it, in one line, "" when it said nothing."""
        lines = [line.strip() for line in self.errors.decode("utf-8", "replace").splitlines() if line.strip()]
        said = [f"its last error output: {lines[-1][:300]!r}"] if lines else []
        if self.garbage:
            said.append(f"{self.garbage} lines on its stdout were no messages, the first {self.sample[:100]!r}")
        return "; ".join(said)


@contextlib.asynccontextmanager
async def piped(
    server: McpServer, marker: str, containment: Containment, words: Words
) -> AsyncIterator[tuple[MemoryObjectReceiveStream[Any], MemoryObjectSendStream[SessionMessage]]]:
    """Start the server and speak with it line by line; none of its processes is left when the block ends.

    Args:
        marker: of this one process (``lao.durable.processes``).

    Raises:
        OSError: it cannot be started.
    """
    import anyio

    process = await asyncio.create_subprocess_exec(
        *tied(f"exec {shlex.join(server.command)}", containment),
        cwd=server.cwd,
        env=child_environment(marker, server.env),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        limit=MOST_LINE,
    )
    incoming, read = anyio.create_memory_object_stream[Any](0)
    write, outgoing = anyio.create_memory_object_stream[Any](0)
    tasks = [
        asyncio.ensure_future(_read(process, incoming, words)),
        asyncio.ensure_future(_write(process, outgoing, incoming)),
        asyncio.ensure_future(_listen(process, words)),
    ]
    try:
        yield read, write
    finally:
        with anyio.CancelScope(shield=True):
            await _end(process, marker)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for stream in (incoming, read, write, outgoing):
                stream.close()


async def _read(process: asyncio.subprocess.Process, incoming: Any, words: Words) -> None:
    import anyio
    from mcp.shared.message import SessionMessage
    from mcp_types import jsonrpc_message_adapter

    assert process.stdout is not None
    with contextlib.suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
        while line := await _line(process.stdout, words):
            try:
                message = jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValueError:
                words.garbage += 1
                words.in_a_row += 1
                words.sample = words.sample or line[:200].decode("utf-8", "replace").strip()
            else:
                words.in_a_row = 0
                await incoming.send(SessionMessage(message))
    words.ended = True  # before the stream's end tells whoever waits for an answer
    incoming.close()
    with contextlib.suppress(asyncio.TimeoutError):
        words.exit_code = await asyncio.wait_for(process.wait(), _GRACE_S)
    words.on_end()


async def _line(stdout: asyncio.StreamReader, words: Words) -> bytes:
    """The next line, b"" at the end or where nothing good can follow."""
    if words.in_a_row >= _MOST_GARBAGE:
        words.fault = f"prints what is no message on its stdout ({words.sample[:80]!r})"
        return b""
    try:
        return await stdout.readline()
    except ValueError:
        words.fault = f"sent a message of more than {MOST_LINE / 1e6:.0f} MB"
        return b""


async def _write(process: asyncio.subprocess.Process, outgoing: Any, incoming: Any) -> None:
    assert process.stdin is not None
    try:
        async with outgoing:
            async for message in outgoing:
                text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                process.stdin.write(text.encode() + b"\n")
                await process.stdin.drain()
    except OSError:  # it reads no more: the session sees the connection end
        incoming.close()


async def _listen(process: asyncio.subprocess.Process, words: Words) -> None:
    """Drain stderr, so that a talkative server does not block, and keep its end."""
    assert process.stderr is not None
    while block := await process.stderr.read(65_536):
        words.errors = (words.errors + block)[-_KEPT_WORDS:]


async def _end(process: asyncio.subprocess.Process, marker: str) -> None:
    """Close its stdin, which asks it to end; then SIGTERM and SIGKILL for all of its group, and what has left that: its
    children, whatever their environment, and all that have its marker."""
    assert process.stdin is not None
    below = await asyncio.to_thread(strays.family, process.pid)
    process.stdin.close()
    for number in (None, signal.SIGTERM, signal.SIGKILL):
        if number is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, number)
        for _ in range(int(_GRACE_S / _POLL_S)):
            if process.returncode is not None:
                break
            await asyncio.sleep(_POLL_S)
        if process.returncode is not None:
            break
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await asyncio.to_thread(strays.end, below)
    await asyncio.to_thread(kill_marked, marker)
    transport = getattr(process, "_transport", None)  # else open pipes of what escaped warn at the interpreter's end
    if transport is not None:
        transport.close()
