"""Joules that this machine used, from counters of the GPU driver (NVML) or of the kernel (RAPL). Estimates nothing.

Where no counter can be read there is no figure: None, never 0. A counter counts for the whole device, whoever uses it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol

from lao.core.clock import Clock
from lao.durable.threads import Thread

LOOK_S: Final = 60.0
"""How often a counter that wraps is read: at 300 W a package's 262 kJ are full after a quarter of an hour."""

_MOST_WATTS: Final = 2000.0
"""More than any processor package draws: a wrap that would mean more is a counter that began anew."""


@dataclass(frozen=True)
class Counter:
    """A device's energy since some moment, in joules. ``wraps_at``: where it begins anew at 0; None: never."""

    joules: float
    wraps_at: float | None = None


Readings = Mapping[str, Counter]
"""Counters by device; empty when nothing can be read."""


class Counters(Protocol):
    """A source of energy figures. ``name`` is for people."""

    @property
    def name(self) -> str: ...

    def read(self) -> Readings: ...


class NvmlCounters:
    """Every NVIDIA device that tells its energy (Volta and later), since the driver was loaded.

    Args:
        load: gives the ``pynvml`` module (nvidia-ml-py); raises ImportError when it is not installed.
    """

    name = "nvml"

    def __init__(self, load: Callable[[], Any] | None = None) -> None:
        self._load = load or _import_nvml

    def read(self) -> Readings:
        try:
            nvml = self._load()
        except ImportError:
            return {}
        try:
            nvml.nvmlInit()
        except (nvml.NVMLError, OSError):
            return {}
        try:
            return {f"gpu {n}": c for n in range(int(nvml.nvmlDeviceGetCount())) if (c := _of_device(nvml, n))}
        except nvml.NVMLError:
            return {}
        finally:
            nvml.nvmlShutdown()


def _of_device(nvml: Any, number: int) -> Counter | None:
    """None when the device has no such counter; a driver tells millijoules."""
    try:
        handle = nvml.nvmlDeviceGetHandleByIndex(number)
        return Counter(int(nvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3)
    except nvml.NVMLError:
        return None


class RaplCounters:
    """The processor packages, from ``/sys/class/powercap/intel-rapl:N`` (AMD's too); often only root may read them."""

    name = "rapl"

    def __init__(self, root: Path = Path("/sys/class/powercap")) -> None:
        self._root = root

    def read(self) -> Readings:
        found: dict[str, Counter] = {}
        try:
            for zone in sorted(self._root.glob("intel-rapl:*")):
                # intel-rapl:0:1 is a part of package 0 and counted in it; psys is the sum of all
                if zone.name.count(":") == 1 and (name := _line(zone / "name")).startswith("package"):
                    energy, limit = (int(_line(zone / file)) / 1e6 for file in ("energy_uj", "max_energy_range_uj"))
                    found[name] = Counter(energy, limit)
        except (OSError, ValueError):  # without one of the packages it would be too little
            return {}
        return found


def _line(path: Path) -> str:
    return path.read_text(encoding="ascii", errors="replace").strip()


def counters_for(base_url: str, choices: tuple[Counters, ...] | None = None) -> Counters | None:
    """The first source that can be read: GPUs, else processor packages; None for a server on another machine."""
    from lao.servers.rest import is_local

    if not is_local(base_url):
        return None
    return next((c for c in choices or (NvmlCounters(), RaplCounters()) if c.read()), None)


class Measurement:
    """What the counters have counted since the beginning. Thread-safe.

    A counter that is missing, shrinks without wrapping, or does not move at all leaves no figure.
    """

    def __init__(self, counters: Counters, clock: Clock) -> None:
        self._counters, self._clock = counters, clock
        self._lock = threading.Lock()
        self._last: Readings = MappingProxyType(dict(counters.read()))
        self._at = clock.monotonic()
        self._joules: float | None = 0.0 if self._last else None

    @property
    def source(self) -> str:
        """Which devices are counted, by what."""
        return f"{self._counters.name} {', '.join(self._last)}" if self._last else self._counters.name

    @property
    def wraps(self) -> bool:
        return any(counter.wraps_at for counter in self._last.values())

    def joules(self) -> float | None:
        """Read once more; the joules so far."""
        return self.counted() or None

    def counted(self) -> float | None:
        """The same, but 0.0 as long as the counters have not moved."""
        self.look()
        return self._joules

    def look(self) -> None:
        """Add what was counted since the last look."""
        with self._lock:
            if self._joules is None:
                return
            now, at = self._counters.read(), self._clock.monotonic()
            steps = [_step(self._last[name], now.get(name), at - self._at) for name in self._last]
            whole = now.keys() == self._last.keys() and None not in steps
            self._joules = self._joules + sum(step or 0.0 for step in steps) if whole else None
            self._last, self._at = now if whole else self._last, at


def _step(before: Counter, after: Counter | None, seconds: float) -> float | None:
    if after is None:
        return None
    step = after.joules - before.joules
    if step >= 0:
        return step
    step += after.wraps_at or 0.0
    return step if 0 <= step <= _MOST_WATTS * max(seconds, 1.0) else None


@contextmanager
def measuring(counters: Counters, clock: Clock) -> Iterator[Measurement]:
    """A measurement; within the block, counters that wrap are looked at often enough to see it."""
    measurement = Measurement(counters, clock)
    if not measurement.wraps:
        yield measurement
        return
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_S):
            measurement.look()

    thread = Thread(watch, name="lao-energy")
    thread.start()
    try:
        yield measurement
    finally:
        over.set()
        thread.join()


def _import_nvml() -> Any:
    import pynvml

    return pynvml
