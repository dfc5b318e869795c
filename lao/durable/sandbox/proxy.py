"""The way out of a command that may reach some hosts: a forward proxy in this process, for one command.

It answers on a socket that was opened inside the command's network namespace (``doorway``), so there is nothing else
of it that the command could reach or replace. It ends with its block, and with this process.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lao.config.hosts import Address, Host
from lao.durable.sandbox.asked import HEAD_LIMIT, Asked, read
from lao.durable.sandbox.flows import Flow, step
from lao.durable.sandbox.guide import NotAllowed, Resolver, addresses
from lao.durable.threads import Thread

AT_ONCE: Final = 64
"""Connections of a command at the same time; more wait."""
DOWN_LIMIT: Final = 4 << 30
"""Bytes that a command receives in all."""
UP_LIMIT: Final = 64 << 20
"""Bytes that it sends in all: little, since downloads ask for much and say little."""
OPENED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"
_BLOCK: Final = 65_536
_HEAD_S, _CONNECT_S, _IDLE_S, _POLL_S, _ENDING_S = 20.0, 20.0, 120.0, 0.5, 2.0
_SHOWN: Final = 12
_NAMED: Final = 200


@dataclass
class Record:
    """What a command asked for: place, and why it was refused ("" when it was not), to how often."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, place: str, refused: str = "") -> None:
        key = (place[:120], refused[:160])
        known = key in self.counts or len(self.counts) < _NAMED
        self.counts[key if known else ("others", refused and "more of them")] += 1

    @property
    def reached(self) -> list[str]:
        return [_times(place, n) for (place, refused), n in sorted(self.counts.items()) if not refused]

    @property
    def refused(self) -> list[str]:
        return [_times(f"{place}: {why}", n) for (place, why), n in sorted(self.counts.items()) if why]

    @property
    def text(self) -> str:
        """One line of bounded length; "" when nothing was asked."""
        parts = [f"{word} {', '.join(_some(names))}" for word, names in (("reached", self.reached),) if names]
        parts += [f"refused {'; '.join(_some(names))}" for names in (self.refused,) if names]
        return "; ".join(parts)


def _times(text: str, count: int) -> str:
    return f"{text} ({count} times)" if count > 1 else text


def _some(names: list[str]) -> list[str]:
    return names if len(names) <= _SHOWN else [*names[:_SHOWN], f"{len(names) - _SHOWN} more"]


