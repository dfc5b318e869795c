"""What is looked at again after a while, between other work: neither threads nor sleeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from lao.core.clock import SystemClock

Look: TypeAlias = Callable[[], "float | None"]


class Later:
    """What is looked at again later; a look gives the seconds until the next one, or None when it was the last."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._looks: list[tuple[float, Look]] = []

    def add(self, seconds: float, look: Look) -> None:
        self._looks.append((self._clock.monotonic() + seconds, look))

    def tick(self) -> None:
        now = self._clock.monotonic()
        due = [(at, look) for at, look in self._looks if at <= now]
        self._looks = [item for item in self._looks if item not in due]
        for _, look in due:
            again = look()
            if again is not None:
                self.add(again, look)

    def __len__(self) -> int:
        return len(self._looks)
