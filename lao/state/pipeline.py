"""How work moves: plan → tasks → attempts (code, verify, review) → close, the whole beside the last reviews. Every
function runs inside a transaction that its caller opened and returns the ids of runs that became ready, for the caller
to wake after the commit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from lao.core.errors import LaoError
from lao.core.states import TERMINAL_PLANS, TERMINAL_TASKS, Phase, PlanState, RunState, TaskState
from lao.core.words import Json, TaskSpec
from lao.state import attempts, dependents, pauses
from lao.state.tables import DependencyRow, PlanRow, RunRow, TaskRow, TodoRow
from lao.state.transitions import move_plan, move_run, move_task

ATTEMPT_PHASES = (Phase.CODE, Phase.VERIFY, Phase.REVIEW)

COOLDOWN_CAP_S = 3600.0

_TERMINAL = [s.value for s in TERMINAL_TASKS]
_OPEN_RUNS = [RunState.BLOCKED.value, RunState.READY.value]


def new_run(
    plan_id: str, phase: Phase, now: float, *, task_id: int | None = None, attempt: int = 1, **extra: Any
) -> Any:
    """Insert a run; READY unless it has a predecessor."""
    state = RunState.BLOCKED if extra.get("predecessor") else RunState.READY
    return RunRow.create(
        plan=plan_id, task=task_id, phase=phase.value, attempt=attempt, state=state.value, created_at=now, **extra
    )


def next_plan_run(plan_id: str, phase: Phase, now: float, *, after: Any = None) -> list[int]:
    """Queue the next run of a plan-level phase, unless one is open already; it waits for ``after``, if that is one."""
    open_run = _open_plan_run(plan_id, phase)
    if open_run is not None:
        return [open_run.id] if open_run.state == RunState.READY.value else []
    extra = {"predecessor": after} if after is not None else {}
    row = new_run(plan_id, phase, now, attempt=_plan_runs(plan_id, phase).count() + 1, **extra)
    return [] if extra else [row.id]


def _plan_runs(plan_id: str, phase: Phase) -> Any:
    return RunRow.select().where(RunRow.plan == plan_id, RunRow.task.is_null(), RunRow.phase == phase.value)


def _open_plan_run(plan_id: str, phase: Phase) -> Any:
    return _plan_runs(plan_id, phase).where(RunRow.state.in_([*_OPEN_RUNS, RunState.RUNNING.value])).first()


def add_tasks(plan_id: str, specs: Sequence[TaskSpec], now: float) -> list[int]:
    """Store the planner's tasks (titles unique, dependencies by title, no cycles) and start those without needs."""
    plan = PlanRow.get_by_id(plan_id)
    rows = {}
    for seq, spec in enumerate(specs):
        rows[spec.title] = _new_task(plan_id, seq, spec, now)
    for spec in specs:
        for title in spec.dependencies:
            if title not in rows:
                raise LaoError(f"task {spec.title!r} depends on unknown task {title!r}")
            DependencyRow.create(task=rows[spec.title], needs=rows[title])
    move_plan(plan, PlanState.ACTIVE, now)
    ready: list[int] = []
    for spec in specs:
        if not spec.dependencies:
            ready += start_attempt(rows[spec.title], now)
    return ready


def _new_task(plan_id: str, seq: int, spec: TaskSpec, now: float) -> TaskRow:
    row: TaskRow = TaskRow.create(
        plan=plan_id,
        seq=seq,
        title=spec.title,
        description=spec.description,
        file_paths=list(spec.file_paths),
        commands=list(spec.commands),
        state=TaskState.WAITING.value,
        updated_at=now,
    )
    return row


def start_attempt(task: TaskRow, now: float, *, not_before: float = 0.0) -> list[int]:
    """Begin the next attempt: its runs in a chain, the first one ready. Counts the attempt, once.

    Of a task that is to be verified once more the coder's part is left out.
    """
    attempt = task.attempts + 1
    phases = ATTEMPT_PHASES[1:] if task.recheck else ATTEMPT_PHASES
    if task.recheck:
        dependents.give_back(task)
    move_task(task, TaskState.READY, now, attempts=attempt)
    TodoRow.delete().where(TodoRow.task == task).execute()
    first, previous = None, None
    for phase in phases:
        extra: dict[str, Any] = {"predecessor": previous} if previous else {"not_before": not_before}
        previous = new_run(task.plan_id, phase, now, task_id=task.id, attempt=attempt, **extra)
        first = first or previous
    return [first.id] if first else []


