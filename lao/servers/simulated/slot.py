"""The slots in which the simulated server generates: who is in them, who waits, until when they are taken, what the
cache holds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from operator import eq

from lao.core.clock import Clock
from lao.core.words import Json
from lao.servers.simulated.ledger import Instance


class Slots:
    """Thread-safe. Chats beyond the number of slots wait until one is free, as in LM Studio and llama-server.

    Args:
        count: how many chats are answered at once.
    """

    def __init__(self, count: int, clock: Clock) -> None:
        self._count = count
        self._clock = clock
        self._lock = threading.Condition()
        self._inside = self._waiting = 0
        self._most_inside = self._most_waiting = 0
        self._taken_until = 0.0

    @contextmanager
    def entered(self) -> Iterator[bool]:
        """Within it a chat is being answered; gives whether another one is, too. Waits for a free slot."""
        with self._lock:
            if self._inside >= self._count:
                self._waiting += 1
                self._most_waiting = max(self._most_waiting, self._waiting)
                self._lock.wait_for(lambda: self._inside < self._count)
                self._waiting -= 1
            self._inside += 1
            self._most_inside = max(self._most_inside, self._inside)
            crowded = self._inside > 1
        try:
            yield crowded
        finally:
            with self._lock:
                self._inside -= 1
                self._lock.notify()

    def stats(self) -> dict[str, Json]:
        """The most chats that ever were answered at once, and that ever waited for a slot."""
        with self._lock:
            return {"most_at_once": self._most_inside, "most_waiting": self._most_waiting}

    def take(self, seconds: float) -> None:
        """Go on generating for nobody."""
        with self._lock:
            self._taken_until = max(self._taken_until, self._clock.monotonic() + seconds)

    def wait(self) -> None:
        """Until whatever was abandoned is over."""
        with self._lock:
            left = self._taken_until - self._clock.monotonic()
        if left > 0:
            self._clock.wait(left)

    def shared(self, instance: Instance, prompt: tuple[str, ...]) -> int:
        """Tokens at the beginning that the instance's last prompt had as well; this prompt is the last one now.

        As in llama-server at least one token is read anew, and the cache goes with the instance.
        """
        with self._lock:
            before, instance.held = instance.held, prompt
        return min(sum(1 for _ in takewhile(bool, map(eq, before, prompt))), max(0, len(prompt) - 1))
