"""The memory probes on output as the systems print it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lao.servers.memory import (
    LinuxProbe,
    MacProbe,
    MemoryReading,
    NvidiaProbe,
    PsutilProbe,
    UnknownProbe,
    parse_nvidia_smi,
    parse_swapusage,
    parse_vm_stat,
    system_probe,
)

MEMINFO = """\
MemTotal:       32768000 kB
MemFree:         1024000 kB
MemAvailable:   20480000 kB
Buffers:          512000 kB
SwapCached:            0 kB
SwapTotal:       8388604 kB
SwapFree:        8000000 kB
HugePages_Total:       0
"""
VM_STAT = """\
Mach Virtual Memory Statistics: (page size of 16384 bytes)
Pages free:                               25941.
Pages active:                            680210.
Pages inactive:                          671530.
Pages speculative:                         6815.
Pages throttled:                              0.
Pages wired down:                        162003.
Pages purgeable:                          19456.
"Translation faults":                 917234120.
Pages copy-on-write:                   39410288.
"""
SWAPUSAGE = "vm.swapusage: total = 3072.00M  used = 1843.25M  free = 1228.75M  (encrypted)\n"
NVIDIA = "22014, 24576\n 8000, 8192\n"


class FakeNvml:
    """As much of pynvml as the probe uses."""

    class NVMLError(Exception):
        pass

    def __init__(self, devices: Sequence[tuple[int, int]], fails_in: str = "") -> None:
        self.devices = devices
        self.fails_in = fails_in
        self.open = 0

    def nvmlInit(self) -> None:
        if self.fails_in == "init":
            raise self.NVMLError
        self.open += 1

    def nvmlShutdown(self) -> None:
        self.open -= 1

    def nvmlDeviceGetCount(self) -> int:
        return len(self.devices)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        if self.fails_in == "info":
            raise self.NVMLError
        free, total = self.devices[handle]
        return SimpleNamespace(free=free, total=total)


class Fixed:
    def read(self) -> MemoryReading:
        return MemoryReading(111, 7, "system", 222)


def no_command(argv: Sequence[str]) -> str:
    raise FileNotFoundError(argv[0])


def no_module() -> Any:
    raise ImportError("pynvml")


def test_linux(tmp_path: Path) -> None:
    """Linux: MemAvailable, not MemFree; swap in use; bytes."""
    path = tmp_path / "meminfo"
    path.write_text(MEMINFO)
    assert LinuxProbe(path).read() == MemoryReading(20480000 * 1024, 388604 * 1024, "meminfo", 32768000 * 1024)


def test_linux_without_the_file(tmp_path: Path) -> None:
    """An unreadable file means that the memory cannot be told, not that there is none."""
    assert LinuxProbe(tmp_path / "none").read().available_bytes is None


def test_mac() -> None:
    """macOS: free, inactive, speculative and purgeable pages of the header's size; swap of sysctl."""
    outputs = {"vm_stat": VM_STAT, "vm.swapusage": SWAPUSAGE, "hw.memsize": "34359738368\n"}
    reading = MacProbe(lambda argv: outputs[argv[-1]]).read()
    pages = 25941 + 671530 + 6815 + 19456
    assert reading == MemoryReading(pages * 16384, int(1843.25 * 1024**2), "vm_stat", 34359738368)


def test_mac_with_broken_commands() -> None:
    """A command that fails makes the figure unknown, and raises nothing."""

    def fails(argv: Sequence[str]) -> str:
        raise subprocess.TimeoutExpired(list(argv), 5)

    assert MacProbe(fails).read() == MemoryReading(None, 0, "vm_stat", 0)


@pytest.mark.parametrize("text", ["", "Pages free: 12.", "(page size of 4096 bytes)"])
def test_vm_stat_of_another_form(text: str) -> None:
    """Output without page size or free pages gives None instead of a wrong figure."""
    assert parse_vm_stat(text) is None


def test_swapusage_forms() -> None:
    """Units, a comma as decimal point, and unknown text."""
    assert parse_swapusage("vm.swapusage: total = 2,00G  used = 1,50G  free = 0,50G") == int(1.5 * 1024**3)
    assert parse_swapusage("nothing") == 0


def test_nvidia_through_the_library() -> None:
    """NVML: free memory of all devices, the system's swap, and the library is shut again."""
    nvml = FakeNvml([(20, 24), (7, 8)])
    assert NvidiaProbe(Fixed(), lambda: nvml, no_command).read() == MemoryReading(27, 7, "nvidia", 32)
    assert nvml.open == 0


def test_nvidia_through_the_command() -> None:
    """Without the library nvidia-smi tells the figures in MiB."""
    probe = NvidiaProbe(Fixed(), no_module, lambda argv: NVIDIA)
    assert probe.read() == MemoryReading(30014 * 1024**2, 7, "nvidia", 32768 * 1024**2)


@pytest.mark.parametrize("nvml", [None, FakeNvml([], ""), FakeNvml([(1, 2)], "init"), FakeNvml([(1, 2)], "info")])
def test_no_nvidia_is_no_error(nvml: FakeNvml | None) -> None:
    """No library, no driver, no device, or a device that shares the system's memory: the system's figures."""
    probe = NvidiaProbe(Fixed(), no_module if nvml is None else lambda: nvml, no_command)
    assert not probe.available()
    assert probe.read() == Fixed().read()
    assert nvml is None or nvml.open == 0


def test_nvidia_smi_without_figures() -> None:
    """``[N/A]`` is no figure."""
    assert parse_nvidia_smi("[N/A], [N/A]\n") is None


def test_system_probe_reads_something() -> None:
    """On the machine of the test the chosen probe gives a plausible figure."""
    reading = system_probe().read()
    assert reading.available_bytes is not None
    assert 0 < reading.available_bytes <= reading.total_bytes


def test_other_probes() -> None:
    """macOS gets its own probe, unknown systems psutil, and the unknown probe knows nothing."""
    assert isinstance(system_probe("darwin"), MacProbe)
    reading = PsutilProbe().read()
    assert reading.available_bytes is not None
    assert 0 < reading.available_bytes <= reading.total_bytes
    assert UnknownProbe("elsewhere").read() == MemoryReading(None, 0, "elsewhere", 0)
