"""T12: the clock is set forward or back, by seconds or by years, while work waits, runs or sleeps.

By the ``Clock`` of one process 6 jumps, with ``LAO_LAB`` 24; by the wall clock of real workers one (``clock_jumps``
makes more).
"""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from huey.exceptions import RetryTask

from lao.core.clock import FakeClock
from lao.core.errors import Transient
from lao.core.states import Phase
from lao.durable.backoff import LONGEST_S
from lao.durable.holding import owner_alive
from lao.durable.owners import current_owner
from lao.state import backups, pipeline, recovery, runs
from lao.state.records import Claim
from lao.state.tables import RunRow
from tests.durability.clock_jumps import can_set, sweep
from tests.workflows.conftest import Plant, identity, plant  # noqa: F401  # fixtures
from workflows import queues
from workflows.frame import perform
from workflows.guard import BACKUP_EVERY_S, Guard
from workflows.reconciler import reconcile
from workflows.slots import Prepared
from workflows.work import Outcome, Work

Open = Callable[..., Plant]
HOUR, DAY = 3600, 86_400
YEARS = 3_650 * DAY
STEPS = (HOUR, 2 * HOUR, YEARS, 1, 5, 30, 90, 600, DAY, 7 * DAY, 30 * DAY, 1800)
JUMPS = tuple(sign * seconds for seconds in STEPS for sign in (1, -1))
LAB = bool(os.environ.get("LAO_LAB"))
SOME = JUMPS if LAB else tuple(sign * seconds for seconds in (2 * HOUR, YEARS, 90) for sign in (1, -1))
PLAN = "# Parts\n\n- task: part 1 | file: part_1.txt | content: x\n"
READY = Prepared("instance", 8192)


def opened(plant: Open) -> tuple[Plant, FakeClock]:  # noqa: F811
    clock = FakeClock(start=time.time())
    return plant(clock=clock), clock


def coding(factory: Plant) -> int:
    """A plan whose coder's turn it is; no message is left."""
    factory.submit("p", PLAN)
    factory.turn_until_coding()
    for huey in (queues.cpu, queues.gpu):
        huey.storage.flush_queue()
    return int(RunRow.get(RunRow.phase == "code").id)


def away(_work: Work) -> Outcome:
    raise Transient("the server is away")


def put_off(factory: Plant, clock: FakeClock, run_id: int, times: int) -> None:
    """The run fails so often that its pause has grown, and Huey has it in its schedule."""
    for _ in range(times):
        with pytest.raises(RetryTask) as later:
            perform(Phase.CODE, run_id, away, READY)
        clock.wait(later.value.delay)
    with pytest.raises(RetryTask) as later:
        perform(Phase.CODE, run_id, away, READY)
    task = queues.task_for(Phase.CODE, run_id)
    task.eta = dt.datetime.fromtimestamp(clock.now() + later.value.delay, dt.timezone.utc).replace(tzinfo=None)
    queues.gpu.add_schedule(task)


def waits_s(factory: Plant, clock: FakeClock, run_id: int, limit_s: float) -> float:
    """How long it takes until a message for a run that may be claimed is in the queue."""
    begun = clock.monotonic()
    while clock.monotonic() - begun <= limit_s:
        reconcile(factory.factory)
        for task in queues.gpu.read_schedule(dt.datetime.fromtimestamp(clock.now(), dt.timezone.utc)):
            queues.gpu.enqueue(task)
        waiting = queues.gpu.storage.sql("select count(*) from task where run = ?", (run_id,), results=True)[0][0]
        if waiting and not isinstance(runs.wanted(factory.factory.store, run_id), runs.NotClaimed):
            assert waiting <= 2, "a storm of messages"
            return clock.monotonic() - begun
        clock.wait(2.0)
    raise AssertionError(f"not woken within {limit_s} s")


@pytest.mark.parametrize("seconds", SOME)
def test_no_pause_grows_by_a_jump(plant: Open, seconds: int) -> None:  # noqa: F811
    """T12: a run that is put off goes on within the longest pause that there is, wherever the clock goes, and is woken
    once; it used to wait until the clock had come back to where it was."""
    factory, clock = opened(plant)
    run_id = coding(factory)
    put_off(factory, clock, run_id, 6)
    clock.jump(seconds)
    assert waits_s(factory, clock, run_id, LONGEST_S + 4) <= LONGEST_S + 2
    for _ in range(5):
        reconcile(factory.factory)
    ((waiting,),) = queues.gpu.storage.sql("select count(*) from task", results=True)
    assert waiting <= 2


@pytest.mark.parametrize("seconds", JUMPS if LAB else (2 * HOUR, -2 * HOUR))
def test_a_lost_message_and_a_live_worker_at_a_jump(plant: Open, seconds: int) -> None:  # noqa: F811
    """T12: a run whose message is lost is woken though it became ready in the future; no lease of a live worker is
    taken, and what it produces counts."""
    factory, clock = opened(plant)
    store = factory.factory.store
    run_id = coding(factory)
    clock.jump(seconds)
    assert waits_s(factory, clock, run_id, 10) <= 4
    claim = runs.claim(store, run_id, current_owner().to_text(), "v")
    assert isinstance(claim, Claim)
    clock.jump(-seconds)
    for _ in range(3):
        found = recovery.recover(store, owner_alive)
        assert (found.freed, found.set_aside) == ((), ())
        clock.wait(2)
    runs.renew(store, [claim])
    with runs.finishing(store, claim, runs.RunState.DONE):
        pass


@pytest.mark.parametrize("seconds", [-2 * HOUR, 2 * HOUR, -YEARS, YEARS] if LAB else [YEARS])
def test_a_backup_a_day_whatever_the_clock_says(plant: Open, seconds: int) -> None:  # noqa: F811
    """T12: the backup that is made last is the newest one, the first to be restored and the last to be thinned out,
    though one of a clock that was ahead has a later date."""
    factory, clock = opened(plant)
    factory.submit("p", PLAN)
    factory.turn()
    path = factory.factory.store.path
    watch = Guard(factory.factory)
    watch.look()
    (first,) = backups.every(path)
    clock.jump(seconds)
    for number in range(backups.KEPT + 2):
        with factory.factory.store.write():
            RunRow.update(reason=f"change {number}").execute()
        factory.factory.store.mark()
        for _ in range(9):
            clock.wait(BACKUP_EVERY_S / 4)
            watch.look()
        newest = backups.every(path)[0]
        assert backups.marked(newest) == factory.factory.store.marked()
        if number == 3:
            clock.jump(-seconds)
    kept = backups.every(path)
    assert first not in kept
    assert len(kept) == backups.KEPT
    marks = [backups.marked(backup) for backup in kept]
    assert marks == sorted(marks, reverse=True)


def test_a_cooldown_has_a_longest() -> None:
    """T12: the pause doubles with each attempt up to an hour, so that a later one can be told from a clock set back."""
    assert [pipeline.cooldown(5, n) for n in (0, 1, 2, 4)] == [5, 5, 10, 40]
    assert pipeline.cooldown(5, 500) == 3600
    assert pipeline.cooldown(7200, 3) == 7200
    assert pipeline.cooldown(0, 3) == 0


@pytest.mark.durability
@pytest.mark.skipif(not can_set(), reason="needs Linux and a C compiler to set the clock of processes")
def test_real_workers_live_through_jumps(tmp_path: Path) -> None:
    """T12: ten years back under the feet of a run that waits for its server."""
    figures = sweep(tmp_path, (-YEARS,))
    print(figures)
    assert figures["violations"] == []
    assert (figures["jumps"], figures["put_off"]) == (1, 1)
