"""Promise: a command gets no more than its share, and is told which limit it met."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lao.durable.containment import Containment
from lao.durable.sandbox.policy import Limits
from tests.durable.sandbox.cases import run

ALL = (Containment.BUBBLEWRAP, Containment.UNSHARE, Containment.LANDLOCK, Containment.NONE)
FORKS = "import os, time\nfor _ in range(60):\n    os.fork() or time.sleep(30)\nprint('all')\ntime.sleep(30)"
pytestmark = pytest.mark.parametrize("how", ALL)


@pytest.mark.parametrize(
    ("command", "limits", "told"),
    [
        (f"{sys.executable} -c 'x = bytearray(10**9)'", Limits(memory_mb=300), "sandbox.memory_mb"),
        ("head -c 5M /dev/zero > big", Limits(file_mb=2), "sandbox.file_mb"),
        (f"{sys.executable} -c 'while True: pass'", Limits(cpu_s=1), "sandbox.cpu_s"),
        (f'exec {sys.executable} -c "{FORKS}"'.replace("\n", "\\n"), Limits(processes=20), "more than 20 processes"),
    ],
)
def test_a_limit_holds_and_is_told(tmp_path: Path, how: Containment, command: str, limits: Limits, told: str) -> None:
    """G4: memory, size of files, processor time, number of processes."""
    if "fork" in command:
        (tmp_path / "forks.py").write_text(FORKS)
        command = f"exec {sys.executable} forks.py"
    result = run(command, tmp_path, how, limits=limits)
    assert not result.passed
    assert told in result.output
    assert result.seconds < 30
    assert not (tmp_path / "big").exists() or (tmp_path / "big").stat().st_size <= 2 * 1024 * 1024


def test_within_the_limits_nothing_is_told(tmp_path: Path, how: Containment) -> None:
    """A plain failure has only its own output."""
    limits = Limits(memory_mb=300, cpu_s=20, file_mb=2, processes=50, tmp_mb=10)
    assert run("echo x; exit 3", tmp_path, how, limits=limits).output == "x\n"
