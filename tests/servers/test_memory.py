"""The memory probes on output as the systems print it."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lao.servers.memory.apple import MacProbe, parse_swapusage, parse_vm_stat, wired_limit
from lao.servers.memory.gpu import AmdProbe, NvidiaProbe, parse_nvidia_smi
from lao.servers.memory.linux import LinuxProbe
from lao.servers.memory.probes import system_probe
from lao.servers.memory.reading import MemoryReading, PsutilProbe, UnknownProbe

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
Pages stored in compressor:              412340.
Pages occupied by compressor:            102400.
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
    assert LinuxProbe(path, tmp_path).read() == MemoryReading(
        20480000 * 1024, 388604 * 1024, "meminfo", 32768000 * 1024
    )


def test_linux_without_the_file(tmp_path: Path) -> None:
    """An unreadable file means that the memory cannot be told, not that there is none."""
    assert LinuxProbe(tmp_path / "none").read().available_bytes is None


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({"memory.max": "max\n", "memory.current": "5\n"}, 20480000 * 1024),
        ({"memory.max": "99999999999\n", "memory.current": "5\n"}, 20480000 * 1024),
        ({"memory.max": "8000000000\n", "memory.current": "3000000000\n"}, 5_000_000_000),
        (
            {
                "memory.max": "8000000000\n",
                "memory.current": "3000000000\n",
                "memory.stat": "anon 900\ninactive_file 1000000000\nactive_file 5\n",
            },
            6_000_000_000,
        ),
        ({"memory.max": "8000000000\n", "memory.current": "9000000000\n"}, 0),
    ],
)
def test_linux_container(tmp_path: Path, files: dict[str, str], left: int) -> None:
    """In a container no more is free than its limit leaves; what its cache of files holds can be had."""
    (tmp_path / "meminfo").write_text(MEMINFO)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    reading = LinuxProbe(tmp_path / "meminfo", tmp_path).read()
    assert reading.available_bytes == left
    bounded = left != 20480000 * 1024
    assert reading.total_bytes == (8_000_000_000 if bounded else 32768000 * 1024)


def mac(**outputs: str) -> MemoryReading:
    known = {
        "vm_stat": VM_STAT,
        "vm.swapusage": SWAPUSAGE,
        "hw.memsize": "34359738368\n",
        "iogpu.wired_limit_mb": "0\n",
    }
    known |= {name.replace("__", "."): text for name, text in outputs.items()}
    return MacProbe(lambda argv: known[argv[-1]]).read()


def test_mac() -> None:
    """macOS: free, inactive, speculative and purgeable pages of the header's size; the compressor counts like swap."""
    pages = 25941 + 671530 + 6815 + 19456
    swap = int(1843.25 * 1024**2) + 102400 * 16384
    assert mac() == MemoryReading(pages * 16384, swap, "vm_stat", 34359738368 * 2 // 3)


def test_mac_wired_limit() -> None:
    """No more is free than the GPU may still hold fast: the limit that was set, less what is wired."""
    reading = mac(iogpu__wired_limit_mb="8192\n")
    assert reading.available_bytes == 8192 * 1024**2 - 162003 * 16384
    assert reading.total_bytes == 8192 * 1024**2
    assert mac(iogpu__wired_limit_mb="2048\n").available_bytes == 0


def test_mac_default_limit() -> None:
    """Two thirds of the memory up to 36 GB, three quarters above; unknown stays unknown."""
    gib = 1024**3
    assert wired_limit(36 * gib, 0) == 24 * gib
    assert wired_limit(64 * gib, 0) == 48 * gib
    assert wired_limit(0, 0) == 0


def test_mac_with_broken_commands() -> None:
    """A command that fails makes the figure unknown, and raises nothing."""

    def fails(argv: Sequence[str]) -> str:
        raise subprocess.TimeoutExpired(list(argv), 5)

    assert MacProbe(fails).read() == MemoryReading(None, 0, "vm_stat", 0)


@pytest.mark.parametrize("text", ["", "Pages free: 12.", "(page size of 4096 bytes)"])
def test_vm_stat_of_another_form(text: str) -> None:
    """Output without page size or free pages gives no figure instead of a wrong one."""
    assert "free" not in parse_vm_stat(text)
    assert mac(vm_stat=text).available_bytes is None


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


def card(root: Path, name: str, total: str, used: str) -> None:
    device = root / name / "device"
    device.mkdir(parents=True)
    (device / "mem_info_vram_total").write_text(total)
    (device / "mem_info_vram_used").write_text(used)


def test_amd(tmp_path: Path) -> None:
    """AMD: free memory of all cards in sysfs; an integrated GPU's small share and what is no card do not count."""
    gib = 1024**3
    card(tmp_path, "card0", f"{16 * gib}\n", f"{gib}\n")
    card(tmp_path, "card1", f"{8 * gib}\n", f"{8 * gib}\n")
    card(tmp_path, "card2", f"{gib // 2}\n", "0\n")
    (tmp_path / "card0-DP-1").mkdir()
    probe = AmdProbe(Fixed(), tmp_path)
    assert probe.available()
    assert probe.read() == MemoryReading(15 * gib, 7, "amdgpu", 24 * gib)


def test_no_amd_is_no_error(tmp_path: Path) -> None:
    """No folder, an integrated GPU only, or figures that are none: the system's figures."""
    assert AmdProbe(Fixed(), tmp_path / "none").read() == Fixed().read()
    card(tmp_path, "card0", "536870912\n", "1\n")
    card(tmp_path, "card1", "N/A\n", "\n")
    assert not AmdProbe(Fixed(), tmp_path).available()
    assert AmdProbe(Fixed(), tmp_path).read() == Fixed().read()


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
