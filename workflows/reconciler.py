"""Repairs what a crash left: frees runs of dead workers, parks those that keep crashing, wakes forgotten runs."""

from __future__ import annotations

import logging
import sqlite3

from lao.core.errors import LaoError
from lao.durable.holding import owner_alive
from lao.durable.processes import kill_marked
from lao.state import recovery, runs
from lao.state.store import explain
from workflows import failures, queues
from workflows.factory import Factory
from workflows.wake import wake

log = logging.getLogger("lao")

EVERY_S = 2.0
GRACE_S = 1.5
"""A run that became ready this short ago may still get its message from the worker that made it ready."""


def reconcile(factory: Factory, grace_s: float = 0.0) -> int:
    """One pass. Returns how many runs were woken."""
    found = recovery.recover(factory.store, owner_alive)
    for run in (*found.freed, *found.set_aside):
        killed = kill_marked(factory.marker(run.id))
        log.warning("run %s (%s) was interrupted; %s leftover processes ended", run.id, run.phase.value, killed)
    for run in found.set_aside:
        for ready in failures.set_aside(factory, run.id, f"phase {run.phase.value} keeps crashing its worker"):
            wake(factory.store, ready)
    forgotten = runs.runnable(factory.store, owner_alive, grace_s)
    if not forgotten:
        return 0
    known = {run for huey in (queues.cpu, queues.gpu) for run in huey.storage.next_runs()}
    lost = [run_id for run_id in forgotten if run_id not in known]
    for run_id in lost:
        wake(factory.store, run_id)
    return len(lost)


def reconcile_forever(factory: Factory) -> None:
    """The reconciler's thread in the cpu consumer. An error of one pass is logged, and the next pass tries again."""
    while not factory.stop.wait(EVERY_S):
        try:
            woken = reconcile(factory, GRACE_S)
        except (LaoError, sqlite3.Error) as error:  # of the state, of the queue's file
            problem = explain(error, factory.settings.paths.queue)
            factory.is_damaged(error)
            log.warning("reconciler: %s", problem.message)
        else:
            if woken:
                log.info("reconciler: %s runs woken again", woken)
    factory.store.close()
