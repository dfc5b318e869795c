"""Kill -9 of a worker at each edge of the survey: it is finished, once, and its model is asked at most once more."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from lao.core.states import Queue
from tests.durability.factory_run import kill_group, plan_text, project
from tests.durability.test_processes import until
from workflows.supervisor import worker_command

pytestmark = pytest.mark.durability

AT_INGEST = [
    "before_step:kill@5",
    "after_step:kill@5",
    "after_intent:kill@4",
    "after_apply:kill@8",
    "before_finish:kill",
]
AT_SURVEY = [
    "after_claim:kill", "before_step:kill", "after_apply:kill", "after_step:kill", "after_intent:kill",
    "after_apply:kill@4", "after_step:kill@5", "before_finish:kill", "after_finish:kill",
]  # fmt: skip


def git(workspace: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=workspace, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("queue", "fault"), [*((Queue.CPU, f) for f in AT_INGEST), *((Queue.GPU, f) for f in AT_SURVEY)]
)
def test_killed_in_the_survey(tmp_path: Path, queue: Queue, fault: str) -> None:
    """K1 K2 D1: nothing is lost or done twice: one report, one commit for each of its two states, one call at most."""
    with project(tmp_path) as factory:
        workspace = factory.root / "parts"
        workspace.mkdir()
        (workspace / "given.py").write_text("def given():\n    return 1\n")
        (factory.root / "plans" / "parts.md").write_text(plan_text(1))
        workers = {
            q: subprocess.Popen(
                worker_command(q),
                cwd=factory.root,
                env=factory.environment(**({"LAO_FAULT": fault} if q is queue else {})),
                start_new_session=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for q in Queue
        }
        try:
            until(lambda: workers[queue].poll() is not None, 180)
            assert workers[queue].poll() == -9, "the point was not hit"
        finally:
            for worker in workers.values():
                kill_group(worker)
        done = factory.lao("run", "--single-run", "--plain", timeout=400)
        assert done.returncode == 0, done.stderr
        calls = [e.get("role") for e in factory.server.log if e["kind"] == "completion"]
    assert 1 <= calls.count("analyst") <= 2
    assert len(calls) <= 5 + 1  # analyst, planner, twice the coder, reviewer; and one for the kill
    report = json.loads((workspace / "analyst_report.json").read_text())
    assert report["report_meta"]["model_part"]["status"] == "answered"
    assert git(workspace, "status", "--porcelain") == ""
    steps = Counter(git(workspace, "log", "--format=%(trailers:key=LAO-Step,valueonly,separator=%x2C)").split())
    assert set(steps.values()) == {1}
    assert sum("/survey/" in step or "/analyst/" in step for step in steps) == 2
