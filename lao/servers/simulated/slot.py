"""The one slot in which the simulated server generates: who is in it, until when it is taken, what its cache holds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from operator import eq

from lao.core.clock import Clock
from lao.servers.simulated.ledger import Instance


class Slot:
    """Thread-safe. Chats are not queued; the slot only knows about them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._inside = 0
        self._taken_until = 0.0

    @contextmanager
    def entered(self) -> Iterator[bool]:
        """Within it a chat is being answered; gives whether another one is, too."""
        with self._lock:
            self._inside += 1
            crowded = self._inside > 1
        try:
            yield crowded
        finally:
            with self._lock:
                self._inside -= 1

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