def unblock_successors(run_id: int, now: float) -> list[int]:
    """The runs that waited for this one are ready."""
    ready = []
    for row in RunRow.select().where(RunRow.predecessor == run_id, RunRow.state == RunState.BLOCKED.value):
        move_run(row, RunState.READY, created_at=now)
        ready.append(row.id)
    return ready


def cooldown(base_s: float, attempts: int) -> float:
    """The pause after so many attempts: ``base_s``, doubled with each but the first; at most an hour, or ``base_s``."""
    return min(base_s * 2.0 ** min(max(0, attempts - 1), 60), max(base_s, COOLDOWN_CAP_S))


def retry_or_fail(
    task_id: int, now: float, *, counter: str, cap: int, feedback: Iterable[str], reason: str, cooldown_s: float = 0.0
) -> list[int]:
    """An attempt ended badly: count it on ``counter``; begin another one, or fail the task when ``cap`` is reached."""
    task = TaskRow.get_by_id(task_id)
    dependents.skip_open_runs(task)
    count = getattr(task, counter) + 1
    fields = {counter: count, "feedback": list(feedback), "reason": reason, "recheck": ""}
    TaskRow.update(**fields).where(TaskRow.id == task.id).execute()
    for name, value in fields.items():
        setattr(task, name, value)
    if count >= cap:
        return end_task(task_id, TaskState.FAILED, now, reason)
    wait = cooldown(cooldown_s, task.attempts)
    return start_attempt(task, now, not_before=now + wait if wait else 0.0)


def climb_ladder(task_id: int, now: float, *, ladder: dict[str, Json], reason: str) -> list[int]:
    """An attempt passed no check and was undone: keep what it taught and begin the next one."""
    task = TaskRow.get_by_id(task_id)
    dependents.skip_open_runs(task)
    attempts.keep(task, ladder, reason)
    return start_attempt(task, now)


def begin_again(task_id: int, now: float, *, ladder: dict[str, Json], reason: str) -> list[int]:
    """The attempt could not be used for a reason that is not its own: begin another one that counts in its place."""
    task = TaskRow.get_by_id(task_id)
    dependents.skip_open_runs(task)
    TaskRow.update(ladder=ladder, reason=reason).where(TaskRow.id == task.id).execute()
    return start_attempt(task, now)


def park_unsolved(task_id: int, now: float, *, ladder: dict[str, Json], diagnosis: str) -> list[int]:
    """No rung is left for this task: a person decides."""
    attempts.keep(TaskRow.get_by_id(task_id), ladder, diagnosis)
    return end_task(task_id, TaskState.NEEDS_HUMAN, now, diagnosis)


def split_task(
    task_id: int, now: float, *, parts: Sequence[TaskSpec], ladder: dict[str, Json], reason: str
) -> list[int]:
    """Do the parts one after the other first; then the task itself is tried anew. Where something that it needs ended
    while it was at work, the task ends with it instead."""
    task = TaskRow.get_by_id(task_id)
    dependents.skip_open_runs(task)
    attempts.keep(task, ladder, reason)
    attempts.renew(task)
    move_task(task, TaskState.WAITING, now)
    dependents.end_stranded(task.plan_id, now)
    if TaskRow.get_by_id(task_id).state != TaskState.WAITING.value:
        return close_if_over(task.plan_id, now)
    last = TaskRow.select().where(TaskRow.plan == task.plan_id).order_by(TaskRow.seq.desc()).first()
    first, before = None, None
    for number, spec in enumerate(parts, 1):
        row = _new_task(task.plan_id, last.seq + number, spec, now)
        DependencyRow.create(task=task, needs=row)
        if before is not None:
            DependencyRow.create(task=row, needs=before)
        first, before = first or row, row
    return start_attempt(first, now) if first is not None else []


