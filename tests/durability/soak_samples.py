"""What the processes of a soak take, sampled: memory and open files of each, and the write-ahead logs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

WARM_UP, EDGE = 0.25, 0.15
"""Parts of a stretch: what is left out at its beginning, while modules are still loaded and caches filled; and what is
compared, the first part after that with the last."""

PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass(frozen=True)
class Sample:
    """At one moment (seconds since the start): megabytes in memory and open files by process, WAL sizes in MB."""

    at: float
    pids: dict[str, int]
    memory: dict[str, float]
    files: dict[str, int]
    wal: dict[str, float]

    def text(self) -> str:
        who = ", ".join(f"{n} {self.memory[n]:.1f} MB {self.files[n]} files" for n in sorted(self.memory))
        logs = ", ".join(f"{name}-wal {size:.2f} MB" for name, size in sorted(self.wal.items()))
        return f"{who or 'no process'}; {logs or 'no write-ahead log'}"


@dataclass
class Samples:
    """All samples of a soak, and the figures of them."""

    folder: Path
    taken: list[Sample] = field(default_factory=list)

    def take(self, at: float, pids: dict[str, int]) -> Sample:
        memory: dict[str, float] = {}
        files: dict[str, int] = {}
        for name, pid in pids.items():
            with suppress(OSError, IndexError, ValueError):  # it has just ended
                pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
                files[name] = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - names, a thousand times faster
                memory[name] = pages * PAGE_MB
        wal = {}
        for name in ("state.db", "queue.db"):
            with suppress(OSError):
                wal[name] = (self.folder / f"{name}-wal").stat().st_size / 1e6
        sample = Sample(at, {n: pids[n] for n in memory}, memory, files, wal)
        self.taken.append(sample)
        return sample

    def largest_wal(self) -> dict[str, float]:
        """The largest size of each log that was seen, MB."""
        names = {name for sample in self.taken for name in sample.wal}
        return {name: round(max(s.wal.get(name, 0.0) for s in self.taken), 2) for name in sorted(names)}

    def stretch(self, begin: float, end: float) -> dict[str, dict[str, float]]:
        """By process: growth of memory and of open files in a stretch in which none was replaced.

        Raises:
            ValueError: a process was replaced in the middle of it, or there are too few samples to compare.
        """
        warm = begin + (end - begin) * WARM_UP
        taken = [s for s in self.taken if begin <= s.at <= end and len(s.memory) == 3]
        figures = {}
        for name in ("run", "cpu", "gpu"):
            if len({s.pids[name] for s in taken}) != 1:
                raise ValueError(f"the process {name!r} did not last: {sorted({s.pids[name] for s in taken})}")
            late = [s for s in taken if s.at >= warm]
            edge = max(1, round(len(late) * EDGE))
            if len(late) < 2 * edge:
                raise ValueError(f"{len(late)} samples are too few")
            figures[name] = {
                "memory_mb": round(median(s.memory[name] for s in late[-edge:]), 1),
                "growth_mb": _rise([s.memory[name] for s in late], edge),
                "files": median(s.files[name] for s in late[-edge:]),
                "more_files": _rise([float(s.files[name]) for s in late], edge),
            }
        return figures


def _rise(values: Sequence[float], edge: int) -> float:
    return round(median(values[-edge:]) - median(values[:edge]), 1)
