"""Cancelling: open work of a plan, or a task and what needs it, ends; completed tasks and commits stay.

Inside the caller's transaction. A run at work is taken away from its worker: its epoch is raised, so that the worker
writes nothing more and notices at its next step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from lao.core.states import TERMINAL_TASKS, Phase, PlanState, RunState, TaskState
from lao.state import dependents, pauses, pipeline
from lao.state.store import Store
from lao.state.tables import PlanRow, RunRow, TaskRow
from lao.state.transitions import move_plan, move_run, move_task

REASON: Final = "cancelled by a person"

_OPEN_RUNS = [RunState.BLOCKED.value, RunState.READY.value, RunState.RUNNING.value]
_OVER_TASKS = [state.value for state in TERMINAL_TASKS]


@dataclass(frozen=True)
class Begun:
    """A run that had begun: child processes, a desk and a landing may be left of it.

    Attributes:
        owner: of the worker that had it, "" when none had.
    """

    run_id: int
    task_id: int | None
    phase: Phase
    owner: str


@dataclass(frozen=True)
class Cancelled:
    """What was cancelled.

    Attributes:
        tasks: ids of the tasks that were open.
        begun: of their runs and the plan's.
        ready: ids of runs that became ready by it, to be woken.
        before: the state that it was in, when that was an end already and nothing is changed.
    """

    tasks: tuple[int, ...] = ()
    begun: tuple[Begun, ...] = ()
    ready: tuple[int, ...] = ()
    before: str = ""


def cancel_plan(plan_id: str, now: float) -> Cancelled:
    """End the plan and all that is open of it. One that failed, or waits for a person, is given up by it."""
    plan = PlanRow.get_by_id(plan_id)
    if plan.state in (PlanState.COMPLETED.value, PlanState.CANCELLED.value):
        return Cancelled(before=plan.state)
    begun = _take_away(RunRow.plan == plan)
    rows = list(TaskRow.select().where(TaskRow.plan == plan, TaskRow.state.not_in(_OVER_TASKS)).order_by(TaskRow.seq))
    for row in rows:
        move_task(row, TaskState.CANCELLED, now, reason=REASON)
    move_plan(plan, PlanState.CANCELLED, now, reason=REASON)
    pauses.lift(plan_id)
    return Cancelled(tuple(row.id for row in rows), begun)


def cancel_task(task_id: int, now: float) -> Cancelled:
    """End the task, what needs it, also what was begun early on it, and the parts that it was split into."""
    task = TaskRow.get_by_id(task_id)
    if task.state in _OVER_TASKS:
        return Cancelled(before=task.state)
    ended: dict[int, Any] = {}
    begun: tuple[Begun, ...] = ()
    todo = [(task, REASON)]
    while todo:
        row, reason = todo.pop(0)
        if row.id in ended or row.state in _OVER_TASKS:
            continue
        ended[row.id] = row
        begun += _take_away(RunRow.task == row)
        move_task(row, TaskState.CANCELLED, now, reason=reason)
        todo += [(other, f"needs task {row.title!r}, which is cancelled") for other in dependents.of(row)]
        todo += [(part, f"is a part of task {row.title!r}, which is cancelled") for part in dependents.parts(row)]
    return Cancelled(tuple(ended), begun, tuple(pipeline.close_if_over(task.plan_id, now)))


def at_work(store: Store, *, plan_id: str, task_id: int | None = None) -> tuple[Begun, ...]:
    """The runs of a plan, or of one of its tasks, that a worker has or had when it died."""
    with store.reading():
        query = RunRow.select().where(RunRow.plan == plan_id, RunRow.state == RunState.RUNNING.value)
        return tuple(_begun(row) for row in (query.where(RunRow.task == task_id) if task_id else query))


def _take_away(those: Any) -> tuple[Begun, ...]:
    rows = list(RunRow.select().where(those, RunRow.state.in_(_OPEN_RUNS)).order_by(RunRow.id))
    begun = tuple(_begun(row) for row in rows if row.started_at is not None)
    for row in rows:
        move_run(row, RunState.SKIPPED, owner="", reason=REASON)
    return begun


def _begun(row: Any) -> Begun:
    return Begun(row.id, row.task_id, Phase(row.phase), row.owner)
