"""Promise: joules come from a counter that was read at both ends, or there are none."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from lao.core.clock import FakeClock
from lao.servers import energy
from lao.servers.energy import Counter, Measurement, NvmlCounters, RaplCounters, Readings, counters_for, measuring

RANGE_J = 262_143.328850
HERE, ELSEWHERE = "http://127.0.0.1:1234", "http://192.0.2.1:1234"


class Zones:
    """A /sys/class/powercap of two packages; ``set`` turns a counter."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.zone("intel-rapl:0", "package-0", 1_000_000)
        self.zone("intel-rapl:1", "package-1", 5_000_000)
        self.zone("intel-rapl:0:0", "core", 400_000)
        self.zone("intel-rapl:2", "psys", 9_000_000)
        self.zone("intel-rapl-mmio:0", "package-0", 7_000_000)

    def zone(self, folder: str, name: str, energy_uj: int) -> None:
        (self.root / folder).mkdir()
        (self.root / folder / "name").write_text(f"{name}\n")
        (self.root / folder / "max_energy_range_uj").write_text(f"{round(RANGE_J * 1e6)}\n")
        self.set(folder, energy_uj)

    def set(self, folder: str, energy_uj: object) -> None:
        (self.root / folder / "energy_uj").write_text(f"{energy_uj}\n")


@pytest.fixture
def zones(tmp_path: Path) -> Zones:
    return Zones(tmp_path)


class NVMLError(Exception):
    """As in nvidia-ml-py."""


class NVMLError_NotSupported(NVMLError):  # noqa: N801 - the library's spelling
    """As in nvidia-ml-py."""


@dataclass
class Driver:
    """Stands for the driver behind ``pynvml``: millijoules by device; None is a device without a counter."""

    millijoules: list[int | None]
    starts: bool = True
    open: int = 0

    def module(self) -> ModuleType:
        found = ModuleType("pynvml")
        functions = (
            self.nvmlInit,
            self.nvmlShutdown,
            self.nvmlDeviceGetCount,
            self.nvmlDeviceGetHandleByIndex,
            self.nvmlDeviceGetTotalEnergyConsumption,
        )
        for function in functions:
            setattr(found, function.__name__, function)
        found.NVMLError = NVMLError  # type: ignore[attr-defined]
        return found

    def nvmlInit(self) -> None:
        if not self.starts:
            raise NVMLError("driver not loaded")
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.millijoules)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        assert self.open
        return index

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: int) -> int:
        told = self.millijoules[handle]
        if told is None:
            raise NVMLError_NotSupported("not supported")
        return told


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Driver]:
    """Two devices, installed as the ``pynvml`` that LAO imports."""
    found = Driver([5_000, 90_000])
    monkeypatch.setitem(sys.modules, "pynvml", found.module())
    yield found
    assert found.open == 0, "every nvmlInit has its nvmlShutdown"


def test_gpus_count_in_millijoules(driver: Driver) -> None:
    """The joules of all devices between the two readings; the source names them."""
    measured = Measurement(NvmlCounters(), FakeClock())
    driver.millijoules[:] = [6_500, 90_250]
    assert measured.joules() == pytest.approx(1.75)
    assert measured.source == "nvml gpu 0, gpu 1"
    assert not measured.wraps


def test_a_device_without_a_counter_is_not_counted(driver: Driver) -> None:
    """An older card beside the one with the counter: the source says which one is counted."""
    driver.millijoules[0] = None
    measured = Measurement(NvmlCounters(), FakeClock())
    driver.millijoules[1] = 91_000
    assert measured.joules() == pytest.approx(1.0)
    assert measured.source == "nvml gpu 1"


@pytest.mark.parametrize("after", [[6_000, None], [6_000], [4_000, 95_000], [5_000, 90_000]])
def test_no_figure_of_a_counter_that_fails_on_the_way(driver: Driver, after: list[int | None]) -> None:
    """A device that stops telling or is gone, a counter that shrinks or does not move: none, not what is left."""
    measured = Measurement(NvmlCounters(), FakeClock())
    driver.millijoules = after
    assert measured.joules() is None
    driver.millijoules = [9_000, 99_000]
    assert measured.joules() is None or after == [5_000, 90_000]


