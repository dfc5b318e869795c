"""What ended without success, with what the record says of it; how often the clock has set it back. Judges nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from lao.core.states import PlanState, TaskState
from lao.state.store import Store
from lao.state.tables import DependencyRow, FindingRow, MetaRow, PlanRow, TaskRow

_CRON: Final = "cron-retries:"
_ENDED: Final = [TaskState.FAILED.value, TaskState.NEEDS_HUMAN.value, TaskState.CANCELLED.value]
_PLANS: Final = [PlanState.FAILED.value, PlanState.NEEDS_HUMAN.value, PlanState.CANCELLED.value]


@dataclass(frozen=True)
class Ended:
    """A task that failed, was parked or cancelled; or with ``task`` None a plan that ended so outside its tasks.

    Attributes:
        kind, analyzer, phase: of its newest finding, "" where there is none.
        needs: ids of tasks that it needs and that ended so, too.
        at: when, in seconds since the epoch.
        by_clock: how often the schedule has set it back since a person did.
    """

    plan: str
    plan_name: str
    task: int | None
    title: str
    state: str
    reason: str
    kind: str
    analyzer: str
    phase: str
    needs: tuple[int, ...]
    at: float
    by_clock: int

    @property
    def key(self) -> str:
        """Names it in the state."""
        return f"{self.plan}/{self.task or '-'}"


def ended(store: Store, plan_id: str | None = None) -> tuple[Ended, ...]:
    """All that ended without success, of one plan or of all, the oldest plan first."""
    with store.reading():
        query = PlanRow.shown().order_by(PlanRow.created_at)
        found: list[Ended] = []
        for plan in query.where(PlanRow.id == plan_id) if plan_id else query:
            tasks = list(TaskRow.select().where(TaskRow.plan == plan, TaskRow.state.in_(_ENDED)).order_by(TaskRow.seq))
            found += [_of_task(plan, task) for task in tasks]
            if not tasks and plan.state in _PLANS:
                found.append(_of_plan(plan))
        return tuple(found)


def note_set_back(keys: Iterable[str], *, by_clock: bool) -> None:
    """Inside a transaction: these were set back, by the schedule or by a person, who begins the count anew."""
    for key in keys:
        if by_clock:
            MetaRow.replace(key=_CRON + key, value=str(_set_back(key) + 1)).execute()
        else:
            MetaRow.delete().where(MetaRow.key == _CRON + key).execute()


def _set_back(key: str) -> int:
    row = MetaRow.get_or_none(MetaRow.key == _CRON + key)
    return int(row.value) if row is not None else 0


def _of_task(plan: Any, task: Any) -> Ended:
    needed = TaskRow.select(TaskRow.id).join(DependencyRow, on=DependencyRow.needs)
    needs = needed.where(DependencyRow.task == task, TaskRow.state.in_(_ENDED)).order_by(TaskRow.seq)
    told = _told(FindingRow.task == task)
    count = _set_back(f"{plan.id}/{task.id}")
    ids = tuple(row.id for row in needs)
    return Ended(plan.id, plan.name, task.id, task.title, task.state, task.reason, *told, ids, task.updated_at, count)


def _of_plan(plan: Any) -> Ended:
    told = _told((FindingRow.plan == plan) & FindingRow.task.is_null())
    count = _set_back(f"{plan.id}/-")
    return Ended(plan.id, plan.name, None, plan.name, plan.state, plan.reason, *told, (), plan.updated_at, count)


def _told(those: Any) -> tuple[str, str, str]:
    rows = FindingRow.select().where(those).order_by(FindingRow.id.desc()).limit(20)
    row = next((row for row in rows if row.finding.get("severity") in ("critical", "major")), None)
    if row is None:
        return "", "", ""
    return str(row.finding.get("kind", "")), str(row.finding.get("analyzer", "")), row.run.phase if row.run_id else ""
