"""Tasks that build on one another: when one may begin, and what becomes of it when what it was built on changes again.

A task is *verified* when its checks have passed and only its review is open. With early release others may build on
that; a rejection then sends them back to be verified once more (``recheck``); their checks decide whether they stand.
"""

from __future__ import annotations

from typing import Any

from lao.core.states import Phase, RunState, TaskState
from lao.state.tables import DependencyRow, RunRow, TaskRow
from lao.state.transitions import move_run, move_task

VERIFIED, APPROVED = "verified", "approved"
"""What a task had reached when it was sent back: its review is still to come, or it has passed it."""

_ENDED = [TaskState.FAILED.value, TaskState.NEEDS_HUMAN.value, TaskState.CANCELLED.value]
_NOT_BEGUN = [TaskState.WAITING.value, TaskState.READY.value]
_OPEN_RUNS = [RunState.BLOCKED.value, RunState.READY.value]


def of(task: Any) -> list[Any]:
    """The tasks that need this one, in the order of the plan."""
    rows = TaskRow.select().join(DependencyRow, on=DependencyRow.task).where(DependencyRow.needs == task)
    return list(rows.order_by(TaskRow.seq))


def parts(task: Any) -> list[Any]:
    """The tasks that this one was split into: of all that a task needs only they come after it in the plan."""
    if not task.ladder.get("split"):
        return []
    rows = TaskRow.select().join(DependencyRow, on=DependencyRow.needs).where(DependencyRow.task == task)
    return list(rows.where(TaskRow.seq > task.seq).order_by(TaskRow.seq))


def needs_are_met(task: Any, *, early: bool) -> bool:
    """Whether all that a task needs is completed or, with ``early``, at least verified."""
    needs = TaskRow.select().join(DependencyRow, on=DependencyRow.needs).where(DependencyRow.task == task)
    return all(need.state == TaskState.COMPLETED.value or (early and is_verified(need)) for need in needs)


def is_verified(task: Any) -> bool:
    """Whether the checks of the latest attempt have passed, so that only its review is open."""
    if task.state not in (TaskState.VERIFYING.value, TaskState.REVIEWING.value):
        return False
    review = RunRow.get_or_none(
        RunRow.task == task, RunRow.phase == Phase.REVIEW.value, RunRow.attempt == task.attempts
    )
    return review is not None and review.state in (RunState.READY.value, RunState.RUNNING.value)


def skip_open_runs(task: Any) -> None:
    """Whatever is still open of the task's attempts will not be needed."""
    for row in RunRow.select().where(RunRow.task == task, RunRow.state.in_(_OPEN_RUNS)):
        move_run(row, RunState.SKIPPED)


def reopen(task: Any, now: float) -> None:
    """The task was rejected: what was built on it waits for its next version, and is then verified again.

    A phase that has begun to write in the folder, or is at work, goes on; ``hold`` meets it at its end.
    """
    met: set[int] = set()
    todo = of(task)
    while todo:
        row = todo.pop()
        if row.id not in met:
            met.add(row.id)
            _send_back(row, now)
            todo += of(row)


def _send_back(task: Any, now: float) -> None:
    state = TaskState(task.state)
    if state is TaskState.COMPLETED:
        hold(task, now, APPROVED)
    elif state is TaskState.READY:
        give_back(task)
        skip_open_runs(task)
        move_task(task, TaskState.WAITING, now)
    elif is_verified(task) and not _has_begun(task):
        hold(task, now, VERIFIED)


def hold(task: Any, now: float, reached: str) -> None:
    """Send a task back to wait for what it needs; ``reached`` is what its work is worth if its checks still pass."""
    skip_open_runs(task)
    move_task(task, TaskState.WAITING, now, recheck=reached)


def end_stranded(plan_id: str, now: float) -> None:
    """What needs a task that ended without success, and is not at work, ends too, with the reason.

    What is at work goes on; it is held at its end and comes here then.
    """
    need = TaskRow.alias()
    stranded = (
        TaskRow.select(TaskRow, need.title.alias("needed"), need.state.alias("ended"))
        .join(DependencyRow, on=DependencyRow.task == TaskRow.id)
        .join(need, on=DependencyRow.needs == need.id)
        .where(TaskRow.plan == plan_id, TaskRow.state.in_(_NOT_BEGUN), need.state.in_(_ENDED))
        .order_by(TaskRow.seq)
        .objects()
    )
    while (row := stranded.clone().first()) is not None:
        reason = f"needs task {row.needed!r}, which is {row.ended}"
        skip_open_runs(row)
        cancelled = row.ended == TaskState.CANCELLED.value
        move_task(row, TaskState.CANCELLED if cancelled else TaskState.FAILED, now, reason=reason, feedback=[reason])


def give_back(task: Any) -> None:
    """Do not count the task's latest attempt on its ladder: it was not, or will not be, one of the coder's."""
    ladder = {**task.ladder, "base": task.ladder.get("base", 0) + 1}
    TaskRow.update(ladder=ladder).where(TaskRow.id == task.id).execute()
    task.ladder = ladder


def _has_begun(task: Any) -> bool:
    """Whether an open phase of the task was at work already, and may have left something half-done."""
    runs = RunRow.select().where(
        RunRow.task == task,
        RunRow.state.in_([RunState.READY.value, RunState.RUNNING.value]),
        RunRow.started_at.is_null(False),
    )
    return bool(runs.exists())
