"""Rules that drive lao/state as workers, crashes and people do, beside the reference; invariants after every rule.

A drawn number chooses among what is possible at the moment (modulo), so that every example is used and shrinks well.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lao.core.clock import FakeClock
from lao.core.errors import AttemptFailed, NeedsHuman, Terminal
from lao.core.states import PLAN_MOVES, RUN_MOVES, TASK_MOVES, Phase, PlanState, RunState, TaskState
from lao.core.steps import StepKind
from lao.core.words import Json, TaskSpec
from lao.state import journal, pipeline, plans, recovery, runs
from lao.state.records import Claim
from lao.state.tables import DependencyRow, PlanRow, RunRow, StepRow, TaskRow, WorkerRow
from lao.state.transitions import LostClaim
from tests.durability.reference import ENDED, OVER, Key, Plan
from workflows import failures
from workflows.close import judge
from workflows.factory import Factory

PICK = st.sampled_from(range(12))
WAY = st.sampled_from(range(120))
NEEDS = st.lists(st.sets(st.integers(0, 3)), min_size=1, max_size=4)
ERRORS = {"attempt": AttemptFailed, "terminal": Terminal, "person": NeedsHuman}
PARKED = {"terminal": "failed", "person": "needs_human"}
BAD = ("attempt", "terminal", "person")
WAYS: dict[str, tuple[str, ...]] = {
    "ingest": ("well", *BAD),
    "plan": ("well", *BAD),
    "code": ("well", "well", "again", "climb", "split", "park", *BAD),
    "verify": ("well", "well", "well", "red", "red", *BAD),
    "review": ("well", "well", "reject", "reject", "reject", "refused", "park", *BAD),
    "whole": ("well", "moved", *BAD),
    "close": ("well", *BAD),
}
FILES = ("a.py", "b.py", "c.py")
HERE, ELSEWHERE = ("gpu", "cpu"), "elsewhere"
CAPS = {"coder_failures": 2, "verify_failures": 2, "rejections": 3, "attempts": 3}
MOVES: dict[str, tuple[type[Any], Any]] = {
    "lao_plan": (PlanState, PLAN_MOVES),
    "lao_task": (TaskState, TASK_MOVES),
    "lao_run": (RunState, RUN_MOVES),
}
tally: Counter[str] = Counter()
"""How often each rule, and each outcome of a phase, really happened: a run that tries nothing proves nothing."""


def watch_moves(db: Any) -> None:
    """Note every change of a state or an epoch, whoever makes it, beside LAO's own check."""
    db.execute_sql("PRAGMA synchronous = 0")  # no power is cut here
    db.execute_sql("CREATE TEMP TABLE moves (what TEXT, id TEXT, old TEXT, new TEXT, raised INTEGER)")
    for table in MOVES:
        db.execute_sql(
            f"CREATE TEMP TRIGGER watch_{table} AFTER UPDATE OF state, epoch ON {table} "
            f"BEGIN INSERT INTO moves VALUES ('{table}', new.id, old.state, new.state, new.epoch - old.epoch); END"
        )


@dataclass
class Held:
    """A claim as its worker sees it; ``standing`` is what a close found when it began."""

    claim: Claim
    worker: str
    plan: str
    key: Key
    standing: list[tuple[str, int]]
    steps: int = 0


