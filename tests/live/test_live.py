"""Runs against a real model server: LAO_LIVE_URL and LAO_LIVE_MODEL (one small model in all roles). Not in CI.

LAO_LIVE_URL=http://127.0.0.1:1234 LAO_LIVE_MODEL=qwen2.5-coder-1.5b python -m pytest -m live tests/live
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.durability.factory_run import Project, kill_group
from tests.durability.test_processes import status, until

pytestmark = pytest.mark.live

PLAN = Path(__file__).with_name("text_tools.md")
TERMINAL = {"completed", "failed", "needs_human"}


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Project]:
    """A project on the real server."""
    url, model = os.environ["LAO_LIVE_URL"], os.environ["LAO_LIVE_MODEL"]
    root = tmp_path / "project"
    (root / "plans").mkdir(parents=True)
    role = {"key": model, "context_length": 8192, "max_completion": 1500, "supports_json_schema": True}
    document = {
        "lm_studio_base_url": url,
        "models": {name: {**role, "supports_tools": False} for name in ("planner", "coder", "reviewer")},
        "orchestration": {"retry_cooldown_base_s": 0, "retry_cap_validation": 4},
    }
    (root / "factory.yaml").write_text(yaml.safe_dump(document))
    yield Project(root, None)  # type: ignore[arg-type]  # the server is not ours


def evidence(root: Path) -> list[tuple[str, int | None]]:
    import sqlite3

    connection = sqlite3.connect(root / ".lao" / "state.db")
    try:
        return connection.execute("SELECT command, exit_code FROM lao_validation").fetchall()
    finally:
        connection.close()


def test_a_plan_of_three_tasks_ends_with_evidence(live: Project) -> None:
    """The spine on a real model: unattended to a terminal state, every completed task with its passing command."""
    (live.root / "plans" / "text_tools.md").write_text(PLAN.read_text())
    done = live.lao("run", "--single-run", timeout=1500)
    assert done.returncode in (0, 3, 4), done.stderr
    shown = status(live)
    assert shown["tasks"]
    assert {t["state"] for t in shown["tasks"]} <= TERMINAL
    commands = [line.split("`")[1] for line in PLAN.read_text().splitlines() if line.startswith("Test:")]
    passed = {command for command, code in evidence(live.root) if code == 0}
    if shown["plans"][0]["state"] == "completed":
        assert passed >= set(commands)


def test_a_kill_in_the_middle_costs_one_call(live: Project, tmp_path: Path) -> None:
    """K2 on a real model: kill -9 while it generates; the next run goes on from the journal."""
    (live.root / "plans" / "text_tools.md").write_text(PLAN.read_text())
    run = live.start("run", "--single-run", log=tmp_path / "log")
    until(lambda: status(live)["calls"]["model"] >= 2, 600)
    before = status(live)["calls"]["model"]
    kill_group(run)
    again = live.lao("run", "--single-run", timeout=1500)
    assert again.returncode in (0, 3, 4), again.stderr
    assert status(live)["calls"]["model"] >= before


def test_stopping_frees_the_server(live: Project, tmp_path: Path) -> None:
    """E5: SIGTERM hangs up on the running generation, and lao run ends within fifteen seconds."""
    (live.root / "plans" / "text_tools.md").write_text(PLAN.read_text())
    run = live.start("run", "--single-run", log=tmp_path / "log")
    until(lambda: [r for r in status(live)["running"] if r["phase"] == "code"], 600)
    run.send_signal(signal.SIGTERM)
    try:
        assert run.wait(timeout=15) == 130
    finally:
        kill_group(run)


def test_health_and_demo_use_the_real_server(live: Project) -> None:
    """A6 M1: health finds the model; the demo takes the real server and says so."""
    assert live.lao("health").returncode == 0
    url = os.environ["LAO_LIVE_URL"]
    demo = subprocess.run(
        [sys.executable, "-m", "lao", "demo", "--json", "--lm-studio-url", url], cwd=live.root, env=live.environment(),
        capture_output=True, text=True, timeout=1500, check=False,
    )  # fmt: skip
    shown = json.loads(demo.stdout)
    assert shown["simulated"] is False
    assert {t["state"] for t in shown["tasks"]} <= TERMINAL
