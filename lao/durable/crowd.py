"""Counts the processes of a command while it runs: a fork bomb is ended before it fills the machine.

A limit of the system on processes counts all of a user, threads too, and not at all those of root.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Final

_PAUSE_S: Final = 0.1


class Crowd:
    """The processes below one.

    Args:
        root: its process id.
        limit: how many there may be; None watches nothing.
    """

    def __init__(self, root: int, limit: int | None) -> None:
        self._root = root
        self._limit = limit if sys.platform == "linux" else None
        self._before = _tasks() if self._limit else 0
        self._next = 0.0

    def is_too_large(self) -> bool:
        """Whether there are more than allowed now; cheap as long as the machine has not many more tasks than before."""
        if self._limit is None:
            return False
        now = time.monotonic()
        if now < self._next or _tasks() - self._before <= self._limit // 2:
            return False
        self._next = now + _PAUSE_S
        return len(descendants(self._root)) > self._limit


def descendants(root: int) -> set[int]:
    """Process ids below ``root``, without it (Linux)."""
    children: dict[int, list[int]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                fields = Path(entry.path, "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
                children.setdefault(int(fields.split()[1]), []).append(int(entry.name))
    found: set[int] = set()
    left = [root]
    while left:
        for child in children.get(left.pop(), ()):
            if child not in found:
                found.add(child)
                left.append(child)
    return found


def _tasks() -> int:
    """Processes and threads of the whole machine."""
    return int(Path("/proc/loadavg").read_text(encoding="ascii").split()[3].partition("/")[2])
