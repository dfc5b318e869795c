"""The one place where a status changes: compare-and-swap on (id, epoch, state), checked against the table of moves."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from lao.core.errors import LaoError
from lao.core.states import PLAN_MOVES, RUN_MOVES, TASK_MOVES, PlanState, RunState, TaskState
from lao.state.tables import PlanRow, RunRow, TaskRow


class IllegalMove(LaoError):
    """A move that the table in ``lao/core/states.py`` does not have: a defect of LAO."""


class LostClaim(LaoError):
    """Somebody else changed the row since it was read; whatever was computed is dropped."""


def move_plan(row: PlanRow, to: PlanState, now: float, **fields: Any) -> None:
    _move(PlanRow, row, PlanState(row.state), to, PLAN_MOVES, {**fields, "updated_at": now})


def move_task(row: TaskRow, to: TaskState, now: float, **fields: Any) -> None:
    _move(TaskRow, row, TaskState(row.state), to, TASK_MOVES, {**fields, "updated_at": now})


def move_run(row: RunRow, to: RunState, **fields: Any) -> None:
    _move(RunRow, row, RunState(row.state), to, RUN_MOVES, fields)


def _move(
    table: Any, row: Any, before: Enum, after: Enum, moves: Mapping[Any, frozenset[Any]], fields: dict[str, Any]
) -> None:
    if after not in moves[before]:
        raise IllegalMove(f"{table.__name__} {row.id!r} cannot go from {before.value!r} to {after.value!r}")
    values = {**fields, "state": after.value, "epoch": row.epoch + 1}
    changed = (
        table.update(**values)
        .where(table.id == row.id, table.epoch == row.epoch, table.state == before.value)
        .execute()
    )
    if changed != 1:
        raise LostClaim(f"{table.__name__} {row.id!r} is no longer {before.value!r} at epoch {row.epoch}")
    for name, value in values.items():
        setattr(row, name, value)
