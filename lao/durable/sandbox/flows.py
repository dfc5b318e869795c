"""Bytes from one socket to another and back, in one thread, with little kept in between."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

_BLOCK: Final = 65_536
_READ, _WRITE = select.POLLIN | select.POLLHUP | select.POLLERR, select.POLLOUT


@dataclass
class Flow:
    """One way. The sockets do not block.

    Attributes:
        way: its name in figures.
        held: bytes that are to be written next.
        left: bytes that are still taken from the source; None: all until its end.
    """

    source: socket.socket
    target: socket.socket
    way: str
    held: bytearray = field(default_factory=bytearray)
    left: int | None = None
    ended: bool = False
    done: bool = False

    @property
    def wants_more(self) -> bool:
        return not self.ended and self.left != 0 and len(self.held) < _BLOCK

    def take(self, block: bytes) -> None:
        """What was read from the source, as far as it is to go on."""
        block = block if self.left is None else block[: self.left]
        self.left = None if self.left is None else self.left - len(block)
        self.held += block

    def read(self) -> int:
        """How many bytes came now. Raises OSError where the connection broke."""
        try:
            block = self.source.recv(_BLOCK if self.left is None else min(self.left, _BLOCK))
        except (BlockingIOError, InterruptedError):
            return 0
        self.ended = not block
        self.take(block)
        return len(block)

    def write(self) -> None:
        """As much as goes; the source's end is told when all has gone."""
        if self.held:
            try:
                del self.held[: self.target.send(self.held)]
            except (BlockingIOError, InterruptedError):
                return
        if self.ended and not self.held and not self.done:
            self.done = True
            self.target.shutdown(socket.SHUT_WR)


def step(flows: Iterable[Flow], wait_s: float) -> dict[str, int]:
    """Move what can be moved now, or within the time; bytes by way."""
    flows, poll, wanted = tuple(flows), select.poll(), dict[int, int]()
    for flow in flows:
        for each, event, need in ((flow.source, _READ, flow.wants_more), (flow.target, _WRITE, bool(flow.held))):
            if need:
                wanted[each.fileno()] = wanted.get(each.fileno(), 0) | event
    for number, events in wanted.items():
        poll.register(number, events)
    ready = dict(poll.poll(wait_s * 1000))
    moved = {flow.way: flow.read() for flow in flows if flow.wants_more and ready.get(flow.source.fileno(), 0) & _READ}
    for flow in flows:
        flow.write()
    return {way: count for way, count in moved.items() if count}
