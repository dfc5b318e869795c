"""One streamed HTTP request on a thread of its own, and the means to hang up on it. Knows no chat format."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from lao.durable.threads import Thread

POLL_S = 0.2
JOIN_S = 2.0


class Silence(Exception):
    """Nothing arrived in time."""


@dataclass(frozen=True)
class Arrival:
    """``item`` is what the reader gave; at the end ``ended`` is set, with ``error`` if the reader failed."""

    item: Any = None
    ended: bool = False
    error: Exception | None = None


class Wire:
    """The socket of one request. ``cut`` may be called from any thread and before there is a socket.

    A server stops generating only when the connection closes, and a thread that waits in ``recv`` wakes only when the
    socket is shut down: closing the response object does neither while another thread reads from it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cut = False

    def trace(self, name: str, info: dict[str, Any]) -> None:
        """The ``trace`` extension of httpcore: notes the socket when it is connected (before the response exists)."""
        if name.endswith(("connect_tcp.complete", "start_tls.complete")):
            stream = info.get("return_value")
            found = stream.get_extra_info("socket") if stream is not None else None
            with self._lock:
                self._socket = found
                if self._cut:
                    self._shut()

    def cut(self) -> None:
        with self._lock:
            self._cut = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)


class Exchange:
    """Runs ``read(wire)`` on a thread and hands its items over, each within a deadline."""

    def __init__(self, read: Callable[[Wire], Iterator[Any]]) -> None:
        self._wire = Wire()
        self._arrivals: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        self._thread = Thread(self._pump, args=(read,), name="lao-model-stream")
        self._thread.start()

    def _pump(self, read: Callable[[Wire], Iterator[Any]]) -> None:
        try:
            for item in read(self._wire):
                self._arrivals.put(Arrival(item))
        except Exception as error:  # noqa: BLE001 - carried over to the caller's thread, which raises it
            self._arrivals.put(Arrival(ended=True, error=error))
        else:
            self._arrivals.put(Arrival(ended=True))

    def next(self, timeout_s: float, stopping: Callable[[], bool]) -> Arrival | None:
        """The next arrival, or None when ``stopping`` turned true.

        Raises:
            Silence: nothing came for ``timeout_s`` seconds of real time.
        """
        deadline = time.monotonic() + timeout_s
        while not stopping():
            left = deadline - time.monotonic()
            if left <= 0:
                raise Silence
            try:
                return self._arrivals.get(timeout=min(left, POLL_S))
            except queue.Empty:
                continue
        return None

    def close(self) -> None:
        """Hang up if the request is still running, and let the thread end."""
        if self._thread.is_alive():
            self._wire.cut()
            self._thread.join(JOIN_S)
