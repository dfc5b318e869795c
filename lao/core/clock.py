"""Time as a seam: the system's clock, and one that tests turn by hand."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for records, monotonic time for deadlines, and waiting."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def wait(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        threading.Event().wait(max(0.0, seconds))


class FakeClock:
    """A clock for tests: waiting moves it on at once, and somebody may set its wall time."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._passed, self._set_by = start, 0.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self._passed + self._set_by

    def monotonic(self) -> float:
        return self._passed

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self._passed += max(0.0, seconds)

    def jump(self, seconds: float) -> None:
        """Set the wall time forward or back; no time passes by it."""
        self._set_by += seconds
