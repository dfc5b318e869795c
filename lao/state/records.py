"""Frozen records of plans, tasks and runs as the layers above see them, and their making from rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from lao.core.states import Phase, PlanState, RunState, TaskState
from lao.core.words import Finding, Json, TaskSpec
from lao.state.tables import DependencyRow, PlanRow, RunRow, TaskRow

Kind = TypeVar("Kind", bound=Enum)


@dataclass(frozen=True)
class Plan:
    """A plan. ``options`` is its front matter; ``baseline`` lists (path, sha256) that were dirty before LAO came."""

    id: str
    name: str
    file: str
    text: str
    options: dict[str, Json]
    state: PlanState
    reason: str
    workspace: Path
    supersedes: str | None
    base_commit: str | None
    baseline: tuple[tuple[str, str | None], ...]
    created_at: float


@dataclass(frozen=True)
class Task:
    """A task with its specification and how it stands. ``feedback`` is what earlier attempts were told."""

    id: int
    plan_id: str
    spec: TaskSpec
    state: TaskState
    attempts: int
    coder_failures: int
    verify_failures: int
    rejections: int
    reason: str
    feedback: tuple[str, ...]
    files: tuple[str, ...]
    commit: str | None
    ladder: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """One run of a phase."""

    id: int
    plan_id: str
    task_id: int | None
    phase: Phase
    attempt: int
    state: RunState
    epoch: int
    not_before: float
    created_at: float
    result: Json


@dataclass(frozen=True)
class Claim:
    """The right to work on a run until somebody raises its epoch.

    Attributes:
        begun_by: the version of LAO whose steps its journal holds, "" when nobody had claimed it.
    """

    run: Run
    epoch: int
    owner: str
    begun_by: str = ""


def _known(kind: type[Kind], value: str) -> Kind:
    """A word of the state; one that LAO does not have is damage, and is told as SQLite tells damage."""
    try:
        return kind(value)
    except ValueError as error:
        raise sqlite3.DatabaseError(f"malformed row: {value!r} is no {kind.__name__}") from error


def plan_record(row: PlanRow) -> Plan:
    return Plan(
        id=row.id,
        name=row.name,
        file=row.file,
        text=row.text,
        options=row.options or {},
        state=_known(PlanState, row.state),
        reason=row.reason,
        workspace=Path(row.workspace),
        supersedes=row.supersedes,
        base_commit=row.base_commit,
        baseline=tuple((path, digest) for path, digest in row.baseline or ()),
        created_at=row.created_at,
    )


def task_record(row: TaskRow) -> Task:
    needs = DependencyRow.select(TaskRow.title).join(TaskRow, on=DependencyRow.needs).where(DependencyRow.task == row)
    spec = TaskSpec(
        title=row.title,
        description=row.description,
        file_paths=tuple(row.file_paths),
        dependencies=tuple(title for (title,) in needs.order_by(TaskRow.seq).tuples()),
        commands=tuple(row.commands),
    )
    return Task(
        id=row.id,
        plan_id=row.plan_id,
        spec=spec,
        state=_known(TaskState, row.state),
        attempts=row.attempts,
        coder_failures=row.coder_failures,
        verify_failures=row.verify_failures,
        rejections=row.rejections,
        reason=row.reason,
        feedback=tuple(row.feedback),
        files=tuple(row.files),
        commit=row.commit,
        ladder=row.ladder or {},
    )


def run_record(row: RunRow) -> Run:
    return Run(
        id=row.id,
        plan_id=row.plan_id,
        task_id=row.task_id,
        phase=_known(Phase, row.phase),
        attempt=row.attempt,
        state=_known(RunState, row.state),
        epoch=row.epoch,
        not_before=row.not_before,
        created_at=row.created_at,
        result=row.result,
    )


def finding_of(row: Any) -> Finding:
    return Finding.from_json(row.finding)
