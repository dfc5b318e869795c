"""Pauses: of a paused plan, or of all, nothing new is begun. They are part of the state, so they outlive every worker.

What is at work goes on to the end of its phase. Kept as rows of ``lao_meta``: ``paused`` and ``paused:PLAN``.
"""

from __future__ import annotations

from typing import Any, Final

from lao.core.states import PILOT_PLAN
from lao.state import plan_order
from lao.state.store import Store
from lao.state.tables import MetaRow, RunRow

_ALL: Final = "paused"
_OF: Final = "paused:"


def pause(store: Store, plan_id: str | None) -> tuple[float, bool]:
    """Pause a plan, or with None all. Returns (since when, whether it is so since now)."""
    key = _key(plan_id)
    with store.write():
        known = MetaRow.get_or_none(MetaRow.key == key)
        if known is not None:
            return float(known.value), False
        now = store.now()
        MetaRow.create(key=key, value=repr(now))
        return now, True


def resume(store: Store, plan_id: str | None) -> tuple[str, ...]:
    """End the pause of a plan, or with None every pause. Returns the plans that were paused, "" for all of them."""
    with store.write():
        found = _rows()
        ended = [key for key in found if plan_id is None or key == plan_id]
        MetaRow.delete().where(MetaRow.key.in_([_key(key or None) for key in ended])).execute()
        return tuple(ended)


def lift(plan_id: str) -> None:
    """Inside a transaction: the plan is over, and so is its pause."""
    MetaRow.delete().where(MetaRow.key == _key(plan_id)).execute()


def of_all(store: Store) -> float | None:
    """Since when nothing at all is begun (seconds since the epoch); None: it is not paused as a whole."""
    return every(store).get("")


def every(store: Store) -> dict[str, float]:
    """Since when which plans are paused by name (seconds since the epoch); "" stands for all plans."""
    with store.reading():
        return _rows()


def is_paused(plan_id: str) -> bool:
    """Inside a transaction: whether nothing of this plan may be begun. The Pilot is never paused: who pauses all still
    wants to ask."""
    return plan_id != PILOT_PLAN and bool(MetaRow.select().where(MetaRow.key.in_([_ALL, _key(plan_id)])).exists())


def not_paused() -> Any:
    """A condition on ``RunRow``: nothing keeps its plan from going on, neither a pause nor a plan that it waits for."""
    found = _rows()
    return RunRow.plan == PILOT_PLAN if "" in found else RunRow.plan.not_in([*found, *plan_order.held()])


def _key(plan_id: str | None) -> str:
    return f"{_OF}{plan_id}" if plan_id else _ALL


def _rows() -> dict[str, float]:
    query = MetaRow.select().where((MetaRow.key == _ALL) | MetaRow.key.startswith(_OF))
    return {row.key.removeprefix(_OF) if row.key != _ALL else "": float(row.value) for row in query}