def complete_task(task_id: int, now: float, *, early: bool = False) -> list[int]:
    """The task is done with evidence; start what waited only for it, close the plan after the last.

    With ``early`` (see ``lao.state.dependents``) it goes back to wait when what it was built on is being changed.
    """
    task = TaskRow.get_by_id(task_id)
    if early and not dependents.needs_are_met(task, early=True):
        return _hold(task, now, dependents.APPROVED)
    move_task(task, TaskState.COMPLETED, now, reason="", recheck="")
    return start_dependents(task, now, early=early) + close_if_over(task.plan_id, now)


def pass_verification(task_id: int, run_id: int, now: float, *, early: bool) -> list[int]:
    """The task's checks have passed: on to its review, and with ``early`` also to the tasks that build on it."""
    task = TaskRow.get_by_id(task_id)
    if task.recheck == dependents.APPROVED:
        dependents.skip_open_runs(task)
        return complete_task(task_id, now, early=early)
    if early and not dependents.needs_are_met(task, early=True):
        return _hold(task, now, dependents.VERIFIED)
    TaskRow.update(recheck="").where(TaskRow.id == task_id).execute()
    ready = unblock_successors(run_id, now)
    return ready + (start_dependents(task, now, early=True) if early else [])


def _hold(task: Any, now: float, reached: str) -> list[int]:
    """Wait for what the task needs; where that is over already, the task is over too."""
    dependents.hold(task, now, reached)
    dependents.end_stranded(task.plan_id, now)
    return close_if_over(task.plan_id, now)


def reject(task_id: int, now: float, *, early: bool, **retry: Any) -> list[int]:
    """The task is not reviewed with success: another attempt (``retry_or_fail``); with ``early``, what was built on it
    waits."""
    if early:
        task = TaskRow.get_by_id(task_id)
        dependents.reopen(task, now)
        dependents.end_stranded(task.plan_id, now)
    return retry_or_fail(task_id, now, **retry)


def start_dependents(task: Any, now: float, *, early: bool) -> list[int]:
    """Start the waiting tasks whose needs are met now."""
    ready: list[int] = []
    for row in dependents.of(task):
        if row.state == TaskState.WAITING.value and dependents.needs_are_met(row, early=early):
            ready += start_attempt(row, now)
    return ready


def end_task(task_id: int, state: TaskState, now: float, reason: str) -> list[int]:
    """End a task as failed, needs_human or cancelled; tasks that wait for it end with the reason."""
    task = TaskRow.get_by_id(task_id)
    dependents.skip_open_runs(task)
    move_task(task, state, now, reason=reason)
    dependents.end_stranded(task.plan_id, now)
    return close_if_over(task.plan_id, now)


def open_tasks(plan_id: str) -> int:
    """How many tasks of the plan are not over."""
    return int(TaskRow.select().where(TaskRow.plan == plan_id, TaskRow.state.not_in(_TERMINAL)).count())


def close_if_over(plan_id: str, now: float) -> list[int]:
    """When no task is open, queue the closing phase. It waits for a run of all commands that has begun; of one that has
    not there is nothing to wait for."""
    if open_tasks(plan_id):
        return []
    early = _open_plan_run(plan_id, Phase.WHOLE)
    if early is not None and early.started_at is None:
        move_run(early, RunState.SKIPPED)
        early = None
    return next_plan_run(plan_id, Phase.CLOSE, now, after=early)


def only_reviews_left(plan_id: str) -> bool:
    """Whether all that is open of the plan's tasks has passed its checks and waits for, or is in, its review."""
    before = RunRow.phase.in_([Phase.CODE.value, Phase.VERIFY.value])
    unfinished = RunRow.state.in_([*_OPEN_RUNS, RunState.RUNNING.value])
    waiting = TaskRow.select().where(TaskRow.plan == plan_id, TaskRow.state == TaskState.WAITING.value)
    coming = RunRow.select().where(RunRow.plan == plan_id, RunRow.task.is_null(False), before, unfinished)
    return open_tasks(plan_id) > 0 and not waiting.exists() and not coming.exists()


