"""A power cut while an attempt is at its desk, where nothing is synced: what is half written there is never used."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from lao.core.states import Queue
from tests.durability.factory_run import Project, kill_group, plan_text, project
from tests.durability.invariants import check
from tests.durability.test_processes import until
from workflows.supervisor import worker_command

pytestmark = pytest.mark.durability


def kill_at(factory: Project, fault: str) -> None:
    """Run both workers until one of them is killed there, and the other with it."""
    workers = [
        subprocess.Popen(
            worker_command(queue),
            cwd=factory.root,
            env=factory.environment(LAO_FAULT=fault),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for queue in Queue
    ]
    try:
        until(lambda: any(worker.poll() is not None for worker in workers), 90)
    finally:
        for worker in workers:
            kill_group(worker)


def last_intent(factory: Project) -> str:
    """The label of the step that was begun and has not ended."""
    with closing(sqlite3.connect(factory.root / ".lao" / "state.db")) as connection:
        return str(connection.execute("SELECT label FROM lao_step WHERE state='intent'").fetchone()[0])


@pytest.mark.parametrize(("nth", "label", "redone"), [(3, "tool:file_write-1", 1), (4, "land", 0)])
def test_a_desk_of_before_the_reboot(tmp_path: Path, nth: int, label: str, redone: int) -> None:
    """The attempt is made again and not counted; one that had begun to land lands what was checked."""
    with project(tmp_path) as factory:
        (factory.root / "plans" / "parts.md").write_text(plan_text(1))
        kill_at(factory, f"after_intent:kill@{nth}")
        assert last_intent(factory) == label
        (place,) = (factory.root / ".lao" / "desks").glob("run-*")
        (place / "boot").write_text("of before")
        given = (factory.root / "parts" / "LAO_PLAN.md").read_bytes()
        (place / "parts" / "LAO_PLAN.md").write_bytes(bytes(12))
        before = factory.server.stats["completions"]
        done = factory.lao("run", "--single-run", "--plain")
        assert done.returncode == 0, done.stderr
        assert (factory.root / "parts" / "LAO_PLAN.md").read_bytes() == given
        calls = 4 + redone * (before - 1)
        assert check(factory, plan="parts", tasks=1, per_plan=1, kills=0, expected_calls=calls, redone=redone) == []
