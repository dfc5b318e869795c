"""Free memory of graphics cards, all together: NVIDIA's driver library or ``nvidia-smi``, AMD's figures in sysfs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lao.servers.memory.reading import MemoryProbe, MemoryReading, Runner, run_command

SMALLEST_CARD_BYTES = 2 * 1024**3
"""Less is the share of an integrated GPU, which works in the system's memory."""


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


class AmdProbe:
    """Free memory of all AMD cards, from ``/sys/class/drm/card*/device/mem_info_vram_{total,used}``.

    Args:
        system: tells the swap; it also answers while no card can be read (an integrated GPU has no memory of its own).
    """

    def __init__(self, system: MemoryProbe, root: Path = Path("/sys/class/drm")) -> None:
        self._system = system
        self._root = root

    def available(self) -> bool:
        """Whether there is a card whose memory can be read."""
        return self._figures() is not None

    def read(self) -> MemoryReading:
        system = self._system.read()
        figures = self._figures()
        if figures is None:
            return system
        free, total = figures
        return MemoryReading(free, system.swap_used_bytes, "amdgpu", total)

    def _figures(self) -> tuple[int, int] | None:
        cards = []
        for device in sorted(self._root.glob("card[0-9]*/device")):
            total, used = _number(device / "mem_info_vram_total"), _number(device / "mem_info_vram_used")
            if total is not None and used is not None and total >= SMALLEST_CARD_BYTES:
                cards.append((total - used, total))
        return (sum(free for free, _ in cards), sum(total for _, total in cards)) if cards else None


def parse_nvidia_smi(text: str) -> tuple[int, int] | None:
    """Sum of free and total bytes over the devices; None without a device that tells both (``[N/A]``)."""
    rows = re.findall(r"^\s*(\d+)\s*,\s*(\d+)\s*$", text, re.M)
    if not rows:
        return None
    return sum(int(free) for free, _ in rows) * 1024**2, sum(int(total) for _, total in rows) * 1024**2


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _import_nvml() -> Any:
    import pynvml

    return pynvml
