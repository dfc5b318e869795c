"""How much memory is free for models, read from the system or the GPU driver. Decides nothing; the gate does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

Runner: TypeAlias = Callable[[Sequence[str]], str]
"""Runs a command and gives its standard output; raises OSError or SubprocessError."""

_COMMAND_TIMEOUT_S = 5.0
_UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4, "": 1}


@dataclass(frozen=True)
class MemoryReading:
    """One look at the memory, in bytes.

    Attributes:
        available_bytes: what a new model could get, or None when it cannot be told.
        source: which probe, for messages.
        total_bytes: all there is, 0 when unknown. No model can ask for more than this to be free.
    """

    available_bytes: int | None
    swap_used_bytes: int
    source: str
    total_bytes: int = 0


class MemoryProbe(Protocol):
    """Something that reads free memory."""

    def read(self) -> MemoryReading: ...


class UnknownProbe:
    """For servers whose memory cannot be seen from here."""

    def __init__(self, source: str) -> None:
        self._source = source

    def read(self) -> MemoryReading:
        return MemoryReading(None, 0, self._source)


class LinuxProbe:
    """/proc/meminfo: MemAvailable, and swap in use."""

    def __init__(self, path: Path = Path("/proc/meminfo")) -> None:
        self._path = path

    def read(self) -> MemoryReading:
        try:
            text = self._path.read_text(encoding="ascii", errors="replace")
        except OSError:
            return MemoryReading(None, 0, "meminfo")
        return parse_meminfo(text)


class MacProbe:
    """``vm_stat`` and ``sysctl vm.swapusage``; GPU and system share one memory."""

    def __init__(self, run: Runner | None = None) -> None:
        self._run = run or run_command

    def read(self) -> MemoryReading:
        available = parse_vm_stat(self._output("vm_stat"))
        total = self._output("sysctl", "-n", "hw.memsize").strip()
        swap = parse_swapusage(self._output("sysctl", "vm.swapusage"))
        return MemoryReading(available, swap, "vm_stat", int(total) if total.isdigit() else 0)

    def _output(self, *argv: str) -> str:
        try:
            return self._run(argv)
        except (OSError, subprocess.SubprocessError):
            return ""


class NvidiaProbe:
    """Free memory of all NVIDIA devices, from the driver library (nvidia-ml-py) or else from ``nvidia-smi``.

    Args:
        swap: the system's probe; it also answers where the driver cannot (devices that share the system's memory).
        load: gives the ``pynvml`` module; raises ImportError when it is not installed.
    """

    def __init__(self, swap: MemoryProbe, load: Callable[[], Any] | None = None, run: Runner | None = None) -> None:
        self._system = swap
        self._load = load or _import_nvml
        self._run = run or run_command

    def available(self) -> bool:
        """Whether there is a device whose memory can be read."""
        return self._figures() is not None

    def read(self) -> MemoryReading:
        system = self._system.read()
        figures = self._figures()
        if figures is None:
            return system
        free, total = figures
        return MemoryReading(free, system.swap_used_bytes, "nvidia", total)

    def _figures(self) -> tuple[int, int] | None:
        try:
            nvml = self._load()
        except ImportError:
            return self._from_command()
        try:
            nvml.nvmlInit()
        except (nvml.NVMLError, OSError):
            return self._from_command()
        try:
            handles = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(int(nvml.nvmlDeviceGetCount()))]
            infos = [nvml.nvmlDeviceGetMemoryInfo(handle) for handle in handles]
            return (sum(int(i.free) for i in infos), sum(int(i.total) for i in infos)) if infos else None
        except nvml.NVMLError:
            return None
        finally:
            nvml.nvmlShutdown()

    def _from_command(self) -> tuple[int, int] | None:
        query = ("nvidia-smi", "--query-gpu=memory.free,memory.total", "--format=csv,noheader,nounits")
        try:
            return parse_nvidia_smi(self._run(query))
        except (OSError, subprocess.SubprocessError):
            return None


class PsutilProbe:
    """Any other system, through psutil."""

    def read(self) -> MemoryReading:
        import psutil

        memory = psutil.virtual_memory()
        return MemoryReading(int(memory.available), int(psutil.swap_memory().used), "psutil", int(memory.total))


def system_probe(platform: str = sys.platform) -> MemoryProbe:
    """The probe for this machine: the GPU's own memory where there is an NVIDIA device, else the system's."""
    if platform == "darwin":
        return MacProbe()
    base: MemoryProbe = LinuxProbe() if platform.startswith("linux") else PsutilProbe()
    nvidia = NvidiaProbe(base)
    return nvidia if nvidia.available() else base


def parse_meminfo(text: str) -> MemoryReading:
    """The text of /proc/meminfo; lines are ``Name:  123 kB``."""
    figures = {m[1]: int(m[2]) * 1024 for m in re.finditer(r"^(\w+):\s+(\d+) kB", text, re.M)}
    available = figures.get("MemAvailable", figures.get("MemFree"))
    swap = max(0, figures.get("SwapTotal", 0) - figures.get("SwapFree", 0))
    return MemoryReading(available, swap, "meminfo", figures.get("MemTotal", 0))


def parse_vm_stat(text: str) -> int | None:
    """Bytes of free, inactive, speculative and purgeable pages; None when the text is something else."""
    size = re.search(r"page size of (\d+) bytes", text)
    pages = dict(re.findall(r"^Pages (free|inactive|speculative|purgeable):\s+(\d+)\.", text, re.M))
    if size is None or "free" not in pages:
        return None
    return int(size[1]) * sum(int(count) for count in pages.values())


def parse_swapusage(text: str) -> int:
    """Bytes in use of ``vm.swapusage: total = 2048.00M  used = 1045.25M  free = 1002.75M``; 0 when not found."""
    match = re.search(r"used = ([\d.,]+)([KMGT]?)", text)
    return int(float(match[1].replace(",", ".")) * _UNITS[match[2]]) if match else 0


def parse_nvidia_smi(text: str) -> tuple[int, int] | None:
    """Sum of free and total bytes over the devices; None without a device that tells both (``[N/A]``)."""
    rows = re.findall(r"^\s*(\d+)\s*,\s*(\d+)\s*$", text, re.M)
    if not rows:
        return None
    return sum(int(free) for free, _ in rows) * 1024**2, sum(int(total) for _, total in rows) * 1024**2


def run_command(argv: Sequence[str]) -> str:
    """Standard output of a system command in the C locale."""
    done = subprocess.run(
        list(argv),
        capture_output=True,
        text=True,
        timeout=_COMMAND_TIMEOUT_S,
        check=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    return done.stdout


def _import_nvml() -> Any:
    import pynvml

    return pynvml
