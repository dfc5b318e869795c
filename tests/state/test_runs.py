"""Claims, fences, leases and recovery."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lao.core.clock import FakeClock
from lao.core.errors import BadInput, DiskFull, Refused, Transient
from lao.core.states import Phase, RunState
from lao.core.words import Finding, Severity
from lao.state import ledger, recovery, runs, waits
from lao.state.runs import NotClaimed
from lao.state.store import Store, explain, open_store
from lao.state.tables import MetaRow, RunRow
from lao.state.transitions import LostClaim
from tests.state.pipeline_steps import hand_in, planned, ready_run, spec, take


def dead(_owner: str) -> bool:
    return False


def alive(_owner: str) -> bool:
    return True


def test_a_run_is_claimed_once(store: Store) -> None:
    """K4: the second claim of a running run is refused; a done run says so, for its chain to go on."""
    hand_in(store)
    run_id = ready_run(Phase.INGEST)
    claim = take(store, run_id)
    again = runs.claim(store, run_id, "owner-2", "test")
    assert isinstance(again, NotClaimed)
    assert again.kind == "no"
    with runs.finishing(store, claim, RunState.DONE):
        pass
    done = runs.claim(store, run_id, "owner-2", "test")
    assert isinstance(done, NotClaimed)
    assert done.kind == "done"


def test_a_fenced_out_worker_changes_nothing(store: Store) -> None:
    """K4: after recovery gave the run to another, the first owner's finish is dropped with all that it wrote."""
    hand_in(store)
    run_id = ready_run(Phase.INGEST)
    zombie = take(store, run_id)
    assert [r.id for r in recovery.recover(store, dead).freed] == [run_id]
    take(store, run_id, "owner-2")
    with pytest.raises(LostClaim), runs.finishing(store, zombie, RunState.DONE):
        pytest.fail("the body of a lost claim must not run")
    assert RunRow.get_by_id(run_id).owner == "owner-2"


def test_what_a_failed_finish_wrote_is_rolled_back(store: Store) -> None:
    """K1: the end of a run and its consequences are one transaction."""
    hand_in(store)
    claim = take(store, ready_run(Phase.INGEST))
    with pytest.raises(RuntimeError), runs.finishing(store, claim, RunState.DONE):
        ledger.add_findings(store, claim, [Finding(Severity.MINOR, "x", "x")])
        raise RuntimeError("power gone")
    assert RunRow.get_by_id(claim.run.id).state == "running"
    assert ledger.findings_of(store) == ()


def test_dead_owners_are_known_at_once_and_foreign_ones_by_their_lease(store: Store, clock: FakeClock) -> None:
    """K1: no time is lost on a dead worker of this machine; a worker elsewhere keeps its lease."""
    hand_in(store)
    claim = take(store, ready_run(Phase.INGEST))
    assert recovery.recover(store, alive).freed == ()
    assert recovery.recover(store, lambda _o: None).freed == ()
    clock.wait(runs.LEASE_S - 1)
    runs.renew(store, [claim])
    clock.wait(runs.LEASE_S - 1)
    assert recovery.recover(store, lambda _o: None).freed == ()
    clock.wait(2)
    assert len(recovery.recover(store, lambda _o: None).freed) == 1


def test_a_lease_is_no_longer_for_a_clock_that_was_set_back(store: Store, clock: FakeClock) -> None:
    """P12: a dead worker of another machine loses its run, however far the clock went back; one that lives keeps it."""
    hand_in(store)
    claim = take(store, ready_run(Phase.INGEST))
    assert waits.shorten_leases(store) == 0
    clock.jump(-7200)
    assert waits.shorten_leases(store) == 1
    clock.wait(runs.LEASE_S - 1)
    runs.renew(store, [claim])
    assert waits.shorten_leases(store) == 0
    clock.wait(runs.LEASE_S - 1)
    assert recovery.recover(store, lambda _o: None).freed == ()
    clock.wait(2)
    assert len(recovery.recover(store, lambda _o: None).freed) == 1


def test_three_crashes_of_its_worker_alone_set_a_run_aside(store: Store) -> None:
    """K1: a phase that kills its worker (while the other worker lives) is parked at the third time."""
    hand_in(store)
    runs.register_worker(store, "cpu", "survivor", 1)
    run_id = ready_run(Phase.INGEST)
    outcomes = []
    for _ in range(3):
        take(store, run_id, "victim")
        found = recovery.recover(store, lambda owner: owner == "survivor")
        outcomes.append((len(found.freed), len(found.set_aside)))
    assert outcomes == [(1, 0), (1, 0), (0, 1)]
    assert RunRow.get_by_id(run_id).crashes == 3


def test_crashes_of_everything_count_less_and_progress_forgives_them(store: Store) -> None:
    """K1: being killed with the whole machine is not the run's fault until it has happened nine times in a row."""
    hand_in(store)
    run_id = ready_run(Phase.INGEST)
    for _ in range(8):
        claim = take(store, run_id)
        assert recovery.recover(store, dead).set_aside == ()
    claim = take(store, run_id)
    with store.write():
        runs.note_progress(claim)
    assert recovery.recover(store, dead).set_aside == ()
    for _ in range(7):
        take(store, run_id)
        assert recovery.recover(store, dead).set_aside == ()
    take(store, run_id)
    assert len(recovery.recover(store, dead).set_aside) == 1


