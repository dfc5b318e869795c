"""A reading of free memory, the seam that gives it, and the probes that need no system of their own.

The systems' probes are in memory_linux.py, memory_apple.py and memory_gpu.py; probes.py chooses. None decides anything.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

Runner: TypeAlias = Callable[[Sequence[str]], str]
"""Runs a command and gives its standard output; raises OSError or SubprocessError."""

_COMMAND_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class MemoryReading:
    """One look at the memory, in bytes.

    Attributes:
        available_bytes: what a new model could get, or None when it cannot be told.
        swap_used_bytes: what was pushed out of memory: swap, on macOS also what the compressor holds.
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


class PsutilProbe:
    """Any other system, through psutil."""

    def read(self) -> MemoryReading:
        import psutil

        memory = psutil.virtual_memory()
        return MemoryReading(int(memory.available), int(psutil.swap_memory().used), "psutil", int(memory.total))


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
