"""P3: what a kill costs, counted in the simulated server's own log, and how soon the next start is at work again."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lao.core.clock import SystemClock
from tests.durability.factory_run import Project, kill_group, plan_text, project
from tests.durability.test_processes import status, until
from tests.durability.test_whole_killed import query

pytestmark = pytest.mark.durability

FILES = 12
TURNS = FILES + 1
"""The simulated coder writes one file in a call, and then says that it has."""

FINISHED = 8
LATEST_S = 10.0

ANSWERS = """
SELECT 1 FROM lao_step JOIN lao_run ON lao_run.id = run_id
WHERE phase = 'code' AND kind = 'model' AND lao_step.state = 'done'
"""


def asked(factory: Project, role: str) -> int:
    """How many chats of this role have reached the server."""
    return sum(entry["kind"] == "completion" and entry["role"] == role for entry in factory.server.log)


def test_a_killed_phase_asks_one_call_again_at_most(tmp_path: Path) -> None:
    """P3: kill -9 after eight answers of thirteen: the eight come from the journal, at most the one in flight is
    asked for again."""
    files = ", ".join(f"part_{n}.txt" for n in range(1, FILES + 1))
    with project(tmp_path, first_token_s=0.3) as factory:
        (factory.root / "plans" / "many.md").write_text(f"# Many\n\n- task: all parts | files: {files} | content: x\n")
        run = factory.start("run", "--single-run", "--plain", log=tmp_path / "log")
        try:
            until(lambda: len(query(factory, ANSWERS)) >= FINISHED, 60)
        finally:
            kill_group(run)
        finished, before = len(query(factory, ANSWERS)), asked(factory, "coder")
        assert FINISHED <= finished < TURNS, "it was to be killed in the middle"
        assert finished <= before <= finished + 1
        done = factory.lao("run", "--single-run", "--plain")
        assert done.returncode == 0, done.stderr
        after = asked(factory, "coder") - before
        print(f"{finished} answers before the kill, {before} calls; {after} calls after it, {TURNS} without a kill")
        assert after == TURNS - finished
        assert status(factory)["calls"]["replayed"] >= finished
        assert [t["attempts"] for t in status(factory)["tasks"]] == [1]
        for n in range(1, FILES + 1):
            assert (factory.root / "many" / f"part_{n}.txt").read_text() == "x\n"


@pytest.mark.parametrize("phase", ["plan", "code", "review"] if os.environ.get("LAO_LAB") else ["code"])
def test_work_goes_on_within_ten_seconds_of_the_next_start(tmp_path: Path, phase: str) -> None:
    """P3: after a kill -9 of everything nobody waits for a lease: the run is claimed, and its call at the server, soon
    after the next start."""
    clock = SystemClock()
    with project(tmp_path, first_token_s=0.5) as factory:
        (factory.root / "plans" / "parts.md").write_text(plan_text(2))
        role = {"plan": "planner", "code": "coder", "review": "reviewer"}[phase]
        first = factory.start("run", "--single-run", "--plain", log=tmp_path / "log")
        try:
            until(lambda: asked(factory, role), 60)
        finally:
            kill_group(first)
        before = len(factory.server.log)
        epochs = dict(query(factory, "SELECT id, epoch FROM lao_run"))
        claimed = "SELECT id, epoch FROM lao_run WHERE state='running'"
        begun = clock.monotonic()
        second = factory.start("run", "--single-run", "--plain", log=tmp_path / "log")
        try:
            until(lambda: any(epoch > epochs.get(run, 0) for run, epoch in query(factory, claimed)), 60)
            claim_s = clock.monotonic() - begun
            until(lambda: "completion" in [entry["kind"] for entry in factory.server.log[before:]], 60)
            call_s = clock.monotonic() - begun
            assert second.wait(timeout=120) == 0
        finally:
            kill_group(second)
        print(f"killed in {phase}: first claim {claim_s:.1f} s, first call {call_s:.1f} s after the next start")
        assert call_s < LATEST_S
        assert [t["attempts"] for t in status(factory)["tasks"]] == [1, 1]
