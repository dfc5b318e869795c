"""Which plans a report is about: those that are over, those of a window, and when there was work. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lao.core.states import PILOT_PLAN, TERMINAL_PLANS
from lao.state.store import Store
from lao.state.tables import PlanRow, RunRow


@dataclass(frozen=True)
class PlanOver:
    """A plan that is over, and when it came to be (seconds since the epoch)."""

    id: str
    state: str
    moved: float
    workspace: Path


def plans_over(store: Store, plan_id: str | None = None) -> tuple[PlanOver, ...]:
    """Plans that are over, the newest first; only this one, if it is, where one is named."""
    with store.reading():
        fields = (PlanRow.id, PlanRow.state, PlanRow.updated_at, PlanRow.workspace)
        query = PlanRow.shown(*fields).where(PlanRow.state.in_([state.value for state in TERMINAL_PLANS]))
        query = query if plan_id is None else query.where(PlanRow.id == plan_id)
        rows = query.order_by(PlanRow.updated_at.desc(), PlanRow.id).tuples()
        return tuple(PlanOver(ident, state, moved, Path(folder)) for ident, state, moved, folder in rows)


def plans_within(store: Store, since: float, until: float) -> tuple[str, ...]:
    """Ids of plans handed in, worked on or ended in the window (seconds since the epoch), the oldest first."""
    began = RunRow.started_at.between(since, until) | RunRow.finished_at.between(since, until)
    across = (RunRow.started_at < since) & (RunRow.finished_at.is_null() | (RunRow.finished_at > until))
    touched = RunRow.select(RunRow.plan).where(began | (across & (RunRow.state == "running")))
    own = PlanRow.created_at.between(since, until) | PlanRow.updated_at.between(since, until)
    with store.reading():
        query = PlanRow.shown(PlanRow.id).where(own | PlanRow.id.in_(touched))
        return tuple(ident for (ident,) in query.order_by(PlanRow.created_at, PlanRow.id).tuples())


def working_times(store: Store, since: float) -> tuple[tuple[float, float | None], ...]:
    """(start, end) of all runs that were at work after ``since``, by their start; the end is None while they are."""
    with store.reading():
        query = RunRow.select(RunRow.started_at, RunRow.finished_at).where(
            RunRow.started_at.is_null(False), RunRow.plan != PILOT_PLAN,
            (RunRow.finished_at >= since) | ((RunRow.state == "running") & RunRow.finished_at.is_null()),
        )  # fmt: skip
        return tuple((start, end) for start, end in query.order_by(RunRow.started_at).tuples())