class Pipeline(RuleBasedStateMachine):
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

    @precondition(lambda self: self.plans)
    @rule(pick=PICK)
    def submit_again(self, pick: int) -> None:
        plan = list(self.plans)[pick % len(self.plans)]
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
        """A finished step: recorded once, and it clears the strikes."""
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
        self.clock._now += seconds

    @precondition(lambda self: self.held)
    @rule()
    def heartbeat(self) -> None:
        runs.renew(self.store, [held.claim for held in self.held])

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

    # how phases end

    @precondition(lambda self: self.held)
    @rule(pick=PICK, how=WAY, needs=NEEDS)
    def finish(self, pick: int, how: int, needs: list[set[int]]) -> None:
        """A phase ends in one of all the ways that it can."""
        held = self.held[pick % len(self.held)]
        ways = WAYS[held.key[1]]
        self.finish_as(held, ways[how % len(ways)], needs)

    @rule(pick=PICK, how=WAY, needs=NEEDS, place=st.sampled_from(HERE))
    def work(self, pick: int, how: int, needs: list[set[int]], place: str) -> None:
        """A phase is claimed and ends, with nothing in between."""
        rows = self.ready()
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

    def finish_as(self, held: Held, how: str, needs: list[set[int]]) -> None:
        self.held.remove(held)
        self.stale.append(held)
        model = self.plans[held.plan]
        tally[f"{held.key[1]}: {how}"] += 1
        if how in ERRORS:
            failures.end_run(self.factory, held.claim, ERRORS[how]("no"))
            self.consequence(model, held.key, how)
        else:
            with runs.finishing(self.store, held.claim, RunState.DONE) as now:
                model.runs[held.key].state = "done"
                getattr(self, held.key[1])(held, model, how, now, needs)
        for other in [h for h in self.held if self.plans[h.plan].runs[h.key].state == "skipped"]:
            self.held.remove(other)  # of a plan that is over
            self.stale.append(other)

    def consequence(self, model: Plan, key: Key, how: str) -> None:
        """What the rules say of a phase that ended with an error."""
        number, phase, attempt = key
        model.runs[key].state = "failed"
        if number is not None and how == "attempt":
            counter = "coder_failures" if phase == "code" else "rejections"
            model.retry_task(number, counter, min(2, CAPS["attempts"]))
        elif number is not None:
            model.end_task(number, PARKED[how])
        elif phase == "whole":
            model.unblock(key)
        elif phase == "close" and any(t.state not in OVER for t in model.tasks):
            return
        elif how == "attempt" and attempt < CAPS["attempts"]:
            model.next_phase(phase)
        else:
            model.end(PARKED.get(how, "failed"))

    def ingest(self, held: Held, model: Plan, _how: str, now: float, _needs: object) -> None:
        pipeline.next_plan_run(held.plan, Phase.PLAN, now)
        model.next_phase("plan")

    def plan(self, held: Held, model: Plan, _how: str, now: float, needs: list[set[int]]) -> None:
        graph = [{n for n in each if n < number} for number, each in enumerate(needs)]
        specs = [
            TaskSpec(f"t{n}", f"t{n}", (FILES[n % 3], FILES[sum(each) % 3]), tuple(f"t{m}" for m in sorted(each)))
            for n, each in enumerate(graph)
        ]
        pipeline.add_tasks(held.plan, specs, now)
        model.add_tasks(graph)

    def code(self, held: Held, model: Plan, how: str, now: float, _needs: object) -> None:
        task, number = held.claim.run.task_id, held.key[0]
        assert task is not None and number is not None
        notes: dict[str, Json] = {"base": 1}
        if how == "well":
            pipeline.unblock_successors(held.claim.run.id, now)
            model.unblock(held.key)
        elif how == "again":
            pipeline.begin_again(task, now, ladder=notes, reason=how)
            model.again(number, counted=False)
        elif how == "climb":
            pipeline.climb_ladder(task, now, ladder=notes, reason=how)
            model.again(number, counted=True)
        elif how == "split":
            parts = [TaskSpec(f"{task} part {n} of attempt {held.key[2]}", "", (FILES[n],)) for n in range(2)]
            pipeline.split_task(task, now, parts=parts, ladder=notes, reason=how)
            model.split(number, len(parts))
        else:
            pipeline.park_unsolved(task, now, ladder=notes, diagnosis=how)
            model.tasks[number].counts["verify_failures"] += 1
            model.end_task(number, "needs_human")

    def verify(self, held: Held, model: Plan, how: str, now: float, _needs: object) -> None:
        task, number = held.claim.run.task_id, held.key[0]
        assert task is not None and number is not None
        if how == "well":
            pipeline.pass_verification(task, held.claim.run.id, now, early=self.early)
            pipeline.check_whole_early(held.plan, now)
            model.passed(held.key, self.early)
            model.check_whole()
        else:
            self.retry(task, now, "verify_failures")
            model.retry_task(number, "verify_failures", CAPS["verify_failures"])

    def retry(self, task: int, now: float, counter: str) -> None:
        cap = CAPS[counter]
        pipeline.retry_or_fail(task, now, counter=counter, cap=cap, feedback=["x"], reason="x", cooldown_s=3)

    def review(self, held: Held, model: Plan, how: str, now: float, _needs: object) -> None:
        task, number = held.claim.run.task_id, held.key[0]
        assert task is not None and number is not None
        if how == "well":
            pipeline.complete_task(task, now, early=self.early)
            model.complete(number, self.early)
        elif how == "reject":
            cap = CAPS["rejections"]
            pipeline.reject(task, now, early=self.early, counter="rejections", cap=cap, feedback=[], reason="x")
            model.reject(number, self.early, cap)
        elif how == "refused":
            self.retry(task, now, "verify_failures")
            model.retry_task(number, "verify_failures", CAPS["verify_failures"])
        else:
            pipeline.end_task(task, TaskState.NEEDS_HUMAN, now, how)
            model.end_task(number, "needs_human")

    def whole(self, held: Held, model: Plan, how: str, now: float, _needs: object) -> None:
        pipeline.unblock_successors(held.claim.run.id, now)
        model.unblock(held.key)
        if how == "moved":
            pipeline.check_whole_early(held.plan, now)
            model.check_whole()

    def close(self, held: Held, model: Plan, _how: str, now: float, _needs: object) -> None:
        standing = [(t.state, t.attempts) for t in model.tasks]
        if pipeline.open_tasks(held.plan) or standing != held.standing:
            pipeline.close_if_over(held.plan, now)
            model.close_if_over()
            return
        state, reason = judge([TaskState(s) for s, _ in standing], ())
        pipeline.end_plan(held.plan, state, now, reason)
        model.end(state.value)

    # what must hold

    @invariant()
    def the_state_is_what_the_rules_say(self) -> None:
        found, right = self.shown(), {plan: model.seen() for plan, model in self.plans.items()}
        wrong = [(found.get(plan), right.get(plan)) for plan in {*found, *right} if found.get(plan) != right.get(plan)]
        assert not wrong, "in the file, and by the rules:\n" + "\n".join(f"{a}\n{b}" for a, b in wrong)

    def shown(self) -> dict[str, tuple[object, ...]]:
        sql = self.store.db.execute_sql
        tasks: dict[str, list[tuple[object, ...]]] = {plan: [] for plan in self.plans}
        phases: dict[str, dict[Key, str]] = {plan: {} for plan in self.plans}
        fields = "plan_id, state, attempts, recheck, coder_failures, verify_failures, rejections"
        for plan, *rest in sql(f"SELECT {fields} FROM lao_task ORDER BY plan_id, seq"):
            tasks[plan].append(tuple(rest))
        joined = "FROM lao_run r LEFT JOIN lao_task t ON t.id = r.task_id"
        for plan, seq, phase, attempt, state in sql(f"SELECT r.plan_id, seq, phase, attempt, r.state {joined}"):
            assert (seq, phase, attempt) not in phases[plan], "one run for each phase of an attempt"
            phases[plan][seq, phase, attempt] = state
        states = dict(sql("SELECT id, state FROM lao_plan"))
        return {plan: (states[plan], tasks[plan], phases[plan]) for plan in states}

    @invariant()
    def only_legal_moves_were_made(self) -> None:
        for what, row, old, new, raised in self.store.db.execute_sql("SELECT * FROM moves").fetchall():
            kind, moves = MOVES[what]
            assert kind(new) in moves[kind(old)], f"{what} {row}: {old} to {new}"
            assert raised == 1, f"{what} {row}: {old} to {new} without a new epoch"
            tally["moves"] += 1
        self.store.db.execute_sql("DELETE FROM moves")

    @invariant()
    def what_is_open_is_on_its_way(self) -> None:
        for model in self.plans.values():
            states = {key: run.state for key, run in model.runs.items()}
            working = [key for key, state in states.items() if state in ("ready", "running")]
            if model.state in OVER:
                assert not working and "blocked" not in states.values(), "an ended plan has no open runs"
                assert all(t.state in OVER for t in model.tasks), "an ended plan has no open tasks"
                continue
            assert working, "an open plan has something to do"
            for key, run in model.runs.items():
                assert run.state != "blocked" or states[run.after] in ("ready", "running", "blocked"), key
            for number, task in enumerate(model.tasks):
                self.task_is_on_its_way(model, number, task.state)

    def task_is_on_its_way(self, model: Plan, number: int, state: str) -> None:
        task = model.tasks[number]
        mine = [run.state for key, run in model.runs.items() if key[0] == number and run.state in ("ready", "running")]
        if state == "waiting":
            assert not mine and task.needs, "what waits waits for a task"
            assert all(model.tasks[n].state not in ENDED for n in task.needs), "nothing waits for what is over"
        elif state not in OVER:
            assert len(mine) == 1, "an open task has one phase to do"
        else:
            assert not mine, "a task that is over has nothing to do"

    @invariant()
    def what_is_completed_was_reviewed(self) -> None:
        for model in self.plans.values():
            for number, task in enumerate(model.tasks):
                if task.state == "completed":
                    done = {key[1:] for key, run in model.runs.items() if key[0] == number and run.state == "done"}
                    assert ("verify", task.attempts) in done, "its last attempt was verified"
                    assert any(phase == "review" for phase, _ in done), "it was reviewed"

    @invariant()
    def attempts_are_counted_once(self) -> None:
        for model in self.plans.values():
            for number, task in enumerate(model.tasks):
                begun = {key[2] for key in model.runs if key[0] == number}
                assert begun == set(range(1, task.attempts + 1))

    def teardown(self) -> None:
        """Without further faults every plan comes to its end."""
        if not self.plans:
            return
        self.crash((*HERE, ELSEWHERE))
        self.clock._now += 7200
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
            self.clock._now += 60
