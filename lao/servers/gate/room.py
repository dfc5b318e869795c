"""Waits until there is room for the next model, or for less of its context. The sums are in settling.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lao.core.errors import OutOfMemory
from lao.core.words import Json
from lao.servers.gate.needs import Needs
from lao.servers.gate.settling import Demand, larger_than_device, shortfall
from lao.servers.gate.visit import Means, Visit
from lao.servers.memory.reading import MemoryReading
from lao.servers.protocol import LoadedModel, ModelInfo

_HINT = "close what uses the memory, choose a smaller model or context, or change memory_gate in factory.yaml"


@dataclass(frozen=True)
class Room:
    """There is room.

    Attributes:
        contexts: what to ask for, and what to ask for when the server refuses that.
        reading: the memory before the load.
    """

    contexts: tuple[int | None, ...]
    reading: MemoryReading


class RoomMaker:
    """The waiting of one gate."""

    def __init__(self, means: Means, needs: Needs) -> None:
        self._means = means
        self._needs = needs

    def wait(
        self,
        visit: Visit,
        info: ModelInfo,
        ladder: tuple[int | None, ...],
        before: MemoryReading,
        unloaded: Sequence[tuple[ModelInfo, LoadedModel]],
        granted: int | None = None,
    ) -> Room:
        """Wait for room for the first context of ``ladder``; for less when its time is over or no time could help.

        Args:
            ladder: contexts, the largest first.
            before: the memory before anything was unloaded.
            granted: the context that the model had to do with the last time; more is taken when it fits at once.

        Raises:
            OutOfMemory: there is no room for the smallest either, after ``settle_timeout_s``.
        """
        demands = [self._demand(info, context, unloaded) for context in ladder]
        now = self._means.probe.read() if unloaded else before
        patient = self._first(ladder, demands, now, granted)
        now, lack = self._settle(visit, before, now, demands[patient])
        limits = self._means.settings.memory_gate
        fits = [not shortfall(before, now, demand, limits) for demand in demands]
        if True not in fits:
            fits = [not shortfall(before, now, demand.relaxed(), limits) for demand in demands]
            if True not in fits:
                raise OutOfMemory(f"no room for model {visit.key!r} after {visit.waited_s:.0f} s: {lack}", _HINT)
            visit.tell("gate.doubt", f"{visit.key} is tried although {lack}: that figure is not certain")
        if unloaded:
            text = f"enough memory is free after {visit.waited_s:.1f} s"
            visit.tell("gate.released", text, seconds=visit.waited_s, **_figures(now, demands[patient]))
        return Room(ladder[fits.index(True) :], now)

    def _demand(
        self, info: ModelInfo, context: int | None, unloaded: Sequence[tuple[ModelInfo, LoadedModel]]
    ) -> Demand:
        took = sum(self._needs.took(owner, instance.context_length) for owner, instance in unloaded)
        return Demand(self._needs.of(info, context), self._needs.size_of(info), len(unloaded), took)

    def _first(
        self, ladder: tuple[int | None, ...], demands: list[Demand], now: MemoryReading, granted: int | None
    ) -> int:
        """Which of the ladder to wait for: what it had last, and nothing that the device cannot hold at all."""
        last = len(ladder) - 1
        at = 0
        while at < last and larger_than_device(demands[at].need, now):
            at += 1
        while at < last and granted is not None and (ladder[at] or 0) > granted:
            at += 1
        return at

    def _settle(
        self, visit: Visit, before: MemoryReading, now: MemoryReading, demand: Demand
    ) -> tuple[MemoryReading, str]:
        """Look until nothing is missing, for ``settle_timeout_s``; the last reading and what is still missing."""
        limits, clock = self._means.settings.memory_gate, self._means.clock
        started = clock.monotonic()
        while lack := shortfall(before, now, demand, limits):
            left = limits.settle_timeout_s - visit.waited_s
            if left <= 0:
                break
            text = f"waiting for memory for {visit.key}: {lack}"
            visit.tell("gate.wait", text, seconds=visit.waited_s, **_figures(now, demand))
            clock.wait(max(0.01, min(limits.poll_interval_s, left)))
            visit.waited_s = visit.since(started)
            now = self._means.probe.read()
        return now, lack


def _figures(now: MemoryReading, demand: Demand) -> dict[str, Json]:
    return {
        "available_bytes": now.available_bytes,
        "swap_used_bytes": now.swap_used_bytes,
        "source": now.source,
        "size_bytes": demand.size_bytes,
        "need_bytes": demand.need.count,
        "unloaded_bytes": demand.unloaded_bytes,
    }
