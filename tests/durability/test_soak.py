"""T18 in small: a soak of seconds, and the figures that it judges by."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.durability.soak import page, soak, too_much
from tests.durability.soak_samples import Sample, Samples

FLAT = {"run": 40.0, "cpu": 60.0, "gpu": 80.0}


def taken(grows: dict[str, float], *, files: int = 0, other_pid_at: int = -1) -> Samples:
    """A sample every ten seconds for ten minutes, growing in all by so many MB and open files."""
    found = Samples(Path())
    for n in range(60):
        memory = {name: size + grows.get(name, 0.0) * n / 59 for name, size in FLAT.items()}
        pids = {"run": 1, "cpu": 2, "gpu": 9 if n == other_pid_at else 3}
        found.taken.append(Sample(10.0 * n, pids, memory, dict.fromkeys(FLAT, 10 + files * n // 59), {"state.db": 4.0}))
    return found


def test_what_grows_is_found() -> None:
    """A leak of a worker is a violation with its size; what stays flat is none."""
    assert too_much(taken({}).stretch(0, 600), {"state.db": 4.0}) == []
    figures = taken({"gpu": 60.0}, files=100).stretch(0, 600)
    assert 30 < figures["gpu"]["growth_mb"] < 45
    found = too_much(figures, {"state.db": 64.0})
    assert [line.split()[0] for line in found] == ["gpu", "run", "cpu", "gpu", "state.db-wal"]


def test_a_stretch_with_another_process_in_it_says_nothing() -> None:
    """Growth is of processes of one age only."""
    with pytest.raises(ValueError, match="did not last"):
        taken({}, other_pid_at=30).stretch(0, 600)
    with pytest.raises(ValueError, match="too few"):
        taken({}).stretch(0, 15)


def test_a_process_is_measured(tmp_path: Path) -> None:
    """Memory and open files of this process, and the size of a log."""
    (tmp_path / "state.db-wal").write_bytes(bytes(3_000_000))
    sample = Samples(tmp_path).take(1.0, {"run": os.getpid(), "gone": 2**22 + 1})
    assert set(sample.memory) == {"run"}
    assert 5 < sample.memory["run"] < 5_000
    assert sample.files["run"] >= 3
    assert sample.wal == {"state.db": 3.0}


@pytest.mark.durability
def test_a_soak_of_seconds(tmp_path: Path) -> None:
    """P1 P2 P4 P7 P8: the short form of ``python -m tests.durability.soak``."""
    told, lines = soak(tmp_path, minutes=0.2, every_s=1.5, seed=7)
    assert told["violations"] == []
    assert told["injected"] >= 3
    assert told["plans"] >= 1
    text = page(told, lines, "the command")
    assert "## Log" in text
    assert "no more faults" in text
