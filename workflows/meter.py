"""Whose energy it is: what the counters count while phases hold a slot is shared among those that hold one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from lao.core.clock import Clock

if TYPE_CHECKING:
    from lao.servers.energy import Counters, Measurement


class Meter:
    """Accounts of joules by thread.

    Args:
        counters: gives the source, or None; asked when the first slot is taken.
    """

    def __init__(self, counters: Callable[[], Counters | None], clock: Clock) -> None:
        self._counters, self._clock = counters, clock
        self._lock = threading.Lock()
        self._holders: frozenset[int] = frozenset()
        self._accounts: dict[int, float | None] = {}
        self._running = ExitStack()
        self._measurement: Measurement | None = None
        self._counted = 0.0

    def open(self) -> None:
        """Begin an account for this thread."""
        with self._lock:
            self._accounts[threading.get_ident()] = 0.0

    def close(self) -> float | None:
        """End this thread's account; None when nothing was counted or a part could not be read."""
        with self._lock:
            return self._accounts.pop(threading.get_ident(), None) or None

    def changed(self, holders: frozenset[int]) -> None:
        """Other threads hold slots than before (``Slots``)."""
        with self._lock:
            self._share()
            self._holders = holders
            if not holders:
                self._running.close()
                self._measurement = None
            elif self._measurement is None and (counters := self._counters()) is not None:
                from lao.servers.energy import measuring

                self._measurement = self._running.enter_context(measuring(counters, self._clock))
                self._counted = 0.0

    def _share(self) -> None:
        if not self._holders:
            return
        joules = self._measurement.counted() if self._measurement is not None else None
        for thread in self._holders & self._accounts.keys():
            account = self._accounts[thread]
            if account is None or joules is None:
                self._accounts[thread] = None
            else:
                self._accounts[thread] = account + (joules - self._counted) / len(self._holders)
        self._counted = joules or 0.0
