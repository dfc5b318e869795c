"""What people said of plans that are over: accepted or rejected, with a note. Judges nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from lao.state.judgement_tables import JudgementRow
from lao.state.store import Store
from lao.state.tables import PlanRow

ACCEPTED, REJECTED = "accepted", "rejected"
_CHAIN: Final = 20
"""Versions of a plan that are looked back at."""


@dataclass(frozen=True)
class Judgement:
    """One word of a person.

    Attributes:
        verdict: "accepted" or "rejected".
        commit: what was judged, or with ``reverted`` the commit that took the plan back; None without git.
        at: seconds since the epoch.
    """

    id: int
    plan: str
    verdict: str
    commit: str | None
    reverted: bool
    note: str
    at: float


def keep(
    store: Store, plan_id: str, verdict: str, *, commit: str | None, note: str, reverted: bool = False
) -> tuple[Judgement, bool]:
    """Keep a judgement. Returns it, and whether it is new: the same word on the same commit is said once."""
    with store.write():
        last = _rows(plan_id).first()
        same = last is not None and (last.verdict, last.commit, last.reverted) == (verdict, commit, reverted)
        if last is not None and same and (not note or last.note == note):
            return _record(last), False
        row = JudgementRow.create(
            plan=plan_id, verdict=verdict, commit=commit, reverted=reverted, note=note, at=store.now()
        )
        return _record(row), True


def latest(store: Store, plan_id: str) -> Judgement | None:
    """The last word on a plan."""
    with store.reading():
        row = _rows(plan_id).first()
        return _record(row) if row is not None else None


def every(store: Store) -> dict[str, Judgement]:
    """The last word on each plan that has one, by the plan's id."""
    with store.reading():
        return {row.plan_id: _record(row) for row in JudgementRow.select().order_by(JudgementRow.id)}


def of_earlier(store: Store, plan_id: str) -> tuple[Judgement, ...]:
    """The rejections of the versions that this plan supersedes, the newest first; a version that was accepted in the
    end has none."""
    found: list[Judgement] = []
    with store.reading():
        row = PlanRow.get_or_none(PlanRow.id == plan_id)
        for _ in range(_CHAIN):
            row = PlanRow.get_or_none(PlanRow.id == row.supersedes) if row is not None and row.supersedes else None
            last = _rows(row.id).first() if row is not None else None
            if last is not None and last.verdict == REJECTED:
                found.append(_record(last))
    return tuple(found)


def _rows(plan_id: str) -> Any:
    return JudgementRow.select().where(JudgementRow.plan == plan_id).order_by(JudgementRow.id.desc())


def _record(row: JudgementRow) -> Judgement:
    return Judgement(row.id, row.plan_id, row.verdict, row.commit, bool(row.reverted), row.note, row.at)
