"""Plans in and out of the state: submission by content, look-ups, retry, rejected files."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from lao.core.states import Phase, PlanState
from lao.core.words import Json
from lao.state import budgets, pipeline
from lao.state.records import Plan, Task, plan_record, task_record
from lao.state.store import Store
from lao.state.tables import PlanRow, RejectionRow, TaskRow


@dataclass(frozen=True)
class Submission:
    """The result of handing in a plan: ``created`` is False when this content is known already."""

    plan: Plan
    created: bool
    ready: tuple[int, ...]


def normalise(text: str) -> str:
    """The text that counts for identity: newlines unified, trailing blanks and blank ends dropped."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip() for line in lines).strip() + "\n"


def plan_id_of(text: str) -> str:
    return hashlib.sha256(normalise(text).encode()).hexdigest()[:16]


def submit(store: Store, *, file: Path, text: str, options: dict[str, Json], workspace: Path) -> Submission:
    """Take in a plan. Identical content is one plan; a changed file is a new plan that supersedes the old one."""
    plan_id = plan_id_of(text)
    with store.write():
        known = PlanRow.get_or_none(PlanRow.id == plan_id)
        if known is not None:
            return Submission(plan_record(known), False, ())
        earlier = PlanRow.shown().where(PlanRow.file == str(file)).order_by(PlanRow.created_at.desc()).first()
        now = store.now()
        row = PlanRow.create(
            id=plan_id,
            name=file.stem,
            file=str(file),
            text=text,
            options=options,
            state=PlanState.QUEUED.value,
            workspace=str(workspace),
            supersedes=earlier.id if earlier else None,
            created_at=now,
            updated_at=now,
        )
        RejectionRow.delete().where(RejectionRow.file == str(file)).execute()
        ready = pipeline.next_plan_run(plan_id, Phase.INGEST, now)
        return Submission(plan_record(row), True, tuple(ready))


def get(store: Store, plan_id: str) -> Plan:
    with store.reading():
        return plan_record(PlanRow.get_by_id(plan_id))


def all_plans(store: Store) -> tuple[Plan, ...]:
    with store.reading():
        return tuple(plan_record(row) for row in PlanRow.shown().order_by(PlanRow.created_at))


def tasks_of(store: Store, plan_id: str) -> tuple[Task, ...]:
    with store.reading():
        return tuple(task_record(row) for row in TaskRow.select().where(TaskRow.plan == plan_id).order_by(TaskRow.seq))


def task(store: Store, task_id: int) -> Task:
    with store.reading():
        return task_record(TaskRow.get_by_id(task_id))


def retry(
    store: Store,
    plan_id: str | None,
    *,
    only: Collection[str] | None = None,
    cancelled: bool = False,
    renewed: bool = True,
) -> tuple[int, tuple[int, ...]]:
    """Set failed and parked work back, of one plan or of all; what was cancelled only of a plan that is named, or with
    ``cancelled``.

    Args:
        only: see ``pipeline.retry_plan``.
        renewed: whether the plans may use their budgets once more.

    Returns (items set back, runs that became ready).
    """
    count, ready = 0, []
    with store.write():
        query = PlanRow.shown().order_by(PlanRow.created_at)
        for row in query.where(PlanRow.id == plan_id) if plan_id else query:
            number, runs = pipeline.retry_plan(row, store.now(), cancelled=cancelled or plan_id is not None, only=only)
            count += number
            ready += runs
            if number and renewed:
                budgets.renew(row.id, store.now())
    return count, tuple(ready)


def remember_base(store: Store, plan_id: str, commit: str | None, baseline: list[list[str | None]]) -> None:
    """Inside a transaction: where the plan's repository stood before LAO's first commit."""
    PlanRow.update(base_commit=commit, baseline=baseline, updated_at=store.now()).where(PlanRow.id == plan_id).execute()


def reject(store: Store, file: Path, digest: str, reason: str) -> bool:
    """Note that a file cannot be a plan. False when that is known already."""
    with store.write():
        known = RejectionRow.get_or_none(RejectionRow.file == str(file))
        if known is not None and known.digest == digest:
            return False
        RejectionRow.replace(file=str(file), digest=digest, reason=reason, at=store.now()).execute()
        return True


def rejections(store: Store) -> tuple[tuple[str, str, str], ...]:
    """(file, digest, reason) of plan files that could not be taken."""
    with store.reading():
        return tuple((r.file, r.digest, r.reason) for r in RejectionRow.select().order_by(RejectionRow.file))
