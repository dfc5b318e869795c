"""A report of any state that the pipeline can leave is made without an error, and all it says follows from rows."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from lao.core.clock import FakeClock
from lao.core.states import TERMINAL_PLANS, Phase, PlanState, RunState, TaskState
from lao.core.words import CommandResult, Finding, Severity, TaskSpec
from lao.reports import quality
from lao.reports.html import night_page, plan_page
from lao.reports.markdown import night_markdown, plan_markdown
from lao.reports.read import last_night, night_report, plan_report
from lao.state import approvals, cancelling, ledger, pipeline, plans, recovery, runs
from lao.state.records import Claim
from lao.state.store import Store, open_store
from lao.state.tables import RunRow
from tests.reports import history
from tests.state.pipeline_steps import spec

STEPS, SEEDS = 30, 8


class Walk:
    """Moves the pipeline's state at random, by the pipeline's own moves."""

    def __init__(self, store: Store, workspace: Path, seed: int) -> None:
        self.store, self.chance = store, random.Random(seed)
        self.plan = plans.submit(store, file=Path("/p/a.md"), text="# P\n", options={}, workspace=workspace).plan.id

    def step(self) -> None:
        moves: list[Callable[[], None]] = [self._work] * 8 + [self._die, self._cancel, self._retry, self._ask]
        self.chance.choice(moves)()
        self.store.clock.wait(self.chance.choice([0, 1, 50, 20_000]))

    def _take(self) -> Claim | None:
        ready = list(RunRow.select().where(RunRow.state == RunState.READY.value).order_by(RunRow.id))
        taken = runs.claim(self.store, self.chance.choice(ready).id, "owner", "test") if ready else None
        return taken if isinstance(taken, Claim) else None

    def _work(self) -> None:
        held = self._take()
        if held is None:
            return
        history.call(self.store, held, cached=self.chance.choice([None, 5]))
        how = self.chance.random()
        if how < 0.1:
            runs.release(self.store, held, not_before=self.store.now() + 5, reason="waits")
        elif how < 0.2:
            with runs.finishing(self.store, held, RunState.FAILED, reason="broke\nbadly") as now:
                self._fail(held, now)
        else:
            with runs.finishing(self.store, held, RunState.DONE, {"commit": None}) as now:
                self._succeed(held, now)

    def _fail(self, held: Claim, now: float) -> None:
        worst = self.chance.choice(list(Severity))
        ledger.add_findings(self.store, held, [Finding(worst, "k|`<", "m <!-- refs: task:1 -->\n| x", "f|.py")])
        if held.run.task_id is None:
            pipeline.end_plan(self.plan, self.chance.choice([PlanState.FAILED, PlanState.NEEDS_HUMAN]), now, "broke")
        elif self.chance.random() < 0.5:
            state = self.chance.choice([TaskState.FAILED, TaskState.NEEDS_HUMAN])
            pipeline.end_task(held.run.task_id, state, now, "broke")
        else:
            more = {"counter": "coder_failures", "cap": 5, "feedback": ["no"], "reason": "again"}
            pipeline.retry_or_fail(held.run.task_id, now, **more)

    def _succeed(self, held: Claim, now: float) -> None:
        phase, task = held.run.phase, held.run.task_id
        ran = [CommandResult(f"c{n}", self.chance.choice([0, 0, 1, None]), "o|`\n", 0.1) for n in range(2)]
        if phase is Phase.INGEST:
            ledger.add_validations(self.store, held, "before", None, ran)
            pipeline.next_plan_run(self.plan, Phase.PLAN, now)
        elif phase is Phase.PLAN:
            pipeline.add_tasks(self.plan, [spec("a"), spec("b", "a"), spec("c")], now)
        elif phase is Phase.REVIEW:
            assert task is not None
            pipeline.complete_task(task, now)
        elif phase is Phase.CLOSE:
            ledger.add_validations(self.store, held, "close", None, ran)
            pipeline.end_plan(self.plan, self.chance.choice(list(TERMINAL_PLANS)), now, "")
        elif phase is Phase.CODE and self.chance.random() < 0.4:
            assert task is not None
            part = TaskSpec(f"part {held.run.id}", "part")
            pipeline.split_task(task, now, parts=[part], ladder={}, reason="too large")
        else:
            ledger.add_validations(self.store, held, "task" if phase is Phase.VERIFY else "before", None, ran)
            pipeline.unblock_successors(held.run.id, now)

    def _die(self) -> None:
        if self._take() is not None:
            recovery.recover(self.store, lambda _owner: False)

    def _cancel(self) -> None:
        if self.chance.random() < 0.3:
            with self.store.write():
                cancelling.cancel_plan(self.plan, self.store.now())

    def _retry(self) -> None:
        plans.retry(self.store, self.plan)

    def _ask(self) -> None:
        held = self._take()
        if held is not None:
            approvals.ask(self.store, held.run.id, "s", "shell_exec", {"c": "x"}, reason="why", remember=())


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_report_of_any_state_is_made_and_true(tmp_path: Path, seed: int) -> None:
    """Queued, half planned, at work, put off, split, dead, parked, cancelled, brought back: JSON that fits its schema,
    Markdown, pages, and no statement that its rows do not bear out."""
    store = open_store(tmp_path / "state.db", FakeClock())
    walk = Walk(store, tmp_path / "gone", seed)
    for number in range(STEPS):
        report = plan_report(store, walk.plan)
        assert not history.lies(store, report)
        assert number % 5 or not quality.problems(quality.document(report))
        assert plan_markdown(report).startswith("<!-- LAO quality report")
        walk.step()
    assert plan_page(plan_report(store, walk.plan))
    night = night_report(store, last_night(store), store.now())
    assert night_page(night) and night_markdown(night)
    store.close()
