"""One passage through the memory gate: what it works with, its figures, and what it tells."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from lao.config.settings import Settings
from lao.core.clock import Clock
from lao.core.states import Role
from lao.core.words import Event, Json
from lao.servers.gate.record import LoadRecord
from lao.servers.memory.reading import MemoryProbe
from lao.servers.protocol import LoadedModel, ResidencyServer


class Counters(Protocol):
    """Where the gate counts: loads, unloads, swaps, role_changes, deferred."""

    def add(self, name: str, amount: int = 1) -> None: ...


class Tally:
    """Counters in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, name: str, amount: int = 1) -> None:
        with self._lock:
            self._counts[name] += amount

    def get(self, name: str) -> int:
        with self._lock:
            return self._counts[name]


@dataclass(frozen=True)
class Means:
    """What a gate works with.

    Attributes:
        report: gets every wait, load, unload and decision as an Event.
        ping: asks a loaded instance for one token; raises ServerAway while the server is still loading it.
    """

    server: ResidencyServer
    settings: Settings
    probe: MemoryProbe
    clock: Clock
    report: Callable[[Event], None]
    counters: Counters
    record: LoadRecord
    ping: Callable[[LoadedModel], None] | None = None


@dataclass
class Visit:
    """The running figures of one ``ensure``."""

    means: Means
    role: Role
    key: str = ""
    loads: int = 0
    unloads: int = 0
    waited_s: float = 0.0

    def tell(self, kind: str, text: str, **data: Json) -> None:
        """Report an event about this role and, unless ``model`` says otherwise, its model."""
        self.means.report(Event(kind, text, {"model": self.key, "role": self.role.value, **data}))

    def since(self, started: float) -> float:
        """Seconds since a monotonic time."""
        return self.means.clock.monotonic() - started
