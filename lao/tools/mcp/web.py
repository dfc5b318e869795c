"""The SDK's transports to a server that is reached by its address, with bounded answers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

from lao.tools.mcp.servers import McpServer

MOST_ANSWER: Final = 8_000_000
"""Bytes of one answer or event."""

_CONNECT_S: Final = 10.0


@contextlib.asynccontextmanager
async def web(server: McpServer) -> AsyncIterator[Any]:
    """The streams to a server over streamable HTTP, or over the older SSE.

    Raises:
        httpx2.HTTPError: it cannot be reached (the older SSE only; else the first request says so).
    """
    import httpx2
    from mcp.client.sse import sse_client
    from mcp.client.streamable_http import streamable_http_client

    headers = dict(server.headers)
    if server.transport == "sse":
        async with sse_client(server.url, headers=headers, timeout=_CONNECT_S) as streams:
            yield streams
        return
    waits = httpx2.Timeout(_CONNECT_S, read=server.tool_timeout_s + _CONNECT_S)
    hooks = {"response": [_bound]}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=waits, event_hooks=hooks) as client,
        streamable_http_client(server.url, http_client=client, max_sse_event_size=MOST_ANSWER) as streams,
    ):
        yield streams


async def _bound(response: Any) -> None:
    """Count the bytes of an answer that is read whole; streams of events are bounded event by event."""
    import httpx2

    if response.headers.get("content-type", "").startswith("text/event-stream"):
        return
    inner = response.stream

    class Counted(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            size = 0
            async for block in inner:
                size += len(block)
                if size > MOST_ANSWER:
                    raise httpx2.ReadError(f"the answer has more than {MOST_ANSWER / 1e6:.0f} MB")
                yield block

        async def aclose(self) -> None:
            await inner.aclose()

    response.stream = Counted()
