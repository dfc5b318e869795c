"""What a person means by the name of a plan or the number of a task."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Final

from lao.core.errors import BadInput
from lao.core.states import TERMINAL_PLANS
from lao.state.records import Plan, Task, plan_record, task_record
from lao.state.store import Store
from lao.state.tables import PlanRow, TaskRow

_PREFIX: Final = 4
"""Letters from which the beginning of an id is taken for it."""

_OVER: Final = frozenset(state.value for state in TERMINAL_PLANS)


def find_plan(store: Store, reference: str, file: Path | None = None) -> Plan:
    """The plan with this id, file, name or beginning of its id; of several the one that is not over, else the newest.

    Args:
        file: what the reference is as a path.

    Raises:
        BadInput: there is none (the message names the nearest), or several are meant.
    """
    with store.reading():
        row = _plan(reference, file)
        if row is None:
            raise BadInput(f"no plan {reference!r}", _nearest_plan(reference))
        return plan_record(row)


def find_task(store: Store, reference: str) -> Task:
    """The task with this number (``12`` or ``#12``).

    Raises:
        BadInput: there is none (the message names the nearest), or this is no number.
    """
    number = _number(reference)
    if number is None:
        raise BadInput(f"{reference!r} is no task's number", "'lao status' shows them, for example 12 or #12")
    with store.reading():
        return task_record(_task(number))


def find(store: Store, reference: str, file: Path | None = None) -> Plan | Task:
    """The plan or the task that is meant; ``#12`` is always a task.

    Raises:
        BadInput: there is none, or both a task and a plan, or several plans, are meant.
    """
    number = _number(reference)
    with store.reading():
        plan = None if reference.startswith("#") else _plan(reference, file)
        if number is not None:
            known = TaskRow.get_or_none(TaskRow.id == number)
            if known is not None and plan is not None:
                raise BadInput(
                    f"{reference!r} is a task and the plan {plan.name!r}", f"write '#{number}', or {plan.id!r}"
                )
            if plan is None:
                return task_record(_task(number))
        if plan is None:
            raise BadInput(f"no plan or task {reference!r}", _nearest_plan(reference))
        return plan_record(plan)


def _plan(reference: str, file: Path | None) -> Any:
    newest = PlanRow.shown().order_by(PlanRow.created_at.desc())
    exact = PlanRow.shown().where(PlanRow.id == reference).first()
    if exact is not None:
        return exact
    names = {reference, Path(reference).stem} if reference.endswith(".md") else {reference}
    ways = [PlanRow.file == reference, PlanRow.name.in_(names)]
    ways[:0] = [PlanRow.file == str(file)] if file is not None else []
    ways += [PlanRow.id.startswith(reference)] if len(reference) >= _PREFIX else []
    for way in ways:
        rows = list(newest.where(way))
        if rows:
            return _one(reference, rows)
    return None


def _one(reference: str, rows: list[Any]) -> Any:
    """Of plans that go by one name: the one that is not over; the newest when all are."""
    going = [row for row in rows if row.state not in _OVER]
    others = {row.name for row in rows}
    if len(going) > 1 or (not going and len(others) > 1):
        listed = ", ".join(f"{row.id} ({row.name}, {row.state})" for row in going or rows)
        raise BadInput(f"{reference!r} may be {len(going or rows)} plans: {listed}", "give the id of the one meant")
    return (going or rows)[0]


def _nearest_plan(reference: str) -> str:
    known = [word for row in PlanRow.shown(PlanRow.id, PlanRow.name) for word in (row.name, row.id)]
    near = difflib.get_close_matches(Path(reference).stem, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}? 'lao status' lists the plans" if near else "'lao status' lists the plans"


def _task(number: int) -> Any:
    row = TaskRow.get_or_none(TaskRow.id == number)
    if row is None:
        known = [(task.id, task.title) for task in TaskRow.select(TaskRow.id, TaskRow.title)]
        near = min(known, key=lambda task: abs(task[0] - number), default=None)
        hint = f"the nearest is {near[0]} ({near[1]!r}); " if near else ""
        raise BadInput(f"no task {number}", f"{hint}'lao status' lists the tasks")
    return row


def _number(reference: str) -> int | None:
    digits = reference.removeprefix("#")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 16 else None
