"""M2: ``lao dashboard`` in a real terminal (tmux), beside ``lao run``: live, read-only, resizable, and left cleanly."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.dashboards import environment, lao
from tests.cli.terminal import NEEDS_TMUX, Tmux, tmux  # noqa: F401 - a fixture
from tests.cli.test_run_view_in_a_terminal import project

pytestmark = [NEEDS_TMUX, pytest.mark.durability]  # real workers, as those tests have


def test_live_beside_a_run(tmp_path: Path, tmux: Tmux) -> None:  # noqa: F811
    """What happens is told, what needs the person stands there with its command; Ctrl-C ends with 0 and no rows."""
    with project(tmp_path):
        tmux.start(tmp_path, "dashboard", (110, 30))
        tmux.until("Ctrl-C leaves")
        done = subprocess.run(
            lao("run", "--single-run", "--plain"), cwd=tmp_path, env=environment(), capture_output=True, timeout=200,
            check=False,
        )  # fmt: skip
        assert done.returncode == 4
        tmux.until("part 2 parked, needs a person")
        tmux.resize(60, 12)
        tmux.until("! lao status: 1 item parked")
        tmux.resize(100, 30)
        tmux.press("C-c")
        text = tmux.until("ended with 0")
    assert text.count("part 1 proved, commit ") == 1
    assert text.rstrip().endswith("ended with 0\necho")


def test_a_small_window_in_plain_letters(tmp_path: Path, tmux: Tmux) -> None:  # noqa: F811
    """20x5, no colour, ASCII: one status line."""
    with project(tmp_path, plan=False):
        tmux.start(tmp_path, "dashboard", (20, 5), "LAO_ASCII=1 NO_COLOR=1")
        assert tmux.until("o idle, drop a pla")
        tmux.press("C-c")
        tmux.until("ended with 0")


def test_once_and_written(tmp_path: Path) -> None:
    """Off a terminal it prints once; --write leaves snapshot and history beside factory.yaml; --serve --once is an
    error."""
    (tmp_path / "factory.yaml").write_text("{}\n")

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        command = lao("dashboard", *more)
        return subprocess.run(
            command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False
        )

    assert run("--write").stdout.strip() == "○ idle, workers: none"
    assert run("--write", "--json").returncode == 0
    snapshot = json.loads((tmp_path / "dashboard_snapshot.json").read_text())
    history = json.loads((tmp_path / "dashboard_history.json").read_text())
    assert (snapshot["plans"], len(history), history[1]["at"]) == ([], 2, snapshot["at"])
    assert (history[1]["plans"], history[1]["tasks"]) == ({}, {"total": 0, "completed": 0, "parked": 0})
    assert run("--serve", "--once").returncode == 2
