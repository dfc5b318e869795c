"""Free memory of a Mac, where GPU and system share one memory: ``vm_stat``, ``sysctl``, and the limit of Metal."""

from __future__ import annotations

import re
import subprocess

from lao.servers.memory.reading import MemoryReading, Runner, run_command

_UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4, "": 1}
_LARGER_SHARE_FROM = 36 * 1024**3
_RECLAIMABLE = ("free", "inactive", "speculative", "purgeable")


class MacProbe:
    """The smaller of what can be given away and of what the GPU may still hold fast.

    Models are wired memory, of which there may be ``iogpu.wired_limit_mb`` (0: two thirds of the memory up to 36 GB,
    three quarters above). What the compressor holds counts like swap: memory won that way is not free.
    """

    def __init__(self, run: Runner | None = None) -> None:
        self._run = run or run_command

    def read(self) -> MemoryReading:
        pages = parse_vm_stat(self._output("vm_stat"))
        memory = _number(self._output("sysctl", "-n", "hw.memsize"))
        told = _number(self._output("sysctl", "-n", "iogpu.wired_limit_mb"))
        swap = parse_swapusage(self._output("sysctl", "vm.swapusage")) + pages.get("compressor", 0)
        limit = wired_limit(memory, told)
        if "free" not in pages:
            return MemoryReading(None, swap, "vm_stat", limit)
        available = sum(pages.get(name, 0) for name in _RECLAIMABLE)
        if limit:
            available = min(available, max(0, limit - pages.get("wired", 0)))
        return MemoryReading(available, swap, "vm_stat", limit)

    def _output(self, *argv: str) -> str:
        try:
            return self._run(argv)
        except (OSError, subprocess.SubprocessError):
            return ""


def wired_limit(memory_bytes: int, told_mb: int) -> int:
    """Bytes that the GPU may hold; 0 when the memory's size is unknown and nothing was set."""
    if told_mb:
        return told_mb * 1024**2
    return memory_bytes * 3 // 4 if memory_bytes > _LARGER_SHARE_FROM else memory_bytes * 2 // 3


def parse_vm_stat(text: str) -> dict[str, int]:
    """Bytes by kind (free, inactive, speculative, purgeable, wired, compressor); empty for another text."""
    size = re.search(r"page size of (\d+) bytes", text)
    if size is None:
        return {}
    named = dict(re.findall(r"^Pages ([a-z ]+):\s+(\d+)\.", text, re.M))
    names = {"wired": "wired down", "compressor": "occupied by compressor"} | {n: n for n in _RECLAIMABLE}
    return {name: int(size[1]) * int(named[told]) for name, told in names.items() if told in named}


def parse_swapusage(text: str) -> int:
    """Bytes in use of ``vm.swapusage: total = 2048.00M  used = 1045.25M  free = 1002.75M``; 0 when not found."""
    match = re.search(r"used = ([\d.,]+)([KMGT]?)", text)
    return int(float(match[1].replace(",", ".")) * _UNITS[match[2]]) if match else 0


def _number(text: str) -> int:
    return int(text) if text.strip().isdigit() else 0
