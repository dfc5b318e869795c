"""How well the factory has worked in a stretch of time: figures out of rows, None where nothing was measured."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import peewee as pw

from lao.core.states import PILOT_PLAN, Phase, PlanState, RunState, TaskState
from lao.state.spans import together
from lao.state.store import Store
from lao.state.tables import EnergyRow, ModelEventRow, PlanRow, RunRow, TaskRow, ValidationRow

HOUR_S: Final = 3600.0
_TASKS_OVER: Final = (TaskState.COMPLETED.value, TaskState.FAILED.value, TaskState.NEEDS_HUMAN.value)


@dataclass(frozen=True)
class Kpi:
    """The figures of [since, until) in seconds since the epoch. Shares are 0 to 1; None is not measured.

    Attributes:
        plans_ended, tasks_ended: that were completed, failed or were parked in it.
        first_pass: share of completed tasks that needed one attempt.
        rework: share of ended tasks that were reviewed and sent back, or whose checks failed, at least once.
        attempts: mean of completed tasks.
        caught: commands that failed on the whole at the close, each of which would have been a false "done".
        false_done: completed plans whose last recorded closing command did not pass; the guard keeps it at 0.
        tokens_per_task: read and written by all calls of the stretch, for each task completed in it.
        swaps_per_plan: loads of another model than the one before, for each plan ended in it.
        cache_share: of prompt tokens of calls whose server tells it.
        working_h, idle_h: hours in which any phase was at work, and the rest from the first to the last of them.
        joules: of phases that were measured.
    """

    since: float
    until: float
    plans_ended: int
    plans_completed: int
    tasks_ended: int
    tasks_completed: int
    first_pass: float | None
    rework: float | None
    attempts: float | None
    caught: int
    false_done: int
    tokens: int
    tokens_per_task: float | None
    swaps: int
    swaps_per_plan: float | None
    cache_share: float | None
    working_h: float | None
    idle_h: float | None
    joules: float | None


def kpi(store: Store, since: float, until: float) -> Kpi:
    """The figures of a stretch of time."""
    with store.reading():
        plans = _plans(since, until)
        tasks = _tasks(since, until)
        done = [task for task in tasks if task.state == TaskState.COMPLETED.value]
        tokens, cache = _tokens(since, until)
        swaps = _swaps(since, until)
        working, idle = _hours(since, until)
        reworked = sum(task.rejections + task.verify_failures > 0 for task in tasks)
        completed = [row.id for row in plans if row.state == PlanState.COMPLETED.value]
        return Kpi(
            since=since,
            until=until,
            plans_ended=len(plans),
            plans_completed=len(completed),
            tasks_ended=len(tasks),
            tasks_completed=len(done),
            first_pass=_ratio(sum(task.attempts == 1 for task in done), len(done)),
            rework=_ratio(reworked, len(tasks)),
            attempts=_ratio(sum(task.attempts for task in done), len(done)),
            caught=_caught(since, until),
            false_done=sum(_closed_badly(plan) for plan in completed),
            tokens=tokens,
            tokens_per_task=_ratio(tokens, len(done)),
            swaps=swaps,
            swaps_per_plan=_ratio(swaps, len(plans)),
            cache_share=cache,
            working_h=working,
            idle_h=idle,
            joules=_joules(since, until),
        )


def _ratio(part: float, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _within(column: Any, since: float, until: float) -> Any:
    return (column >= since) & (column < until)


def _plans(since: float, until: float) -> list[Any]:
    """Plans whose last close ended in the stretch, whether or not something was set back since."""
    ended = RunRow.select(RunRow.plan).where(
        RunRow.phase == Phase.CLOSE.value,
        RunRow.state == RunState.DONE.value,
        _within(RunRow.finished_at, since, until),
    )
    over = [PlanState.COMPLETED.value, PlanState.FAILED.value, PlanState.NEEDS_HUMAN.value]
    return list(PlanRow.shown(PlanRow.id, PlanRow.state).where(PlanRow.id.in_(ended), PlanRow.state.in_(over)))


def _tasks(since: float, until: float) -> list[Any]:
    return list(TaskRow.select().where(TaskRow.state.in_(_TASKS_OVER), _within(TaskRow.updated_at, since, until)))


def _tokens(since: float, until: float) -> tuple[int, float | None]:
    """Tokens of calls for plans, and the share that came from the server's cache where it tells."""
    calls = (ModelEventRow.kind == "call") & _within(ModelEventRow.at, since, until)
    query = ModelEventRow.select().join(RunRow).where(calls, RunRow.plan != PILOT_PLAN)
    used = cached = told = 0
    for row in query:
        used += row.prompt_tokens + row.completion_tokens
        if row.cached_tokens is not None:
            told += row.prompt_tokens
            cached += min(row.cached_tokens, row.prompt_tokens)
    return used, _ratio(cached, told)


def _swaps(since: float, until: float) -> int:
    """Loads of another model than the one that was loaded before, also if that was before the stretch."""
    loads = ModelEventRow.select(ModelEventRow.model, ModelEventRow.at).where(
        ModelEventRow.kind.in_(["load", "found"]), ModelEventRow.at < until
    )
    models = list(loads.order_by(ModelEventRow.id).tuples())
    return sum(before[0] != after[0] and after[1] >= since for before, after in pairwise(models))


def _caught(since: float, until: float) -> int:
    failed = (ValidationRow.exit_code.is_null()) | (ValidationRow.exit_code != 0) | ValidationRow.timed_out
    closing = (ValidationRow.moment == "close") & _within(ValidationRow.at, since, until)
    return int(ValidationRow.select().where(closing, failed).count())


def _closed_badly(plan_id: str) -> bool:
    rows = ValidationRow.select().where(ValidationRow.plan == plan_id, ValidationRow.moment == "close")
    last = rows.order_by(ValidationRow.id.desc()).first()
    same = rows.where(ValidationRow.run == last.run_id) if last is not None else ()
    return any(row.exit_code != 0 or row.timed_out for row in same)


def _hours(since: float, until: float) -> tuple[float | None, float | None]:
    begun = RunRow.select(RunRow.started_at, RunRow.finished_at).where(
        RunRow.started_at.is_null(False),
        RunRow.finished_at.is_null(False),
        RunRow.finished_at > since,
        RunRow.started_at < until,
        RunRow.plan != PILOT_PLAN,
    )
    spans = [(max(a, since), min(b, until)) for a, b in begun.order_by(RunRow.started_at).tuples()]
    if not spans:
        return None, None
    working = together(spans)
    whole = max(end for _, end in spans) - spans[0][0]
    return round(working / HOUR_S, 4), round(max(0.0, whole - working) / HOUR_S, 4)


def _joules(since: float, until: float) -> float | None:
    total = (
        EnergyRow.select(pw.fn.SUM(EnergyRow.joules)).join(RunRow).where(_within(RunRow.finished_at, since, until))
    ).scalar()
    return None if total is None else round(float(total), 1)
