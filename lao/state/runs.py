"""Who may work on a run: claim, fenced finish, release, deferral and the recovery of what dead workers left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lao.core.priority import TURN, priority_of
from lao.core.states import TERMINAL_PLANS, TERMINAL_TASKS, Phase, PlanState, RunState, TaskState
from lao.core.words import Json
from lao.state import pauses, plan_order, side_by_side
from lao.state.records import Claim, Run, run_record
from lao.state.store import Store
from lao.state.tables import PlanRow, RunRow, WorkerRow
from lao.state.transitions import LostClaim, move_plan, move_run, move_task

LEASE_S = 30.0
"""How long a claim of a worker on another machine holds without a heartbeat."""

_ON_THE_WAY_S = 0.5

_MEETING_S, _CALLED_BACK = 10.0, 4
"""How long a task waits for others in the same files unless it is called back, and how many are at once."""

IDLE_PRIORITY = -10
"""Of work that only fills a GPU, or a cpu worker, with nothing else to do."""

_EDITORS = (Phase.CODE.value, Phase.REVIEW.value)
"""Phases that write in a plan's folder where attempts have no folders of their own; both are on the gpu queue, so that
one works at a time."""

_TASK_STATE = {Phase.CODE: TaskState.CODING, Phase.VERIFY: TaskState.VERIFYING, Phase.REVIEW: TaskState.REVIEWING}


@dataclass(frozen=True)
class NotClaimed:
    """Why a run was not claimed: ``done`` (its chain goes on), ``later`` (not before ``until``) or ``no``."""

    kind: str
    reason: str
    until: float = 0.0


def get(store: Store, run_id: int) -> Run | None:
    with store.reading():
        row = RunRow.get_or_none(RunRow.id == run_id)
        return run_record(row) if row else None


def is_open(store: Store, run_id: int) -> bool:
    """Whether the run exists and is not over."""
    run = get(store, run_id)
    return run is not None and run.state in (RunState.BLOCKED, RunState.READY, RunState.RUNNING)


def wanted(store: Store, run_id: int, *, desks: bool = True) -> NotClaimed | Run:
    """The run if it could be claimed now, else why not. Changes nothing."""
    with store.reading():
        row = RunRow.get_or_none(RunRow.id == run_id)
        refusal = _refusal(store, row, desks=desks)
        return refusal or run_record(row)


def claim(
    store: Store, run_id: int, owner: str, version: str, *, desks: bool = True, to_end: bool = False
) -> Claim | NotClaimed:
    """Take the run for ``owner``; also moves its task and plan into the state that the phase stands for.

    Args:
        desks: whether attempts work in folders of their own; if not, one phase at a time writes in a plan's folder.
        to_end: the run is claimed to be ended, which a pause does not hold up.
    """
    with store.write():
        row = RunRow.get_or_none(RunRow.id == run_id)
        refusal = _refusal(store, row, desks=desks, to_end=to_end)
        if refusal:
            if refusal.reason == side_by_side.SAME_FILES:
                side_by_side.put_off(row, refusal.until)
            return refusal
        now, begun_by = store.now(), row.version
        move_run(
            row,
            RunState.RUNNING,
            owner=owner,
            lease_until=now + LEASE_S,
            started_at=now,
            version=begun_by or version,
            reserved_by="",
            reason="",
        )
        _enter_phase(row, now)
        return Claim(run_record(row), row.epoch, owner, begun_by)


def _refusal(store: Store, row: RunRow | None, *, desks: bool, to_end: bool = False) -> NotClaimed | None:
    if row is None:
        return NotClaimed("no", "the run does not exist")
    if row.state == RunState.DONE.value:
        return NotClaimed("done", "already done")
    if row.state != RunState.READY.value:
        return NotClaimed("no", f"the run is {row.state}")
    if row.plan.state in {s.value for s in TERMINAL_PLANS}:
        return NotClaimed("no", f"its plan is {row.plan.state}")
    if row.task_id is not None and row.task.state in {s.value for s in TERMINAL_TASKS}:
        return NotClaimed("no", f"its task is {row.task.state}")
    if not to_end and pauses.is_paused(row.plan_id):  # its message ends here; what resumes it sends another one
        return NotClaimed("no", "its plan is paused")
    if row.plan.state == PlanState.QUEUED.value and not to_end and (why := plan_order.why(row.plan)):
        return NotClaimed("no", f"its plan {why}")  # likewise
    if row.not_before > store.now():
        return NotClaimed("later", row.reason or "cooling down", row.not_before)
    if not desks and row.phase in _EDITORS and _folder_is_in_use(row):
        return NotClaimed("later", "an interrupted phase of this plan goes first", store.now() + 1.0)
    if not desks and row.phase == Phase.PILOT.value and (why := side_by_side.hindrance(row)):
        return NotClaimed("later", why, store.now() + 1.0)
    if desks and (why := side_by_side.hindrance(row)):
        return NotClaimed("later", why, store.now() + (_MEETING_S if why == side_by_side.SAME_FILES else 1.0))
    return None


def call_back(store: Store, plan_id: str) -> list[int]:
    """An attempt of the plan is over: the ids of runs that waited for it, to be woken."""
    with store.write():
        return side_by_side.called_back(plan_id, _CALLED_BACK)


def _folder_is_in_use(row: RunRow) -> bool:
    """Whether another phase has begun to write in the plan's folder and is not over. It finds there what it left."""
    begun = RunRow.select().where(
        RunRow.plan == row.plan_id,
        RunRow.phase.in_(_EDITORS),
        RunRow.state.in_([RunState.READY.value, RunState.RUNNING.value]),
        RunRow.started_at.is_null(False),
        RunRow.id != row.id,
    )
    if row.started_at is not None:  # of two that have begun the older one goes first, so that neither waits for ever
        begun = begun.where(RunRow.id < row.id)
    return bool(begun.exists())


