"""The one thread in which all connections of a process live: an asyncio loop that is called from outside."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from lao.core.errors import Interrupted
from lao.durable.threads import Thread

T = TypeVar("T")

_LOOK_S: Final = 0.05


@dataclass(frozen=True)
class Ended(Generic[T]):
    """How a coroutine ended: its value, or the error that it raised (then ``value`` is None)."""

    value: T | None
    error: BaseException | None


class LoopThread:
    """Begins with the first call and ends with ``close``; safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def run(self, coroutine: Coroutine[Any, Any, T], limit_s: float, stop: Callable[[], bool]) -> Ended[T]:
        """Run it there and wait for its end, at most ``limit_s`` seconds (then the error is a TimeoutError).

        Raises:
            Interrupted: ``stop`` said so, or the thread has ended; the coroutine was cancelled.
        """
        try:
            loop = self._started()
        except Interrupted:
            coroutine.close()
            raise
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        waited = 0.0
        while not concurrent.futures.wait([future], _LOOK_S).done:
            waited += _LOOK_S
            if stop() or self._closed:
                future.cancel()
                raise Interrupted("stopped while an MCP server was at work")
            if waited >= limit_s:
                future.cancel()
                return Ended(None, TimeoutError(f"no answer within {limit_s:.0f} s"))
        if future.cancelled():
            return Ended(None, ConnectionError("the connection was closed"))
        error = future.exception()
        return Ended(None, error) if error is not None else Ended(future.result(), None)

    def close(self, last: Callable[[], Coroutine[Any, Any, None]], limit_s: float) -> None:
        """Run ``last`` in the thread and end it, within ``limit_s`` seconds in all. Safe to repeat."""
        with self._lock:
            loop, thread, self._closed = self._loop, self._thread, True
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        concurrent.futures.wait([asyncio.run_coroutine_threadsafe(last(), loop)], limit_s)
        with contextlib.suppress(RuntimeError):  # it has ended meanwhile
            loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=1.0)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise Interrupted("the worker is stopping")
            if self._loop is None:
                _quiet()
                self._loop = asyncio.new_event_loop()
                self._thread = Thread(_live, args=(self._loop,), name="mcp")
                self._thread.start()
            return self._loop


def _live(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=0.5))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


def _quiet() -> None:
    """The SDK logs whatever a bad server does with tracebacks; LAO says it once, in one line."""
    for name in ("mcp", "asyncio", "httpx2"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
