"""When memory has come back far enough for the next model. Pure arithmetic on readings; the gate does the waiting."""

from __future__ import annotations

from dataclasses import dataclass

from lao.config.settings import MemoryGateSettings
from lao.servers.memory import MemoryReading

NEED_FACTOR = 1.1
"""Weights plus a tenth: the context's cache and the engine's buffers. Servers tell the size of the file only."""

WHOLE_DEVICE = 0.9
"""A model larger than the device is spread over it and system memory; all it can ask for is an empty device."""


@dataclass(frozen=True)
class Demand:
    """What must be true before a load.

    Attributes:
        size_bytes: file size of the next model, 0 when unknown.
        unloaded: how many instances were unloaded for it.
        unloaded_bytes: the sum of their sizes, as far as known.
    """

    size_bytes: int
    unloaded: int = 0
    unloaded_bytes: int = 0


def shortfall(before: MemoryReading, now: MemoryReading, demand: Demand, limits: MemoryGateSettings) -> str:
    """What is missing, in words; "" when the next model may be loaded.

    Enough is: the next model's need is free, or the unloaded models' memory is back (to ``release_fraction``) and the
    next model's weights fit into what is free. Where no reading is possible, nothing is missing.
    """
    if now.available_bytes is None:
        return ""
    grown = now.swap_used_bytes - before.swap_used_bytes
    if grown > limits.swap_growth_limit_mb * 1024**2:
        return f"swap grew by {gigabytes(grown)}, at most {limits.swap_growth_limit_mb} MB is allowed"
    need, weights = _capped(demand.size_bytes * NEED_FACTOR, now), _capped(demand.size_bytes, now)
    if demand.size_bytes and now.available_bytes >= need:
        return ""
    released = 0 if before.available_bytes is None else now.available_bytes - before.available_bytes
    wanted = limits.release_fraction * _capped(demand.unloaded_bytes, now)
    back = released >= wanted
    if demand.unloaded and back and now.available_bytes >= weights:
        return ""
    if demand.size_bytes:
        return f"{gigabytes(now.available_bytes)} is free ({now.source}), {gigabytes(need)} is needed"
    if not demand.unloaded or back:
        return ""
    return f"{gigabytes(released)} came back ({now.source}), {gigabytes(wanted)} is awaited"


def gigabytes(count: float) -> str:
    """Bytes for people: ``"17.2 GB"``."""
    return f"{count / 1e9:.1f} GB"


def _capped(count: float, reading: MemoryReading) -> float:
    return min(count, WHOLE_DEVICE * reading.total_bytes) if reading.total_bytes else count
