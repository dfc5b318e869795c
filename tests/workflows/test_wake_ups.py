"""Truth first: a wake-up never names what is not in the state file yet, and a dead worker leaves no process behind."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable
from typing import Any

from huey.signals import SIGNAL_ENQUEUED

from lao.durable.owners import Owner, current_owner
from lao.state import runs
from lao.state.records import Claim
from tests.workflows.conftest import Plant
from workflows import queues
from workflows.reconciler import reconcile

Open = Callable[..., Plant]
PLAN = "# Parts\n\n" + "\n".join(f"- task: part {n} | file: part_{n}.txt | content: x" for n in (1, 2)) + "\n"


def test_a_wake_up_is_sent_after_the_commit_that_it_tells_of(plant: Open) -> None:
    """K1: whoever gets a message finds its run in the file, not blocked, on a connection of its own."""
    factory = plant()
    found: dict[int, str] = {}

    def look(_signal: str, task: Any, *_: Any) -> None:
        other = sqlite3.connect(factory.factory.settings.paths.database)
        row = other.execute("SELECT state FROM lao_run WHERE id = ?", task.args).fetchone()
        other.close()
        found.setdefault(task.args[0], row[0] if row else "not in the file")

    for huey in (queues.cpu, queues.gpu):
        huey.signal(SIGNAL_ENQUEUED)(look)
    try:
        factory.submit("p", PLAN)
        factory.turn()
    finally:
        for huey in (queues.cpu, queues.gpu):
            huey.disconnect_signal(look)
    assert factory.plans()[0]["state"] == "completed"
    assert len(found) >= 2 + 2 * 3 + 1, "ingest, plan, three phases of each task, close"
    assert set(found.values()) <= {"ready", "running", "done"}


def test_what_a_dead_worker_left_running_is_ended_before_its_run_is_woken(plant: Open) -> None:
    """K1: a command outlives the kill -9 of its worker; nothing of it writes beside the next try."""
    factory = plant()
    factory.submit("p", PLAN)
    (run_id,) = runs.runnable(factory.factory.store, lambda _o: None, 0)
    now = current_owner()
    dead = Owner(now.host, now.boot_id, now.pid, now.started + 1).to_text()
    assert isinstance(runs.claim(factory.factory.store, run_id, dead, "v"), Claim)
    marker = factory.factory.marker(run_id) + "1"
    left = subprocess.Popen(["sleep", "60"], env={**os.environ, "LAO_RUN": marker}, start_new_session=True)
    try:
        reconcile(factory.factory)
        assert left.wait(timeout=10) == -9
    finally:
        left.kill()
        left.wait()
