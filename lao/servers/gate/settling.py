"""When memory has come back far enough for the next model. Pure arithmetic on readings; room.py does the waiting."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lao.config.settings import MemoryGateSettings
from lao.servers.gate.needs import Need
from lao.servers.memory.reading import MemoryReading

WHOLE_DEVICE = 0.9
"""A model larger than the device is spread over it and system memory; all it can ask for is an empty device. A
need that was only reckoned may be too large by as much."""

STEADY_BYTES = 64 * 1024**2
"""Readings that differ by less show a memory that has settled."""


@dataclass(frozen=True)
class Demand:
    """What must be true before a load.

    Attributes:
        size_bytes: file size of the next model, 0 when unknown.
        unloaded: how many instances were unloaded for it.
        unloaded_bytes: what they took together, as far as known.
    """

    need: Need
    size_bytes: int
    unloaded: int = 0
    unloaded_bytes: int = 0

    def relaxed(self) -> Demand:
        """The same with the smaller figure, where there is one."""
        count = self.need.otherwise or self.need.count
        return replace(self, need=replace(self.need, count=count, measured=False))


def shortfall(before: MemoryReading, now: MemoryReading, demand: Demand, limits: MemoryGateSettings) -> str:
    """What is missing, in words; "" when the next model may be loaded.

    Enough is that the next model's need is free. Where the need is a guess, it is also enough that the unloaded models'
    memory is back (to ``release_fraction``) and the next model's weights fit into what is free. Where no reading is
    possible, nothing is missing.
    """
    if now.available_bytes is None:
        return ""
    grown = now.swap_used_bytes - before.swap_used_bytes
    if grown > limits.swap_growth_limit_mb * 1024**2:
        return f"swap grew by {gigabytes(grown)}, at most {limits.swap_growth_limit_mb} MB is allowed"
    exact = demand.need.measured and not larger_than_device(demand.need, now)
    need = demand.need.count if exact else _capped(demand.need.count, now)
    if need and now.available_bytes >= need:
        return ""
    released = 0 if before.available_bytes is None else now.available_bytes - before.available_bytes
    wanted = limits.release_fraction * _capped(demand.unloaded_bytes, now)
    back = released >= wanted or wanted < STEADY_BYTES  # less than other programs take and give back
    weights_fit = now.available_bytes >= _capped(demand.size_bytes, now)
    if demand.need.guess and demand.unloaded and back and weights_fit:
        return ""
    if need:
        free = f"{gigabytes(now.available_bytes)} is free ({now.source})"
        return f"{free}, {gigabytes(need)} is needed ({demand.need.how})"
    if not demand.unloaded or back:
        return ""
    return f"{gigabytes(released)} came back ({now.source}), {gigabytes(wanted)} is awaited"


def larger_than_device(need: Need, reading: MemoryReading) -> bool:
    """Whether no waiting can make room."""
    return bool(reading.total_bytes) and need.count > reading.total_bytes


def fell(before: MemoryReading, now: MemoryReading) -> bool:
    """Whether free memory is still going down."""
    return _change(before, now) < -STEADY_BYTES


def steady(before: MemoryReading, now: MemoryReading) -> bool:
    """Whether two readings of one source show the same."""
    return before.source == now.source and abs(_change(before, now)) <= STEADY_BYTES


def gigabytes(count: float) -> str:
    """Bytes for people: ``"17.2 GB"``."""
    return f"{count / 1e9:.1f} GB"


def _change(before: MemoryReading, now: MemoryReading) -> int:
    if before.available_bytes is None or now.available_bytes is None:
        return 0
    return now.available_bytes - before.available_bytes


def _capped(count: float, reading: MemoryReading) -> float:
    return min(count, WHOLE_DEVICE * reading.total_bytes) if reading.total_bytes else count
