"""What has happened since somebody last asked: runs begun and over, tasks and plans over, model events, tool calls.

For those who tell others about it (hooks, telemetry): each keeps its place under a name in the state, so that a crash
hides nothing, and at most lets it be told again. Decides nothing and tells nobody.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

import peewee as pw

from lao.core.states import TERMINAL_PLANS, TERMINAL_TASKS, PlanState, RunState, TaskState
from lao.core.words import Json
from lao.state.records import Run, run_record
from lao.state.store import Store
from lao.state.tables import AuditRow, MetaRow, ModelEventRow, PlanRow, Row, RunRow, TaskRow

LIMIT: Final = 500
"""Model events, and tool calls, of one look; what is left comes with the next one."""

_OVER: Final = frozenset(s.value for s in (RunState.DONE, RunState.FAILED, RunState.SKIPPED))
_PLANS_OVER: Final = frozenset(s.value for s in TERMINAL_PLANS)
_TASKS_OVER: Final = frozenset(s.value for s in TERMINAL_TASKS)


@dataclass(frozen=True)
class RunNews:
    """A run that has begun (``over`` False) or is over. Times in seconds since the epoch."""

    run: Run
    over: bool
    at: float
    started_at: float | None
    reason: str


@dataclass(frozen=True)
class TaskNews:
    """A task that has come to an end state."""

    id: int
    plan_id: str
    title: str
    state: TaskState
    reason: str
    at: float


@dataclass(frozen=True)
class PlanNews:
    """A plan that has come to an end state."""

    id: str
    name: str
    state: PlanState
    reason: str
    created_at: float
    at: float


@dataclass(frozen=True)
class EventNews:
    """A model event (``lao.state.tables.ModelEventRow``); ``seconds`` is how long it took until ``at``."""

    id: int
    kind: str
    role: str
    model: str
    run_id: int | None
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None
    seconds: float
    data: dict[str, Json]
    at: float


@dataclass(frozen=True)
class CallNews:
    """A tool call, granted or not."""

    id: int
    run_id: int | None
    tool: str
    arguments: dict[str, Json]
    granted: bool
    ok: bool | None
    reason: str
    seconds: float
    at: float


Item = RunNews | TaskNews | PlanNews | EventNews | CallNews


@dataclass
class Place:
    """How far somebody has read.

    Attributes:
        runs: ids of runs that are not over, with whether they have begun.
        tasks: for each open plan, ids of its tasks that are known to be over.
        plans: ids of plans with the end state that is known, "" while they are open.
        told: keys of what was told already of that which comes after the place.
    """

    event: int = 0
    call: int = 0
    run: int = 0
    runs: dict[str, bool] = field(default_factory=dict)
    tasks: dict[str, list[int]] = field(default_factory=dict)
    plans: dict[str, str] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)


def begin(store: Store, name: str) -> None:
    """Let ``name`` read from now on, unless it has a place already: what was before is old."""
    if known(store, name):
        return
    keep(store, name, now(store))


def now(store: Store) -> Place:
    """The place behind all that has happened."""
    with store.reading():
        place = Place(event=_newest(ModelEventRow), call=_newest(AuditRow), run=_newest(RunRow))
        open_runs = RunRow.select(RunRow.id, RunRow.started_at).where(RunRow.state.not_in(_OVER))
        place.runs = {str(run): started is not None for run, started in open_runs.tuples()}
        for plan, state in PlanRow.select(PlanRow.id, PlanRow.state).tuples():
            place.plans[plan] = state if state in _PLANS_OVER else ""
            if not place.plans[plan]:
                over = TaskRow.select(TaskRow.id).where(TaskRow.plan == plan, TaskRow.state.in_(_TASKS_OVER))
                place.tasks[plan] = sorted(task for (task,) in over.tuples())
    return place


def _newest(table: type[Row]) -> int:
    return int(table.select(pw.fn.MAX(table.id)).scalar() or 0)


def known(store: Store, name: str) -> bool:
    """Whether ``name`` has a place."""
    with store.reading():
        return MetaRow.get_or_none(MetaRow.key == _key(name)) is not None


def place_of(store: Store, name: str) -> Place:
    """How far ``name`` has read; the beginning when it has no place."""
    with store.reading():
        row = MetaRow.get_or_none(MetaRow.key == _key(name))
        return Place(**json.loads(row.value)) if row is not None else Place()


def keep(store: Store, name: str, place: Place) -> None:
    """``name`` has told all up to this place."""
    with store.write():
        MetaRow.replace(key=_key(name), value=json.dumps(vars(place), separators=(",", ":"))).execute()


def look(store: Store, place: Place) -> list[Item]:
    """What is new since the place, which is moved behind it; oldest first."""
    with store.reading():
        found: list[Item] = [*_events(place), *_calls(place), *_runs(place), *_plans_and_tasks(place)]
    return sorted(found, key=lambda item: item.at)


def _key(name: str) -> str:
    return f"news:{name}"


def _events(place: Place) -> list[Item]:
    query = ModelEventRow.select().where(ModelEventRow.id > place.event).order_by(ModelEventRow.id).limit(LIMIT)
    found: list[Item] = []
    for r in query:
        place.event = r.id
        found.append(
            EventNews(
                id=r.id,
                kind=r.kind,
                role=r.role,
                model=r.model,
                run_id=r.run_id,
                prompt_tokens=r.prompt_tokens,
                completion_tokens=r.completion_tokens,
                cached_tokens=r.cached_tokens,
                seconds=r.seconds,
                data=r.data or {},
                at=r.at,
            )
        )
    return found


def _calls(place: Place) -> list[Item]:
    query = AuditRow.select().where(AuditRow.id > place.call).order_by(AuditRow.id).limit(LIMIT)
    found: list[Item] = []
    for r in query:
        place.call = r.id
        arguments = r.arguments if isinstance(r.arguments, dict) else {}
        found.append(CallNews(r.id, r.run_id, r.tool, arguments, r.granted, r.ok, r.reason, r.seconds, r.at))
    return found


def _runs(place: Place) -> list[Item]:
    known = [int(run) for run in place.runs]
    found: list[Item] = []
    for row in RunRow.select().where((RunRow.id > place.run) | RunRow.id.in_(known)).order_by(RunRow.id):
        place.run = max(place.run, row.id)
        begun, over = row.started_at is not None, row.state in _OVER
        if begun and not place.runs.get(str(row.id), False):
            found.append(RunNews(run_record(row), False, row.started_at, row.started_at, ""))
        if not over:
            place.runs[str(row.id)] = begun
            continue
        place.runs.pop(str(row.id), None)
        if begun:
            at = row.finished_at or row.started_at
            found.append(RunNews(run_record(row), True, at, row.started_at, row.reason))
    return found


def _plans_and_tasks(place: Place) -> list[Item]:
    found: list[Item] = []
    columns = (PlanRow.id, PlanRow.name, PlanRow.state, PlanRow.reason, PlanRow.created_at, PlanRow.updated_at)
    for row in PlanRow.shown(*columns):  # not their texts
        before, now = place.plans.get(row.id, ""), row.state if row.state in _PLANS_OVER else ""
        if before and before == now:
            continue
        told = (TaskRow.id, TaskRow.title, TaskRow.state, TaskRow.reason, TaskRow.updated_at)
        over = list(TaskRow.select(*told).where(TaskRow.plan == row.id, TaskRow.state.in_(_TASKS_OVER)))
        # in a plan that was taken up again what is over is old
        known = {t.id for t in over} if before else set(place.tasks.get(row.id, ()))
        new = (t for t in over if t.id not in known)
        found += [TaskNews(t.id, row.id, t.title, TaskState(t.state), t.reason, t.updated_at) for t in new]
        place.plans[row.id] = now
        place.tasks[row.id] = sorted(t.id for t in over)
        if now:
            del place.tasks[row.id]
            found.append(PlanNews(row.id, row.name, PlanState(now), row.reason, row.created_at, row.updated_at))
    return found