class Proxy:
    """Serves one command.

    Args:
        resolve: addresses of a name.
        limits: bytes that are received and sent in all.
    """

    def __init__(
        self, hosts: tuple[Host, ...], resolve: Resolver, limits: tuple[int, int] = (DOWN_LIMIT, UP_LIMIT)
    ) -> None:
        self.record = Record()
        self._hosts, self._resolve = hosts, resolve
        self._left = {"received": limits[0], "sent": limits[1]}
        self._lock, self._seats = threading.Lock(), threading.BoundedSemaphore(AT_ONCE)
        self._over = threading.Event()

        self._open: set[socket.socket] = set()
        self._threads: list[Thread] = []

    @contextlib.contextmanager
    def serving(self) -> Iterator[int]:
        """For the block: gives the end of a channel over which ``doorway`` sends the socket to be served."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            thread = Thread(self._serve, name="lao-proxy", args=(ours,))
            thread.start()
            try:
                yield theirs.fileno()
            finally:
                self._end(ours, thread)

    def _end(self, channel: socket.socket, thread: Thread) -> None:
        """All of it ends now; a thread that waits for a name's address ends when it has come."""
        self._over.set()
        deadline = time.monotonic() + _ENDING_S
        self._hang_up(channel)
        thread.join(_ENDING_S)
        self._hang_up()  # whoever came in between
        for one in self._threads:
            one.join(max(deadline - time.monotonic(), 0))

    def _hang_up(self, *more: socket.socket) -> None:
        with self._lock:
            left = [*more, *self._open]
        for each in left:
            with contextlib.suppress(OSError):  # the other side was faster
                each.shutdown(socket.SHUT_RDWR)

    def _serve(self, channel: socket.socket) -> None:
        _, handles, _, _ = socket.recv_fds(channel, 1, 1)
        if not handles:
            return  # it did not come as far as that
        with socket.socket(fileno=handles[0]) as door:
            with self._lock:
                self._open.add(door)
            door.settimeout(_POLL_S)
            while not self._over.is_set():
                if self._seats.acquire(timeout=_POLL_S):
                    self._admit(door)

    def _admit(self, door: socket.socket) -> None:
        """The next one who comes, in a thread of its own; gives the seat back when nobody does."""
        try:
            caller, _ = door.accept()
            thread = Thread(self._attend, name="lao-proxy-caller", args=(caller,))
            with self._lock:
                self._open.add(caller)
            thread.start()
        except (TimeoutError, ConnectionError):
            self._seats.release()
        except (OSError, RuntimeError) as error:  # no handle or no thread is left: the caller tries again
            self._seats.release()
            if not self._over.wait(_POLL_S):
                self.record.add("a connection", str(error))
        else:
            self._threads = [t for t in self._threads if t.is_alive()] + [thread]

    def _attend(self, caller: socket.socket) -> None:
        try:
            with caller, contextlib.suppress(OSError):  # whoever hangs up needs no answer
                caller.settimeout(_HEAD_S)
                self._answer(caller)
        finally:
            with self._lock:
                self._open.discard(caller)
            self._seats.release()

    def _answer(self, caller: socket.socket) -> None:
        place = "a request"
        try:
            head, more = _head(caller)
            asked = read(head)
            place = asked.place
            found = addresses(asked, self._hosts, self._resolve)
        except ValueError as error:
            self._refuse(caller, place, "400 Bad Request", str(error))
        except NotAllowed as error:
            self._refuse(caller, place, "403 Forbidden", str(error))
        except OSError as error:
            self._refuse(caller, place, "502 Bad Gateway", f"no address: {error}")
        else:
            self._connect(caller, asked, found, more)

    def _refuse(self, caller: socket.socket, place: str, status: str, why: str) -> None:
        self.record.add(place, why)
        text = f"LAO: {place}: {why[:200]} (sandbox.network)\n"
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(text.encode())}\r\n"
        caller.sendall(f"{head}Connection: close\r\n\r\n{text}".encode())
        caller.shutdown(socket.SHUT_WR)
        caller.settimeout(_POLL_S)
        for _ in range(64):  # what is closed with bytes unread takes the answer back
            if not caller.recv(_BLOCK):
                return

    def _connect(self, caller: socket.socket, asked: Asked, found: list[Address], more: bytes) -> None:
        failed: OSError | None = None
        for address in found[:4]:
            try:
                there = socket.create_connection((str(address), asked.port), timeout=_CONNECT_S)
            except OSError as error:
                failed = error
                continue
            with there:
                with self._lock:
                    self._open.add(there)
                try:
                    self.record.add(asked.place)
                    self._carry(caller, there, asked, more)
                finally:
                    with self._lock:
                        self._open.discard(there)
            return
        self._refuse(caller, asked.place, "502 Bad Gateway", f"cannot be reached: {failed}")

    def _carry(self, caller: socket.socket, there: socket.socket, asked: Asked, more: bytes) -> None:
        """Both ways until both have ended. Of plain HTTP one request: a second one could name another host."""
        up = Flow(caller, there, "sent", bytearray(asked.head), None if asked.tunnel else asked.body)
        down = Flow(there, caller, "received", bytearray(OPENED if asked.tunnel else b""), None)
        up.take(more)
        for each in (caller, there):
            each.setblocking(False)
        began = time.monotonic()
        if not self._within({"sent": len(asked.head) + len(more)}, asked):
            return
        while not (down.done and (up.done or not asked.tunnel)) and not self._over.is_set():
            moved = step((up, down), _POLL_S)
            began = time.monotonic() if moved else began
            if time.monotonic() - began > _IDLE_S or not self._within(moved, asked):
                return

    def _within(self, moved: dict[str, int], asked: Asked) -> bool:
        """Whether the command has received and sent no more than it may."""
        with self._lock:
            for way, count in moved.items():
                self._left[way] -= count
                if self._left[way] < 0:
                    self.record.add(asked.place, f"it has {way} more than it may in all")
                    return False
        return True


def _head(caller: socket.socket) -> tuple[bytes, bytes]:
    """The head of a request, and what came with it."""
    deadline, data = time.monotonic() + _HEAD_S, bytearray()
    while (end := data.find(b"\r\n\r\n")) < 0:
        if len(data) > HEAD_LIMIT or time.monotonic() > deadline:
            raise ValueError("a request whose head does not end")
        if not (block := caller.recv(4096)):
            raise ConnectionError("nothing was asked")
        data += block
    return bytes(data[: end + 4]), bytes(data[end + 4 :])