def check_whole_early(plan_id: str, now: float) -> list[int]:
    """When only reviews are left, queue a run of all commands on the whole, so that it is done beside them.

    A plan of one task gains nothing by it: its verification was just that.
    """
    if TaskRow.select().where(TaskRow.plan == plan_id).count() < 2 or not only_reviews_left(plan_id):
        return []
    return next_plan_run(plan_id, Phase.WHOLE, now)


def end_plan(plan_id: str, state: PlanState, now: float, reason: str = "") -> None:
    """End a plan that is not over; its open runs are skipped, and one at work (of all commands) is no longer needed."""
    plan = PlanRow.get_by_id(plan_id)
    if PlanState(plan.state) in TERMINAL_PLANS:
        return
    unfinished = [*_OPEN_RUNS, RunState.RUNNING.value]
    for row in RunRow.select().where(RunRow.plan == plan, RunRow.state.in_(unfinished)):
        move_run(row, RunState.SKIPPED)
    move_plan(plan, state, now, reason=reason)
    pauses.lift(plan_id)


def retry_plan(
    plan: PlanRow, now: float, *, cancelled: bool = False, only: Collection[str] | None = None
) -> tuple[int, list[int]]:
    """Give the failed and parked tasks of an ended plan a new set of attempts; with ``cancelled`` those as well.

    Args:
        only: ``PLAN/TASK``, or ``PLAN/-`` for a plan that ended outside its tasks; None: whatever there is.

    Returns (tasks or phases set back, runs that became ready).
    """
    if plan.state == PlanState.CANCELLED.value and not cancelled:
        return 0, []
    retryable = {TaskState.FAILED.value, TaskState.NEEDS_HUMAN.value}
    states = retryable | {TaskState.CANCELLED.value} if cancelled else retryable
    found = list(TaskRow.select().where(TaskRow.plan == plan, TaskRow.state.in_(states)).order_by(TaskRow.seq))
    rows = _that_can_go_on([row for row in found if only is None or f"{plan.id}/{row.id}" in only])
    if not rows:
        return (0, []) if found or (only is not None and f"{plan.id}/-" not in only) else _retry_phase(plan, now)
    if plan.state != PlanState.ACTIVE.value:
        move_plan(plan, PlanState.ACTIVE, now, reason="")
    for row in rows:
        move_task(row, TaskState.WAITING, now, coder_failures=0, verify_failures=0, rejections=0, reason="")
        attempts.renew(row)
    ready: list[int] = []
    for row in rows:
        needs = TaskRow.select().join(DependencyRow, on=DependencyRow.needs).where(DependencyRow.task == row)
        if all(n.state == TaskState.COMPLETED.value for n in needs):
            ready += start_attempt(row, now)
    return len(rows), ready


def _that_can_go_on(rows: list[TaskRow]) -> list[TaskRow]:
    """These tasks without those that need one which has failed or was cancelled and is not among them: they would wait
    for ever."""
    while True:
        ids, lost = {row.id for row in rows}, set(_TERMINAL) - {TaskState.COMPLETED.value}
        stuck = {
            edge.task_id
            for edge in DependencyRow.select().where(DependencyRow.task.in_(ids))
            if edge.needs_id not in ids and edge.needs.state in lost
        }
        if not stuck:
            return rows
        rows = [row for row in rows if row.id not in stuck]


def _retry_phase(plan: PlanRow, now: float) -> tuple[int, list[int]]:
    """A plan that failed, or was cancelled, outside its tasks: repeat the phase in which it ended."""
    if plan.state not in (PlanState.FAILED.value, PlanState.NEEDS_HUMAN.value, PlanState.CANCELLED.value):
        return 0, []
    has_tasks = TaskRow.select().where(TaskRow.plan == plan).exists()
    ingested = RunRow.select().where(
        RunRow.plan == plan, RunRow.phase == Phase.INGEST.value, RunRow.state == RunState.DONE.value
    )
    if has_tasks:
        move_plan(plan, PlanState.ACTIVE, now, reason="")
        return 1, next_plan_run(plan.id, Phase.CLOSE, now)
    move_plan(plan, PlanState.QUEUED, now, reason="")
    return 1, next_plan_run(plan.id, Phase.PLAN if ingested.exists() else Phase.INGEST, now)
