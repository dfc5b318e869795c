"""Free memory of a Linux system or container: /proc/meminfo, bounded by the container's own limit (cgroup v2)."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from lao.servers.memory.reading import MemoryReading


class LinuxProbe:
    """MemAvailable and swap in use; in a container no more than what its limit leaves.

    Args:
        cgroup: a container sees its own limit at the root of this folder, ``memory.max``; a host has none there.
    """

    def __init__(self, path: Path = Path("/proc/meminfo"), cgroup: Path = Path("/sys/fs/cgroup")) -> None:
        self._path = path
        self._cgroup = cgroup

    def read(self) -> MemoryReading:
        reading = parse_meminfo(_text(self._path))
        limit = _number(_text(self._cgroup / "memory.max"))
        if limit is None or reading.available_bytes is None or limit >= reading.total_bytes:
            return reading
        used = _number(_text(self._cgroup / "memory.current")) or 0
        cache = re.search(r"^inactive_file (\d+)$", _text(self._cgroup / "memory.stat"), re.M)
        left = max(0, limit - max(0, used - (int(cache[1]) if cache else 0)))
        return replace(reading, available_bytes=min(reading.available_bytes, left), source="cgroup", total_bytes=limit)


def parse_meminfo(text: str) -> MemoryReading:
    """The text of /proc/meminfo; lines are ``Name:  123 kB``."""
    figures = {m[1]: int(m[2]) * 1024 for m in re.finditer(r"^(\w+):\s+(\d+) kB", text, re.M)}
    available = figures.get("MemAvailable", figures.get("MemFree"))
    swap = max(0, figures.get("SwapTotal", 0) - figures.get("SwapFree", 0))
    return MemoryReading(available, swap, "meminfo", figures.get("MemTotal", 0))


def _text(path: Path) -> str:
    """The file's text, "" when it cannot be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def _number(text: str) -> int | None:
    """A file with one number; None for ``max`` and for nothing."""
    return int(text) if text.strip().isdigit() else None
