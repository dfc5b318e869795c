"""Drives the state machine by hand, as the phases do."""

from __future__ import annotations

from pathlib import Path

from lao.core.states import Phase, RunState
from lao.core.words import TaskSpec
from lao.state import pipeline, plans, runs
from lao.state.records import Claim
from lao.state.store import Store
from lao.state.tables import RunRow

OWNER = "owner-1"


def hand_in(store: Store, text: str = "# Plan\n", file: str = "/plans/a.md") -> str:
    return plans.submit(store, file=Path(file), text=text, options={}, workspace=Path("/w/a")).plan.id


def ready_run(phase: Phase, task_id: int | None = None) -> int:
    query = RunRow.select().where(RunRow.phase == phase.value, RunRow.state == RunState.READY.value)
    if task_id is not None:
        query = query.where(RunRow.task == task_id)
    return int(query.order_by(RunRow.id).get().id)


def take(store: Store, run_id: int, owner: str = OWNER) -> Claim:
    claim = runs.claim(store, run_id, owner, "test")
    assert isinstance(claim, Claim), claim
    return claim


def planned(store: Store, *specs: TaskSpec, text: str = "# Plan\n") -> str:
    """A plan that is past its planning phase, with these tasks."""
    plan_id = hand_in(store, text)
    with runs.finishing(store, take(store, ready_run(Phase.INGEST)), RunState.DONE) as now:
        pipeline.next_plan_run(plan_id, Phase.PLAN, now)
    with runs.finishing(store, take(store, ready_run(Phase.PLAN)), RunState.DONE) as now:
        pipeline.add_tasks(plan_id, specs, now)
    return plan_id


def finish_phase(store: Store, phase: Phase, task_id: int) -> None:
    """The task's phase succeeds and hands over to the next one."""
    claim = take(store, ready_run(phase, task_id))
    with runs.finishing(store, claim, RunState.DONE) as now:
        if phase is Phase.REVIEW:
            pipeline.complete_task(task_id, now)
        else:
            pipeline.unblock_successors(claim.run.id, now)


def complete(store: Store, task_id: int) -> None:
    for phase in (Phase.CODE, Phase.VERIFY, Phase.REVIEW):
        finish_phase(store, phase, task_id)


def spec(title: str, *needs: str) -> TaskSpec:
    return TaskSpec(title=title, description=title, file_paths=(f"{title}.py",), dependencies=needs)
