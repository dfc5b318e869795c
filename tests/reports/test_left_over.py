"""A kill in the middle of writing a report leaves nothing that git would show or that stays."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lao.reports import files
from lao.reports.read import plan_report
from lao.state.store import Store
from tests.reports import history


def test_what_a_killed_writer_left_is_unseen_by_git_and_goes(store: Store, tmp_path: Path) -> None:
    """I2 K3: the next report sweeps it; until then the work tree counts as clean."""
    plan = history.morning(store, tmp_path / "w")
    report = plan_report(store, plan)
    files.publish(report, tmp_path / ".lao")
    workspace = Path(report.workspace)
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = workspace / f".lao-{dead.pid}-0123456789ab.tmp"
    left.write_text("half a rep")
    shown = subprocess.run(
        ["git", "status", "--porcelain"], cwd=workspace, capture_output=True, text=True, check=True
    ).stdout
    assert left.name not in shown
    files.publish(report, tmp_path / ".lao")
    assert not left.exists()
