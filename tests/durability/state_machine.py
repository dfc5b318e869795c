"""Rules that drive lao/state as workers, crashes and people do, beside the reference; invariants after every rule.

A drawn number chooses among what is possible at the moment (modulo), so that every example is used and shrinks well.
"""

from __future__ import annotations

from collections import Counter
from itertools import count, takewhile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from lao.core.clock import FakeClock
from lao.core.states import RunState
from lao.core.steps import StepKind
from lao.state import journal, plans, recovery, runs, waits
from lao.state.records import Claim
from lao.state.tables import DependencyRow, PlanRow, RunRow, StepRow, TaskRow, WorkerRow
from lao.state.transitions import LostClaim
from tests.durability.reference import OVER, Key, Plan
from tests.durability.state_outcomes import WAYS, Held, Outcomes, tally
from tests.durability.state_promises import Promises
from workflows import failures
from workflows.factory import Factory

PICK = st.sampled_from(range(12))
WAY = st.sampled_from(range(120))
NEEDS = st.lists(st.sets(st.integers(0, 3)), min_size=1, max_size=4)
HERE, ELSEWHERE = ("gpu", "cpu"), "elsewhere"


class Pipeline(Promises, Outcomes, RuleBasedStateMachine):
    """Two workers here and one on another machine, up to three plans."""

    factory: Factory
    clock: FakeClock

    def __init__(self) -> None:
        super().__init__()
        self.store = self.factory.store
        for table in (StepRow, DependencyRow, RunRow, TaskRow, PlanRow, WorkerRow):
            table.delete().execute()
        self.store.db.execute_sql("DELETE FROM moves")
        self.plans: dict[str, Plan] = {}
        self.texts: dict[str, str] = {}
        self.held: list[Held] = []
        self.stale: list[Held] = []
        self.epochs: set[tuple[int, int]] = set()
        self.counted: Counter[int] = Counter()
        self.number = count()
        self.alive: dict[str, str] = {}
        self.early = self.desks = False

    @initialize(early=st.booleans(), desks=st.booleans(), needs=NEEDS)
    def begin(self, early: bool, desks: bool, needs: list[set[int]]) -> None:
        """One plan has its tasks already; what comes before them is tried by the others."""
        self.early, self.desks = early, desks
        for place in (*HERE, ELSEWHERE):
            self.start_worker(place)
        self.submit()
        for _ in ("ingest", "plan"):
            self.try_claim(self.ready()[0], "cpu")
            self.finish_as(self.held[0], "well", needs)

    def start_worker(self, place: str) -> None:
        self.alive[place] = f"{place}-{next(self.number)}"
        runs.register_worker(self.store, place, self.alive[place], 1)

    def is_alive(self, owner: str) -> bool | None:
        return None if owner.startswith(ELSEWHERE) else owner in self.alive.values()

    # what people do

    @precondition(lambda self: len(self.plans) < 3)
    @rule()
    def submit(self) -> None:
        text = f"# Plan {len(self.plans)}\n"
        given = plans.submit(self.store, file=Path("/p/a.md"), text=text, options={}, workspace=Path("/w"))
        assert given.created
        self.plans[given.plan.id], self.texts[given.plan.id] = Plan(), text
        self.submit_again(given.plan.id)

    def submit_again(self, plan: str) -> None:
        text = self.texts[plan] + "  \n"
        again = plans.submit(self.store, file=Path("/p/b.md"), text=text, options={}, workspace=Path("/w"))
        assert (again.created, again.ready, again.plan.id) == (False, (), plan)

    @precondition(
        lambda self: any(p.state in OVER or any(t.state in OVER for t in p.tasks) for p in self.plans.values())
    )
    @rule(pick=PICK, all_of_them=st.booleans())
    def retry_failed(self, pick: int, all_of_them: bool) -> None:
        chosen = list(self.plans) if all_of_them else [list(self.plans)[pick % len(self.plans)]]
        number, _ = plans.retry(self.store, None if all_of_them else chosen[0])
        assert number == sum(self.plans[plan].retry() for plan in chosen)
        tally["retry_failed"] += bool(number)

    # what workers do

    def ready(self) -> list[Any]:
        return list(RunRow.select().where(RunRow.state == "ready").order_by(RunRow.id))

    def key_of(self, row: Any) -> Key:
        return (row.task.seq if row.task_id else None, row.phase, row.attempt)

    @rule(pick=PICK, place=st.sampled_from((*HERE, ELSEWHERE)))
    def claim(self, pick: int, place: str) -> None:
        rows = self.ready()
        if rows:
            self.try_claim(rows[pick % len(rows)], place)

    def try_claim(self, row: Any, place: str) -> bool:
        found = runs.claim(self.store, row.id, self.alive[place], "v", desks=self.desks)
        key, model = self.key_of(row), self.plans[row.plan_id]
        if not isinstance(found, Claim):
            begun = [
                r for p in self.plans.values() for r in p.runs.values() if r.begun and r.state in ("ready", "running")
            ]
            put_off = RunRow.select().where(RunRow.not_before > self.clock.now()).exists()
            assert found.kind == "later" and (begun or put_off), found
            tally[f"later: {found.reason}"] += 1
            return False
        assert row.not_before <= self.clock.now()
        assert (found.run.id, found.epoch) not in self.epochs, "an epoch is given away once"
        self.epochs.add((found.run.id, found.epoch))
        assert all(held.claim.run.id != found.run.id for held in self.held), "two live claims of one run"
        model.claim(key)
        standing = [(t.state, t.attempts) for t in model.tasks]
        done = len(journal.load(self.store, row.id))
        assert done == self.counted[row.id], "what was recorded is there for the next one"
        self.held.append(Held(found, self.alive[place], row.plan_id, key, standing, done))
        tally[f"claim {row.phase}"] += 1
        return True

    @precondition(lambda self: self.held)
    @rule(pick=PICK)
    def step(self, pick: int) -> None:
        """A heartbeat, and a finished step: recorded once, and it clears the strikes."""
        runs.renew(self.store, [held.claim for held in self.held])
        held = self.held[pick % len(self.held)]
        journal.record(self.store, held.claim, held.steps, StepKind.READ, "s", done=True, result=held.steps)
        held.steps += 1
        self.counted[held.claim.run.id] += 1
        assert RunRow.get_by_id(held.claim.run.id).strikes == 0

    @precondition(lambda self: self.held)
    @rule(pick=PICK, how=st.sampled_from(("stopped", "transient", "error")), wait=st.sampled_from((1, 60)))
    def release(self, pick: int, how: str, wait: float) -> None:
        held = self.held.pop(pick % len(self.held))
        later = self.clock.now() + wait if how == "transient" else 0.0
        runs.release(self.store, held.claim, not_before=later, reason=how, error=how == "error")
        self.plans[held.plan].runs[held.key].state = "ready"
        self.stale.append(held)
        tally[f"release {how}"] += 1

    @rule(pick=PICK)
    def defer(self, pick: int) -> None:
        """The gate refuses a run, or loads its model; what waited for others is called back."""
        runs.call_back(self.store, list(self.plans)[pick % len(self.plans)])
        for row in self.ready()[pick:][:1]:
            runs.reserve(self.store, row.id, self.alive["gpu"])
            if pick % 2:
                runs.defer(self.store, row.id, until=self.clock.now() + 30, reason="memory is short")

    @rule(seconds=st.sampled_from((0.5, 5, 31, 7200, -3600)))
    def clock_moves(self, seconds: float) -> None:
        (self.clock.wait if 0 < seconds < 3600 else self.clock.jump)(seconds)

    # what goes wrong

    @rule(places=st.sampled_from((("gpu",), ("cpu",), HERE, (*HERE, ELSEWHERE))))
    def crash(self, places: tuple[str, ...]) -> None:
        """kill -9 of one worker, of both, or of all: nothing is said to the state file."""
        dead = {self.alive[place] for place in places}
        self.stale += [held for held in self.held if held.worker in dead]
        self.held = [held for held in self.held if held.worker not in dead]
        for place in places:
            self.start_worker(place)
        tally["crash"] += 1

    @rule()
    def recover(self) -> None:
        """The reconciler's pass; what has crashed too often is set aside."""
        running = list(RunRow.select().where(RunRow.state == "running"))
        before = {row.id: (row.plan_id, self.key_of(row), row.crashes, row.lease_until) for row in running}
        waits.shorten_leases(self.store)
        found = recovery.recover(self.store, self.is_alive)
        freed = [run.id for run in (*found.freed, *found.set_aside)]
        ours = {held.claim.run.id: held for held in self.held}
        expected = [i for i, (_, _, _, lease) in before.items() if self.is_lost(ours.get(i), lease, i)]
        assert sorted(freed) == sorted(expected), "who is alive keeps its run, who is dead loses it"
        for run_id in freed:
            plan, key, crashes, _ = before[run_id]
            assert RunRow.get_by_id(run_id).crashes == crashes + 1, "a crash is counted once"
            self.plans[plan].runs[key].state = "ready"
            if run_id in ours:
                self.held.remove(ours[run_id])
                self.stale.append(ours[run_id])
            tally["recovered"] += 1
        for run in found.set_aside:
            self.set_aside(run.id, before[run.id][0], before[run.id][1])

    def is_lost(self, held: Held | None, lease: float, run_id: int) -> bool:
        owner = RunRow.get_by_id(run_id).owner or (held.worker if held else "")
        if not owner:  # freed by the pass that is judged: its owner is no longer there
            owner = next(h.worker for h in reversed(self.stale) if h.claim.run.id == run_id)
        return lease < self.clock.now() if owner.startswith(ELSEWHERE) else held is None

    def set_aside(self, run_id: int, plan: str, key: Key) -> None:
        failures.set_aside(self.factory, run_id, "keeps crashing")
        if RunRow.get_by_id(run_id).state == "failed":
            model = self.plans[plan]
            model.claim(key)
            self.consequence(model, key, "person")
            tally["set aside"] += 1

    @precondition(lambda self: self.stale)
    @rule(pick=PICK, what=st.sampled_from(("finish", "release", "record", "renew")))
    def stale_worker(self, pick: int, what: str) -> None:
        """A worker that has lost its claim (it slept, or was taken for dead) writes nothing."""
        lost = self.stale[pick % len(self.stale)]
        if RunRow.get_by_id(lost.claim.run.id).epoch == lost.claim.epoch:
            return  # dead, but not found out yet
        if what == "renew":
            before = RunRow.get_by_id(lost.claim.run.id).lease_until
            runs.renew(self.store, [lost.claim])
            assert RunRow.get_by_id(lost.claim.run.id).lease_until == before
        else:
            with pytest.raises(LostClaim):
                self.write_stale(lost.claim, what)
        tally["stale"] += 1

    def write_stale(self, claim: Claim, what: str) -> None:
        if what == "finish":
            with runs.finishing(self.store, claim, RunState.DONE):
                pass
        elif what == "release":
            runs.release(self.store, claim)
        else:
            journal.record(self.store, claim, 99, StepKind.READ, "s", done=True)

    @precondition(lambda self: self.held)
    @rule(pick=PICK, how=WAY, needs=NEEDS)
    def finish(self, pick: int, how: int, needs: list[set[int]]) -> None:
        """A phase ends in one of all the ways that it can."""
        held = self.held[pick % len(self.held)]
        ways = WAYS[held.key[1]]
        self.finish_as(held, ways[how % len(ways)], needs)

    @rule(drawn=st.lists(st.tuples(PICK, WAY), min_size=1, max_size=8), needs=NEEDS, place=st.sampled_from(HERE))
    def work(self, drawn: list[tuple[int, int]], needs: list[set[int]], place: str) -> None:
        """Some phases are claimed and end, in any way, one after the other."""
        for pick, how in drawn:
            rows = [row for row in self.ready() if row.not_before <= self.clock.now()]
            if rows and self.try_claim(rows[pick % len(rows)], place):
                ways = WAYS[self.held[-1].key[1]]
                self.finish_as(self.held[-1], ways[how % len(ways)], needs)

    @rule(pick=PICK, needs=NEEDS, place=st.sampled_from(HERE), times=st.integers(1, 4))
    def work_well(self, pick: int, needs: list[set[int]], place: str, times: int) -> None:
        """Some phases go well, one after the other."""
        for _ in range(times):
            rows = [row for row in self.ready() if row.not_before <= self.clock.now()]
            if rows and self.try_claim(rows[pick % len(rows)], place):
                self.finish_as(self.held[-1], "well", needs)

    def teardown(self) -> None:
        """Without further faults every plan comes to its end."""
        if not self.plans:
            return
        self.crash((*HERE, ELSEWHERE))
        for wait_s in (7200, 2 * runs.LEASE_S):  # a lease of another machine may end later still by a clock set back
            self.clock.wait(wait_s)
            self.recover()
        for _ in takewhile(lambda _: any(p.state not in OVER for p in self.plans.values()), range(400)):
            self.one_more()
            self.the_state_is_what_the_rules_say()
        assert all(p.state in OVER for p in self.plans.values()), self.shown()
        self.only_legal_moves_were_made()
        self.what_is_open_is_on_its_way()
        self.what_is_completed_was_reviewed()
        tally["ended"] += 1

    def one_more(self) -> None:
        woken = runs.runnable(self.store, self.is_alive, 0)
        if self.held:
            self.finish_as(self.held[0], "well", [set(), {0}])
        elif not any(self.try_claim(RunRow.get_by_id(run), "gpu") for run in woken):
            self.clock.wait(60)