def test_a_reserved_run_is_not_woken_twice_until_its_worker_dies(store: Store) -> None:
    """K4: while a worker loads the model for a run, the reconciler leaves the run alone."""
    planned(store, spec("a"))
    run_id = ready_run(Phase.CODE)
    runs.reserve(store, run_id, "loader")
    assert runs.runnable(store, alive, 0) == ()
    assert runs.runnable(store, dead, 0) == (run_id,)
    recovery.recover(store, dead)
    assert RunRow.get_by_id(run_id).reserved_by == ""


def test_an_interrupted_attempt_goes_before_other_tasks_of_its_plan(store: Store) -> None:
    """J1: without git, what a killed attempt left half-done is finished before another task finds it."""
    planned(store, spec("a"), spec("b"))
    first, second = (r.id for r in RunRow.select().where(RunRow.phase == "code").order_by(RunRow.id))
    take(store, first)
    recovery.recover(store, dead)
    refusal = runs.claim(store, second, "o", "test", desks=False)
    assert isinstance(refusal, NotClaimed)
    assert refusal.kind == "later"
    with runs.finishing(store, take(store, first), RunState.DONE):
        pass
    take(store, second)


def test_a_deferred_run_waits_with_its_reason(store: Store, clock: FakeClock) -> None:
    """E1: a refused gate puts the run off; it is not claimable before its time and says why."""
    planned(store, spec("a"))
    run_id = ready_run(Phase.CODE)
    runs.defer(store, run_id, until=clock.now() + 9, reason="memory is short")
    refusal = runs.claim(store, run_id, "o", "test")
    assert isinstance(refusal, NotClaimed)
    assert (refusal.kind, refusal.reason) == ("later", "memory is short")
    assert runs.runnable(store, dead, 0) == ()
    clock.wait(10)
    take(store, run_id)


def test_the_file_is_opened_with_full_durability(store: Store) -> None:
    """K1: WAL, synchronous FULL and foreign keys hold on the connection that LAO uses."""
    values = {n: store.db.execute_sql(f"PRAGMA {n}").fetchone()[0] for n in ("journal_mode", "synchronous")}
    assert values == {"journal_mode": "wal", "synchronous": 2}
    assert store.db.execute_sql("PRAGMA foreign_keys").fetchone()[0] == 1


def test_a_file_of_a_newer_schema_is_refused_untouched(tmp_path: Path) -> None:
    """Migrations: an old LAO does not write into a new file."""
    path = tmp_path / "state.db"
    store = open_store(path)
    MetaRow.update(value="99").where(MetaRow.key == "schema").execute()
    store.close()
    with pytest.raises(Refused, match="99"):
        open_store(path)


def test_a_file_that_is_no_database_is_a_clear_message(tmp_path: Path) -> None:
    """Bad input: LAO names the file and leaves it as it is."""
    path = tmp_path / "state.db"
    path.write_text("this is not a database, it is a long enough text file\n" * 50)
    before = path.read_bytes()
    with pytest.raises(BadInput, match=r"state\.db"):
        open_store(path)
    assert path.read_bytes() == before


def test_a_file_that_somebody_else_is_making_is_waited_for(tmp_path: Path, clock: FakeClock) -> None:
    """O1: two workers that start at once on a new project both start; a lock that stays is said after the time-out."""
    path = tmp_path / "state.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")

    class Releasing(FakeClock):
        """Lets go of the lock at the third wait."""

        def wait(self, seconds: float) -> None:
            super().wait(seconds)
            if len(self.waits) == 3:
                holder.execute("ROLLBACK")

    releasing = Releasing()
    open_store(path, releasing, timeout_s=0.01).close()
    assert len(releasing.waits) == 3
    holder.close()
    other = sqlite3.connect(tmp_path / "other.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Transient, match="locked"):
        open_store(tmp_path / "other.db", clock, timeout_s=0.0001)
    other.close()


def test_a_full_disk_and_a_lock_are_told_apart(tmp_path: Path) -> None:
    """Errors of SQLite become the kind that decides about retries."""
    assert isinstance(explain(sqlite3.OperationalError("database or disk is full"), tmp_path), DiskFull)
    locked = explain(sqlite3.OperationalError("database is locked"), tmp_path)
    assert isinstance(locked, Transient)
    assert not isinstance(locked, DiskFull)


def test_a_full_database_loses_nothing_that_was_acknowledged(store: Store) -> None:
    """K1: when no page can be written any more the write fails whole, and works again when there is space."""
    hand_in(store, "# One\n", "/plans/one.md")
    pages = store.db.execute_sql("PRAGMA page_count").fetchone()[0]
    store.db.execute_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskFull):
        hand_in(store, "# Big\n" + "x" * 200_000, "/plans/big.md")
    store.db.execute_sql(f"PRAGMA max_page_count = {pages + 1000}")
    hand_in(store, "# Big\n" + "x" * 200_000, "/plans/big.md")
    assert store.db.execute_sql("PRAGMA integrity_check").fetchone()[0] == "ok"
