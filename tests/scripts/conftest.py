"""Two made-up exercises on disk: the scripted coder of the simulated server solves the one and not the other."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

SOLVED = "two-fer"
UNSOLVED = "adder"

RIGHT_ADDER = "def adder(a, b):\n    return a + b\n"


@pytest.fixture
def exercises(tmp_path: Path) -> Path:
    """A folder with ``two-fer`` (the function returns its own name, as the scripted coder writes it) and ``adder``."""
    folder = tmp_path / "exercises"
    write(folder, SOLVED, "def two_fer():\n    pass\n", 'assert two_fer() == "two_fer"')
    write(folder, UNSOLVED, "def adder(a, b):\n    pass\n", "assert adder(1, 2) == 3")
    return folder


def write(folder: Path, name: str, stub: str, check: str) -> None:
    module = name.replace("-", "_")
    (folder / name).mkdir(parents=True)
    files = {
        "instructions.md": f"# Instructions\n\nWrite the function `{module}`. Cost: $5 {{braces}}.\n",
        f"{module}.py": stub,
        f"{module}_test.py": f"from {module} import {module}\n\n\ndef test_it():\n    {check}\n",
        "solution.py": "SECRET = 1\n",
    }
    for file, text in files.items():
        (folder / name / file).write_text(text)


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
