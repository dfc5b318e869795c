"""K1: what the workers do for the state file while they run: witness, backup a day, end on damage, wait for space."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable

import pytest
from huey.exceptions import CancelExecution, RetryTask

from lao.core.clock import FakeClock
from lao.core.errors import StateDamaged, Terminal
from lao.core.states import Phase, Role
from lao.servers.gate.gate import GateOutcome
from lao.state import backups, guard, runs
from tests.workflows.conftest import Plant
from tests.workflows.test_frame import PLAN, READY, coding
from workflows import phases
from workflows.frame import perform
from workflows.guard import BACKUP_EVERY_S, NEVER_IDLE_S, Guard
from workflows.services import keep_alive
from workflows.work import Outcome, Work

Open = Callable[..., Plant]


def backups_of(plant: Plant) -> tuple[backups.Backup, ...]:
    return backups.every(plant.factory.store.path)


def somebody_writes(plant: Plant) -> None:
    other = sqlite3.connect(plant.factory.store.path)
    with other:
        other.execute("UPDATE lao_plan SET reason = reason || '.'")
    other.close()


def test_what_others_commit_is_witnessed_at_the_next_look(plant: Open) -> None:
    """A log that is lost after a crash is then noticed; an idle factory writes nothing."""
    factory = plant()
    factory.submit("p", PLAN)
    path = factory.factory.store.path
    watch = Guard(factory.factory)
    watch.look()
    assert guard.witness(path) is None, "nothing since the guard began"
    somebody_writes(factory)
    watch.look()
    assert guard.witness(path) == factory.factory.store.marked() == 1
    watch.look()
    assert guard.witness(path) == 1
    somebody_writes(factory)
    watch.look()
    assert guard.witness(path) == 2


def test_a_backup_a_day_when_nothing_is_left_to_do(plant: Open) -> None:
    """While work waits there is none for two days; of a state that has not changed there is no second one."""
    clock = FakeClock()
    factory = plant(clock=clock)
    watch = Guard(factory.factory)
    watch.look()
    assert backups_of(factory) == (), "nothing that could be lost"
    factory.submit("p", PLAN)
    watch.look()
    assert backups_of(factory) == (), "a plan waits for a worker"
    factory.turn()
    watch.look()
    assert len(backups_of(factory)) == 1
    somebody_writes(factory)
    clock.wait(BACKUP_EVERY_S / 2)
    watch.look()
    assert len(backups_of(factory)) == 1, "half a day"
    clock.wait(BACKUP_EVERY_S / 2 + 1)
    watch.look()
    assert len(backups_of(factory)) == 2
    clock.wait(BACKUP_EVERY_S + 1)
    watch.look()
    assert len(backups_of(factory)) == 2, "nothing has changed"
    factory.submit("q", PLAN.replace("Parts", "More"))
    somebody_writes(factory)
    watch.look()
    assert len(backups_of(factory)) == 2, "work waits"
    clock.wait(NEVER_IDLE_S)
    watch.look()
    assert len(backups_of(factory)) == 3, "never idle: in the middle of work"
    assert all(backups.problem_of(found.path) is None for found in backups_of(factory))


def test_a_worker_ends_on_a_damaged_state_and_leaves_the_run(plant: Open) -> None:
    """Nothing is parked, failed or written: the file is restored first, then the run goes on."""
    factory = plant()
    run_id = coding(factory)
    before = runs.get(factory.factory.store, run_id)

    def damaged(_work: Work) -> Outcome:
        raise StateDamaged("state is damaged", "restore it")

    with pytest.raises(CancelExecution):
        perform(Phase.CODE, run_id, damaged, READY)
    assert factory.factory.damaged is not None
    assert factory.factory.stop.is_set()
    after = runs.get(factory.factory.store, run_id)
    assert before is not None
    assert after is not None
    assert (after.state.value, after.attempt) == ("running", before.attempt)


def test_only_a_state_that_is_damaged_ends_the_worker(plant: Open) -> None:
    """SQLite's word for a damaged file may be about the queue's file; the state is looked at before it is given up."""
    factory = plant().factory
    error = sqlite3.DatabaseError("database disk image is malformed")
    assert not factory.is_damaged(error)
    assert not factory.stop.is_set()
    factory.store.db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    size = factory.store.path.stat().st_size
    with factory.store.path.open("r+b") as file:
        for page in range(1, size // 4096):
            file.seek(page * 4096)
            file.write(os.urandom(4096))

    def service(_factory: object) -> None:
        raise error

    keep_alive(service, factory, pause_s=0)
    assert factory.damaged is not None
    assert factory.damaged.exit_code == 42


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), Terminal("no"), ZeroDivisionError()])
def test_a_run_whose_end_cannot_be_written_yet_is_given_back_later(plant: Open, error: Exception) -> None:
    """No room (or a lock) under the state itself: a run left with this living worker would wait for ever."""
    opened = plant()
    run_id, factory = coding(opened), opened.factory
    holder = sqlite3.connect(factory.store.path, isolation_level=None)
    factory.store.db.execute_sql("PRAGMA busy_timeout = 1")

    def body(_work: Work) -> Outcome:
        holder.execute("BEGIN IMMEDIATE")
        raise error

    class Freed(FakeClock):
        """Writing works again after the third wait."""

        def wait(self, seconds: float) -> None:
            super().wait(seconds)
            if len(self.waits) == 3:
                holder.execute("ROLLBACK")

    factory.clock = freed = Freed()
    with pytest.raises((RetryTask, CancelExecution, ZeroDivisionError)):
        perform(Phase.CODE, run_id, body, READY)
    holder.close()
    assert len(freed.waits) == 3
    run = runs.get(factory.store, run_id)
    assert run is not None
    assert run.state.value == ("failed" if isinstance(error, Terminal) else "ready")


def test_a_reservation_is_given_back_also_when_that_cannot_be_written_yet(
    plant: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No room while a model is loaded: a run that this living worker has reserved for ever is never woken again."""
    opened = plant()
    run_id, factory = coding(opened), opened.factory
    holder = sqlite3.connect(factory.store.path, isolation_level=None)
    factory.store.db.execute_sql("PRAGMA busy_timeout = 1")
    load = factory.ensure_resident

    def ensure_resident(role: Role, run_id: int | None = None) -> GateOutcome:
        outcome = load(role, run_id)
        holder.execute("BEGIN IMMEDIATE")
        return outcome

    class Freed(FakeClock):
        def wait(self, seconds: float) -> None:
            super().wait(seconds)
            if holder.in_transaction and len(self.waits) > 2:
                holder.execute("ROLLBACK")

    monkeypatch.setattr(factory, "ensure_resident", ensure_resident)
    factory.clock, factory.last_resident = Freed(), ""
    phases._prepare(factory, Role.CODER, run_id)
    holder.close()
    assert runs.runnable(factory.store, lambda _owner: True, 0) == (run_id,)
