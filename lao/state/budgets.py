"""What a plan has used of its own budget, and parking what is open when it is spent. Asks no model and stops no worker.

Each set of attempts that a person gives counts from where the last one ended; that place is kept in ``lao_meta``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import peewee as pw

from lao.core.errors import BadInput
from lao.core.plan_options import Budget, budget_of
from lao.core.states import RunState, TaskState
from lao.state.pipeline import end_task
from lao.state.spans import together
from lao.state.store import Store
from lao.state.tables import MetaRow, ModelEventRow, PlanRow, RunRow, TaskRow

_KEY: Final = "budget:"
_NOT_BEGUN: Final = [TaskState.WAITING.value, TaskState.READY.value]


@dataclass(frozen=True)
class Used:
    """Tokens read and written by a plan's calls, and the seconds in which any of its phases was at work."""

    tokens: int
    seconds: float


def used(store: Store, plan_id: str) -> Used:
    """What the plan has used since it was handed in, or since it was last set back."""
    with store.reading():
        now, before = _all_of(plan_id, store.now()), _before(plan_id)
    return Used(max(0, now.tokens - before.tokens), max(0.0, now.seconds - before.seconds))


def spent(store: Store, plan_id: str) -> str:
    """Why nothing more of the plan may ask a model; "" while it may."""
    with store.reading():
        budget = _of(PlanRow.get_by_id(plan_id))
    if budget == Budget():
        return ""
    now = used(store, plan_id)
    if budget.tokens is not None and now.tokens >= budget.tokens:
        return f"the plan's budget of {budget.tokens} tokens is spent ({now.tokens} used)"
    if budget.seconds is not None and now.seconds >= budget.seconds:
        return f"the plan's budget of {budget.seconds:g} s is spent ({now.seconds:.2f} s used)"
    return ""


def renew(plan_id: str, now: float) -> None:
    """Inside a transaction: the plan was set back by a person, and may use its budget once more."""
    if _of(PlanRow.get_by_id(plan_id)) != Budget():
        found = _all_of(plan_id, now)
        MetaRow.replace(key=_KEY + plan_id, value=json.dumps([found.tokens, found.seconds])).execute()


def park_waiting(plan_id: str, but: int, now: float, reason: str) -> list[int]:
    """Inside a transaction: the tasks of the plan that nobody works on need a person, for this reason. What is at work
    comes to its own next model call. Returns runs that became ready."""
    ready: list[int] = []
    rows = TaskRow.select().where(TaskRow.plan == plan_id, TaskRow.id != but, TaskRow.state.in_(_NOT_BEGUN))
    for row in rows.order_by(TaskRow.seq.desc()):  # from the last: what needs another one is not ended by it
        if TaskRow.get_by_id(row.id).state in _NOT_BEGUN:
            ready += end_task(row.id, TaskState.NEEDS_HUMAN, now, reason)
    return ready


def _of(row: Any) -> Budget:
    try:
        return budget_of(row.options or {})
    except BadInput:  # of a plan that another LAO took in, where the key meant nothing
        return Budget()


def _before(plan_id: str) -> Used:
    row = MetaRow.get_or_none(MetaRow.key == _KEY + plan_id)
    return Used(*json.loads(row.value)) if row is not None else Used(0, 0.0)


def _all_of(plan_id: str, now: float) -> Used:
    both = pw.fn.SUM(ModelEventRow.prompt_tokens + ModelEventRow.completion_tokens)
    calls = ModelEventRow.select(both).join(RunRow).where(ModelEventRow.kind == "call", RunRow.plan == plan_id)
    begun = RunRow.select(RunRow.started_at, RunRow.finished_at, RunRow.state).where(
        RunRow.plan == plan_id, RunRow.started_at.is_null(False)
    )
    spans = [
        (start, end if end is not None else now)
        for start, end, state in begun.order_by(RunRow.started_at).tuples()
        if end is not None or state == RunState.RUNNING.value
    ]
    return Used(int(calls.scalar() or 0), together(spans))