def _enter_phase(row: RunRow, now: float) -> None:
    state = _TASK_STATE.get(Phase(row.phase))
    if state is not None and row.task.state != state.value:
        move_task(row.task, state, now)
    if row.phase in (Phase.SURVEY.value, Phase.PLAN.value) and row.plan.state == PlanState.QUEUED.value:
        move_plan(row.plan, PlanState.PLANNING, now)


@contextmanager
def finishing(store: Store, held: Claim, state: RunState, result: Json = None, reason: str = "") -> Iterator[float]:
    """One fenced transaction: ends the run as ``state`` and commits, with it, all that the block writes.

    Yields the time of the transaction. Raises LostClaim when the run is no longer ours; nothing is written then.
    """
    with store.write():
        row = _ours(held)
        now = store.now()
        move_run(row, state, result=result, reason=reason, finished_at=now, owner="")
        yield now


def release(store: Store, held: Claim, *, not_before: float = 0.0, reason: str = "", error: bool = False) -> int:
    """Give the run back to the queue; returns how often it has failed by an unexpected error."""
    with store.write():
        row = _ours(held)
        errors: int = row.errors + int(error)
        waits = row.waits + 1 if not_before else 0
        move_run(row, RunState.READY, owner="", not_before=not_before, reason=reason, errors=errors, waits=waits)
        return errors


def defer(store: Store, run_id: int, *, until: float, reason: str) -> None:
    """Put off a run that nobody has claimed (the memory gate refused, say)."""
    with store.write():
        RunRow.update(not_before=until, reason=reason, waits=RunRow.waits + 1, reserved_by="").where(
            RunRow.id == run_id, RunRow.state == RunState.READY.value
        ).execute()


def waits_of(store: Store, run_id: int) -> int:
    with store.reading():
        row = RunRow.get_or_none(RunRow.id == run_id)
        return row.waits if row else 0


def errors_of(store: Store, run_id: int) -> int:
    """How often the run was released after an unexpected error."""
    with store.reading():
        row = RunRow.get_or_none(RunRow.id == run_id)
        return row.errors if row else 0


def chain(store: Store, run_id: int) -> tuple[tuple[Phase, int], ...]:
    """The run and those that follow it, in order, as (phase, id)."""
    found: list[tuple[Phase, int]] = []
    with store.reading():
        row = RunRow.get_or_none(RunRow.id == run_id)
        while row is not None:
            found.append((Phase(row.phase), row.id))
            row = RunRow.get_or_none(RunRow.predecessor == row.id)
    return tuple(found)


def priority(store: Store, run_id: int) -> int:
    """Of the run's queue message: its plan's; above all others for a turn of the Pilot; below all for another try
    at a task that has used its attempts, and for checks on the whole, which the close would make anyway."""
    with store.reading():
        row = RunRow.get_or_none(RunRow.id == run_id)
        if row is None:
            return 0
        if row.phase == Phase.PILOT.value:
            return TURN
        idle = row.phase == Phase.CODE.value and (row.task.ladder or {}).get("idle")
        return IDLE_PRIORITY if idle or row.phase == Phase.WHOLE.value else priority_of(row.plan.options or {})


