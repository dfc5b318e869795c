"""Repairs what a crash left: frees runs of dead workers, parks those that keep crashing, wakes forgotten runs, writes
reports that are missing, and what the log of decisions lacks."""

from __future__ import annotations

import logging
import sqlite3

from lao.core.errors import LaoError
from lao.durable.backoff import LONGEST_S
from lao.durable.holding import owner_alive
from lao.durable.processes import kill_marked
from lao.state import pauses, plans, recovery, runs, waits
from lao.state.store import explain
from workflows import failures, queues, reporting
from workflows.decisions import write_log
from workflows.factory import Factory
from workflows.wake import wake

log = logging.getLogger("lao")

EVERY_S = 2.0
GRACE_S = 1.5
"""A run that became ready this short ago may still get its message from the worker that made it ready."""


def reconcile(factory: Factory, grace_s: float = 0.0) -> int:
    """One pass. Returns how many runs were woken."""
    waits.shorten_leases(factory.store)
    write_log(factory)
    found = recovery.recover(factory.store, owner_alive)
    for run in (*found.freed, *found.set_aside):
        killed = kill_marked(factory.marker(run.id))
        log.warning("run %s (%s) was interrupted; %s leftover processes ended", run.id, run.phase.value, killed)
    for run in found.set_aside:
        for ready in failures.set_aside(factory, run.id, f"phase {run.phase.value} keeps crashing its worker"):
            wake(factory.store, ready)
    return wake_forgotten(factory, grace_s)


def wake_forgotten(factory: Factory, grace_s: float = 0.0) -> int:
    """Wake the runs that are ready and have no message; returns how many.

    Args:
        grace_s: spare those that became ready this short ago.
    """
    base_s = factory.settings.orchestration.retry_cooldown_base_s
    waits.end_impossible(factory.store, longest_s=LONGEST_S, cooldown_base_s=base_s)
    forgotten = runs.runnable(factory.store, owner_alive, grace_s)
    if not forgotten:
        return 0
    by = factory.clock.now() + LONGEST_S
    known = {run for huey in (queues.cpu, queues.gpu) for run in huey.storage.next_runs(by)}
    lost = [run_id for run_id in forgotten if run_id not in known]
    for run_id in lost:
        wake(factory.store, run_id)
    return len(lost)


def tell_pauses(factory: Factory, told: dict[str, float]) -> dict[str, float]:
    """Log what has been paused and resumed since ``told``; returns what is paused now (``lao.state.pauses.every``)."""
    now = pauses.every(factory.store)
    for plan_id in sorted(now.keys() - told.keys()):
        log.info("PAUSED: %s; what is at work ends its phase, nothing new is begun", _name(factory, plan_id))
    for plan_id in sorted(told.keys() - now.keys()):
        log.info("no longer paused: %s", _name(factory, plan_id))
    return now


def _name(factory: Factory, plan_id: str) -> str:
    return plans.get(factory.store, plan_id).name if plan_id else "all plans"


def reconcile_forever(factory: Factory) -> None:
    """The reconciler's thread in the cpu consumer. An error of one pass is logged, and the next pass tries again."""
    told: dict[str, float] = {}
    made: dict[str, str] = {}
    while not factory.stop.wait(EVERY_S):
        try:
            told = tell_pauses(factory, told)
            woken = reconcile(factory, GRACE_S)
            reporting.refresh(factory, made)
        except (LaoError, sqlite3.Error) as error:  # of the state, of the queue's file
            problem = explain(error, factory.settings.paths.queue)
            factory.is_damaged(error)
            log.warning("reconciler: %s", problem.message)
        else:
            if woken:
                log.info("reconciler: %s runs woken again", woken)
    factory.store.close()