def test_a_driver_that_does_not_start_gives_nothing(driver: Driver) -> None:
    """No driver at the beginning, or none any more at the end."""
    measured = Measurement(NvmlCounters(), FakeClock())
    driver.starts = False
    assert measured.joules() is None
    assert NvmlCounters().read() == {}
    assert Measurement(NvmlCounters(), FakeClock()).joules() is None


def test_without_the_library_there_are_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """nvidia-ml-py is optional."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert NvmlCounters().read() == {}


def test_packages_are_added_and_their_parts_are_not(zones: Zones) -> None:
    """RAPL: the packages; not the cores within them, not psys, not the second interface to the same counter."""
    measured = Measurement(RaplCounters(zones.root), FakeClock())
    assert measured.source == "rapl package-0, package-1"
    zones.set("intel-rapl:0", 3_000_000)
    zones.set("intel-rapl:1", 5_500_000)
    for other in ("intel-rapl:0:0", "intel-rapl:2", "intel-rapl-mmio:0"):
        zones.set(other, 90_000_000)
    assert measured.joules() == pytest.approx(2.5)


def test_a_counter_that_wraps_goes_on(zones: Zones) -> None:
    """At max_energy_range_uj a package's counter begins anew; several wraps are seen by looking in between."""
    clock = FakeClock()
    zones.set("intel-rapl:0", round((RANGE_J - 100) * 1e6))
    measured = Measurement(RaplCounters(zones.root), clock)
    assert measured.wraps
    clock.wait(60)
    zones.set("intel-rapl:0", 200_000_000)
    measured.look()
    clock.wait(60)
    zones.set("intel-rapl:0", 50_000_000)
    assert measured.joules() is None, "a second wrap within a minute would be four kilowatts: it began anew"
    clock.wait(60)
    zones.set("intel-rapl:0", round((RANGE_J - 100) * 1e6))
    again = Measurement(RaplCounters(zones.root), clock)
    clock.wait(60)
    zones.set("intel-rapl:0", 200_000_000)
    assert again.joules() == pytest.approx(300.0)


@pytest.mark.parametrize("what", ["gone", "garbage", "package gone"])
def test_no_figure_where_a_package_cannot_be_read(zones: Zones, what: str) -> None:
    """Unreadable (as for anyone but root), no number, or no longer there: none, at the start and at the end."""
    measured = Measurement(RaplCounters(zones.root), FakeClock())
    zones.set("intel-rapl:0", 2_000_000)
    if what == "garbage":
        zones.set("intel-rapl:1", "x")
    else:
        (zones.root / "intel-rapl:1" / "energy_uj").unlink()
    if what == "package gone":
        for file in ("name", "max_energy_range_uj"):
            (zones.root / "intel-rapl:1" / file).unlink()
        (zones.root / "intel-rapl:1").rmdir()
    assert measured.joules() is None
    if what != "package gone":
        assert RaplCounters(zones.root).read() == {}


def test_a_machine_without_counters_has_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither driver nor powercap: no source, so that nothing is measured at all."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert counters_for(HERE, (NvmlCounters(), RaplCounters(tmp_path / "none"))) is None


def test_the_gpu_comes_before_the_processor(driver: Driver, zones: Zones) -> None:
    """The GPU's own counter where there is one, else the packages; this machine's counters say nothing of a server on
    another machine."""
    choices = (NvmlCounters(), RaplCounters(zones.root))
    assert counters_for(HERE, choices) is choices[0]
    driver.millijoules[:] = [None, None]
    assert counters_for(HERE, choices) is choices[1]
    assert counters_for(ELSEWHERE, choices) is None


class Wrapping:
    """A counter of 1000 J that turns by 400 J a reading; ``enough`` is set when it was read often."""

    name = "wrapping"

    def __init__(self, often: int) -> None:
        self._often, self._reads = often, 0
        self.enough = threading.Event()

    def read(self) -> Readings:
        self._reads += 1
        if self._reads == self._often:
            self.enough.set()
        return {"x": Counter(400.0 * (self._reads - 1) % 1000, 1000.0)}


def test_a_long_phase_is_looked_at_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the block a thread reads a counter that wraps, and ends with the block."""
    monkeypatch.setattr(energy, "LOOK_S", 0.01)
    counters = Wrapping(often=6)
    with measuring(counters, FakeClock()) as measurement:
        assert counters.enough.wait(30)
        assert (measurement.joules() or 0) >= 400 * 5
    reads = counters._reads
    assert measurement.joules() == pytest.approx(400.0 * reads)
