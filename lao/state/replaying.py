"""Replaying: a task that is over is tried again from one of its phases. Inside the caller's transaction.

A plan that is over becomes active again and closes again; tasks that need this one and are completed stay so.
"""

from __future__ import annotations

from typing import Any

from lao.core.errors import Refused
from lao.core.states import TERMINAL_TASKS, Phase, PlanState, RunState, TaskState
from lao.state import attempts, dependents, pipeline
from lao.state.tables import DependencyRow, RunRow, TaskRow
from lao.state.transitions import move_plan, move_run, move_task

_OVER = [state.value for state in TERMINAL_TASKS]


def replay(task_id: int, since: Phase, now: float, *, early: bool) -> list[int]:
    """Try the task again; returns the runs that became ready, none when it waits for tasks that it needs.

    Args:
        since: CODE: a new attempt. VERIFY: its checks on what is there, and, unless it was completed, its review.
            REVIEW: a new review of its last verified commit. Each with a fresh budget.
        early: whether tasks begin when what they need is verified (``lao.state.dependents``).

    Raises:
        Refused: it is at work or waits, something that it needs has not been done, or there is nothing to review.
    """
    task = TaskRow.get_by_id(task_id)
    _check(task)
    verified = _last_verified(task) if since is Phase.REVIEW else None
    completed = task.state == TaskState.COMPLETED.value
    reached = ""
    if since is Phase.VERIFY:
        reached = dependents.APPROVED if completed else dependents.VERIFIED
    if task.plan.state != PlanState.ACTIVE.value:
        move_plan(task.plan, PlanState.ACTIVE, now, reason="")
    counters = {"coder_failures": 0, "verify_failures": 0, "rejections": 0}
    feedback = [] if completed else task.feedback
    move_task(task, TaskState.WAITING, now, reason="", recheck=reached, feedback=feedback, **counters)
    _renew(task, solved="" if since is Phase.CODE else (task.ladder or {}).get("solved", ""))
    if verified is not None:
        return _review_again(task, verified, now)
    return pipeline.start_attempt(task, now) if dependents.needs_are_met(task, early=early) else []


def _check(task: Any) -> None:
    if task.state == TaskState.WAITING.value:
        raise Refused(f"task {task.id} waits for others and has not been tried", "it begins by itself")
    if task.state not in _OVER:
        raise Refused(f"task {task.id} is at work ({task.state})", "wait for its end, or 'lao cancel' it first")
    needs = TaskRow.select().join(DependencyRow, on=DependencyRow.needs).where(DependencyRow.task == task)
    for need in needs.order_by(TaskRow.seq):
        if need.state in _OVER and need.state != TaskState.COMPLETED.value:
            raise Refused(
                f"task {task.id} needs task {need.id} {need.title!r}, which is {need.state}",
                f"'lao replay {need.id}' first",
            )


def _last_verified(task: Any) -> Any:
    """The newest verification that passed."""
    done = RunRow.select().where(
        RunRow.task == task, RunRow.phase == Phase.VERIFY.value, RunRow.state == RunState.DONE.value
    )
    found = next((run for run in done.order_by(RunRow.id.desc()) if not (run.result or {}).get("blocked")), None)
    if found is None:
        raise Refused(
            f"task {task.id} has no commit whose checks have passed", f"'lao replay {task.id} --from verify' checks it"
        )
    return found


def _renew(task: Any, *, solved: str) -> None:
    """A fresh budget, and the first rung again."""
    attempts.renew(task)
    task.ladder = {**(task.ladder or {}), "base": task.attempts, "solved": solved}
    TaskRow.update(ladder=task.ladder).where(TaskRow.id == task.id).execute()


def _review_again(task: Any, verified: Any, now: float) -> list[int]:
    """An attempt that is a review only; it takes over what the verification found."""
    dependents.give_back(task)
    move_task(task, TaskState.READY, now, attempts=task.attempts + 1)
    move_task(task, TaskState.VERIFYING, now)
    row = pipeline.new_run(
        task.plan_id, Phase.REVIEW, now, task_id=task.id, attempt=task.attempts, predecessor=verified
    )
    move_run(row, RunState.READY, created_at=now)
    return [row.id]
