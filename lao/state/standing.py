"""What still stands against a plan: findings of the attempts that count, and the commands on its last commit."""

from __future__ import annotations

from dataclasses import dataclass

import peewee as pw

from lao.core.words import Finding
from lao.state.records import finding_of
from lao.state.store import Store
from lao.state.tables import FindingRow, RunRow, TaskRow, ValidationRow


@dataclass(frozen=True)
class Judged:
    """A command on the whole. ``exit_code`` None: its outcome is unknown; ``seconds`` of wall time."""

    command: str
    exit_code: int | None
    timed_out: bool
    seconds: float
    output: str

    @property
    def passed(self) -> bool:
        return self.exit_code == 0 and not self.timed_out


@dataclass(frozen=True)
class Whole:
    """How the plan's last close judged it. ``commit`` None: it has none, or was not judged yet (no commands then)."""

    commit: str | None
    commands: tuple[Judged, ...]


def findings(store: Store, plan_id: str) -> tuple[tuple[int | None, Finding], ...]:
    """(task, finding) of each task's present attempt and of the last run of each of the plan's own phases (task None):
    what an earlier close or ingest found is over."""
    with store.reading():
        query = (
            FindingRow.select(FindingRow, RunRow.id, RunRow.attempt)
            .join(RunRow)
            .where(FindingRow.plan == plan_id)
            .order_by(FindingRow.id)
        )
        now = dict(_attempts(plan_id))
        rows = list(query)
        latest = _latest(plan_id)
        return tuple(
            (row.task_id, finding_of(row))
            for row in rows
            if (row.run_id in latest if row.task_id is None else row.run.attempt == now.get(row.task_id))
        )


def whole(store: Store, plan_id: str) -> Whole:
    """The commands of the plan's last close."""
    with store.reading():
        query = ValidationRow.select().where(ValidationRow.plan == plan_id, ValidationRow.moment == "close")
        rows = list(query.order_by(ValidationRow.id))
        last = rows[-1].run_id if rows else None
        kept = [row for row in rows if row.run_id == last]
        commands = tuple(Judged(r.command, r.exit_code, bool(r.timed_out), r.seconds, r.output) for r in kept)
        return Whole(kept[-1].commit if kept else None, commands)


def _latest(plan_id: str) -> set[int]:
    query = RunRow.select(RunRow.phase, pw.fn.MAX(RunRow.id)).where(RunRow.plan == plan_id, RunRow.task.is_null())
    return {number for _, number in query.group_by(RunRow.phase).tuples()}


def _attempts(plan_id: str) -> list[tuple[int, int]]:
    query = TaskRow.select(TaskRow.id, TaskRow.attempts).where(TaskRow.plan == plan_id)
    return [(number, attempts) for number, attempts in query.tuples()]
