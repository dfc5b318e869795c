"""The exercises themselves: what is given fails, what is wanted passes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lao.cli.benchmark.live import Exercise, exercises

RIGHT = {
    "tally": """
import re
from collections import Counter

def tally(text):
    return dict(Counter(re.findall(r"[^\\W_]+", text.lower())))
""",
    "spans": """
def merge(spans):
    merged = []
    for begin, end in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged
""",
    "lasting": """
import re

def seconds(text):
    found = re.fullmatch(r"(?:(\\d+)h)?(?:(\\d+)m)?(?:(\\d+)s)?", text)
    if not text or not found:
        raise ValueError(text)
    hours, minutes, rest = (int(part or 0) for part in found.groups())
    return 3600 * hours + 60 * minutes + rest
""",
    "purse": """
class Purse:
    def __init__(self, total=0):
        self.total, self.history = total, []

    def add(self, amount):
        if amount <= 0:
            raise ValueError(amount)
        self._change(amount)

    def take(self, amount):
        if amount <= 0 or amount > self.total:
            raise ValueError(amount)
        self._change(-amount)

    def _change(self, amount):
        self.total += amount
        self.history.append(amount)
""",
}


def passes(exercise: Exercise, module: str, folder: Path) -> bool:
    """Whether the exercise's tests pass on a module."""
    folder.mkdir()
    (folder / f"{exercise.name}.py").write_text(module)
    (folder / f"test_{exercise.name}.py").write_text(exercise.tests)
    command = [sys.executable, "-m", "unittest", "-q", f"test_{exercise.name}"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("exercise", exercises(), ids=lambda exercise: exercise.name)
def test_each_exercise_can_be_solved_and_is_not(exercise: Exercise, tmp_path: Path) -> None:
    """M2: its tests fail on what is given and pass on a right answer, so that "solved" says something."""
    assert not passes(exercise, exercise.module, tmp_path / "given")
    assert passes(exercise, RIGHT[exercise.name], tmp_path / "right")
