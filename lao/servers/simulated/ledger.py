"""What of the simulated memory is taken when: models, memory on its way back, other processes. Loads nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lao.core.clock import Clock
from lao.servers.simulated.scenario import Scenario, SimModel


@dataclass
class Instance:
    """A model in memory. ``loaded`` is False while it loads; ``early_from``: listed too early since; ``held`` is
    the prompt in its slot's cache, in tokens."""

    id: str
    model: SimModel
    context_length: int
    jit: bool
    loaded: bool = False
    early_from: float | None = None
    held: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Weights and the context's cache."""
        return self.model.size_bytes + self.model.kv_bytes_per_token * self.context_length


@dataclass(frozen=True)
class _Release:
    begins: float
    ends: float
    size_bytes: int

    def held(self, now: float) -> int:
        if now >= self.ends:
            return 0
        return int(self.size_bytes * min(1.0, (self.ends - now) / max(1e-9, self.ends - self.begins)))


class SimMemory:
    """Bytes of one device. Not thread-safe; its owner has the lock.

    Attributes:
        occupied: what other processes hold.
        swap_used: what the system has swapped out.
    """

    def __init__(self, scenario: Scenario, clock: Clock) -> None:
        self._scenario = scenario
        self._clock = clock
        self._releases: list[_Release] = []
        self.occupied = 0
        self.swap_used = 0

    def release(self, count: int, late_s: float = 0.0) -> None:
        """Give memory back after the scenario's delay, or ``late_s`` later, over its ``release_seconds``."""
        begins = self._clock.monotonic() + self._scenario.release_delay + late_s
        self._releases.append(_Release(begins, begins + self._scenario.release_seconds, count))

    def forget_releases(self) -> None:
        """The server's process is gone, and with it all that it held."""
        self._releases.clear()

    def used(self, instances: Iterable[Instance]) -> int:
        """What is really taken now."""
        return sum(self._taken(i) for i in instances) + self._held()

    def free_for_loads(self, instances: Iterable[Instance]) -> int:
        """What a guardrail leaves: it counts what is still being loaded as taken."""
        return self._scenario.vram_total_bytes - sum(i.size_bytes for i in instances) - self._held()

    def is_early(self, instance: Instance) -> bool:
        """Whether the instance is listed, and not there yet."""
        return instance.early_from is not None and self._early_part(instance.early_from) < 1

    def _taken(self, instance: Instance) -> int:
        if instance.early_from is None:
            return instance.size_bytes
        return int(instance.size_bytes * self._early_part(instance.early_from))

    def _early_part(self, since: float) -> float:
        return min(1.0, (self._clock.monotonic() - since) / self._scenario.early_seconds)

    def _held(self) -> int:
        now = self._clock.monotonic()
        self._releases = [r for r in self._releases if r.ends > now]
        return self.occupied + sum(r.held(now) for r in self._releases)