def soon(store: Store, feeding: Iterable[Phase], own: Iterable[Phase], within_s: float) -> bool:
    """Whether a run of the phases ``own`` may come up within ``within_s`` seconds: one of ``feeding`` is ready or at
    work, or one of their own is put off until then, or has just become ready and its message is on the way."""
    with store.reading():
        now = store.now()
        ready = (RunRow.state == RunState.READY.value) & pauses.not_paused()
        due = (RunRow.not_before > now) & (RunRow.not_before <= now + within_s)
        fresh = (RunRow.created_at > now - _ON_THE_WAY_S) & (RunRow.created_at <= now)
        coming = RunRow.phase.in_([p.value for p in own]) & ready & (due | fresh)
        working = (RunRow.state == RunState.RUNNING.value) | (ready & (RunRow.not_before <= now))
        fed = RunRow.phase.in_([p.value for p in feeding]) & working
        return bool(RunRow.select().where(coming | fed).exists())


def predecessor_result(store: Store, run_id: int) -> dict[str, Json]:
    """What the run before this one in the chain produced; {} when there is none."""
    with store.reading():
        row = RunRow.get_by_id(run_id)
        return (row.predecessor.result or {}) if row.predecessor_id else {}


def newest_result(store: Store, plan_id: str, phase: Phase, *, since: Phase) -> dict[str, Json]:
    """What the newest finished run of a plan-level phase produced; {} when there is none since ``since`` last ended."""
    with store.reading():
        both = RunRow.phase.in_([phase.value, since.value])
        done = RunRow.select().where(RunRow.plan == plan_id, both, RunRow.state == RunState.DONE.value)
        row = done.order_by(RunRow.id.desc()).first()
        return (row.result or {}) if row is not None and row.phase == phase.value else {}


def reserve(store: Store, run_id: int, owner: str) -> None:
    """Say that ``owner`` prepares this run, so that it is not woken a second time meanwhile; "" when it is over."""
    with store.write():
        RunRow.update(reserved_by=owner).where(RunRow.id == run_id, RunRow.state == RunState.READY.value).execute()


def renew(store: Store, claims: Iterable[Claim]) -> None:
    """Prolong the leases of claims whose body is alive."""
    held = list(claims)
    if not held:
        return
    with store.write():
        for item in held:
            RunRow.update(lease_until=store.now() + LEASE_S).where(
                RunRow.id == item.run.id, RunRow.epoch == item.epoch
            ).execute()


def check_fence(held: Claim) -> None:
    """Inside a write transaction: raise LostClaim unless the claim still holds."""
    _ours(held)


def check_held(store: Store, held: Claim) -> None:
    """Raise LostClaim when the run is no longer ours; asked before a step, so that nothing is begun in vain."""
    with store.reading():
        _ours(held)


def is_held(store: Store, held: Claim) -> bool:
    """Whether the run is still ours."""
    try:
        check_held(store, held)
    except LostClaim:
        return False
    return True


def note_progress(held: Claim) -> None:
    """Inside a write transaction: a step was finished, so earlier crashes of this run were not its fault."""
    RunRow.update(strikes=0).where(RunRow.id == held.run.id, RunRow.strikes > 0).execute()


def _ours(held: Claim) -> RunRow:
    row: RunRow | None = RunRow.get_or_none(RunRow.id == held.run.id)
    if row is None or row.epoch != held.epoch or row.state != RunState.RUNNING.value:
        raise LostClaim(f"run {held.run.id!r} is no longer held at epoch {held.epoch}")
    return row


def runnable(store: Store, is_alive: Callable[[str], bool | None], older_than_s: float) -> tuple[int, ...]:
    """Ids of runs that could be claimed and that no live worker prepares, unchanged for ``older_than_s`` seconds."""
    now = store.now()
    with store.reading():
        rows = (
            RunRow.select(RunRow.id, RunRow.reserved_by)
            .join(PlanRow)
            .where(
                RunRow.state == RunState.READY.value,
                RunRow.not_before <= now,
                # also what became ready in the future: the clock was set back since
                (RunRow.created_at <= now - older_than_s) | (RunRow.created_at > now),
                PlanRow.state.not_in([s.value for s in TERMINAL_PLANS]),
                pauses.not_paused(),
            )
            .order_by(RunRow.id)
            .tuples()
        )
        return tuple(run_id for run_id, reserved in rows if not (reserved and is_alive(reserved)))


def register_worker(store: Store, queue: str, owner: str, pid: int) -> None:
    with store.write():
        WorkerRow.replace(queue=queue, owner=owner, pid=pid, started_at=store.now()).execute()


def unregister_worker(store: Store, queue: str, owner: str) -> None:
    with store.write():
        WorkerRow.delete().where(WorkerRow.queue == queue, WorkerRow.owner == owner).execute()


def workers(store: Store) -> tuple[tuple[str, str, int], ...]:
    """(queue, owner, pid) of every registered worker, dead ones included."""
    with store.reading():
        return tuple((w.queue, w.owner, w.pid) for w in WorkerRow.select().order_by(WorkerRow.queue))
