"""All rows of a plan that its report rests on, read in one transaction so that they agree. Judges nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import peewee as pw

from lao.core.errors import BadInput
from lao.core.states import PILOT_PLAN
from lao.core.words import Finding, Json
from lao.state.records import Plan, finding_of, plan_record
from lao.state.requirements import Requirement, of_plan
from lao.state.store import Store
from lao.state.tables import (
    ApprovalRow,
    DependencyRow,
    EnergyRow,
    FindingRow,
    ModelEventRow,
    PlanRow,
    RunRow,
    TaskRow,
    ValidationRow,
)

EXCERPT: Final = 2_000
"""Characters of a command's output, its end."""

MODELS: Final = ("load", "found", "unload", "gate")


@dataclass(frozen=True)
class TaskFacts:
    """A task's row. ``needs``: ids of the tasks that it waits for; ``wanted``: the paths that it was given."""

    id: int
    title: str
    state: str
    attempts: int
    reason: str
    files: tuple[str, ...]
    wanted: tuple[str, ...]
    commit: str | None
    needs: tuple[int, ...]


@dataclass(frozen=True)
class RunFacts:
    """A run's row; times in seconds since the epoch, None as long as it has not begun or is not over.

    Attributes:
        ready: when it became ready, as far as it has.
        commit: that it made, "" when it made none.
    """

    id: int
    task: int | None
    phase: str
    attempt: int
    state: str
    ready: float
    started: float | None
    ended: float | None
    crashes: int
    errors: int
    reason: str
    commit: str


@dataclass(frozen=True)
class ValidationFacts:
    """A command that LAO ran; ``excerpt`` is the end of its output, ``at`` when it was recorded."""

    id: int
    task: int | None
    run: int
    moment: str
    commit: str | None
    command: str
    exit_code: int | None
    timed_out: bool
    seconds: float
    excerpt: str
    isolation: str

    @property
    def passed(self) -> bool:
        return self.exit_code == 0 and not self.timed_out


@dataclass(frozen=True)
class FindingFacts:
    """A finding's row; ``attempt`` of the run that has it, 0 when it belongs to no run."""

    id: int
    task: int | None
    run: int | None
    attempt: int
    finding: Finding


@dataclass(frozen=True)
class CallFacts:
    """A model call of a run; ``at`` is its end, in seconds since the epoch."""

    id: int
    run: int
    role: str
    model: str
    prompt: int
    completion: int
    cached: int | None
    seconds: float
    at: float
    label: str


@dataclass(frozen=True)
class ModelFacts:
    """What happened to models: load, found, unload or gate.

    Attributes:
        run: the one that it was for, None where that is not known.
        before: the model that was loaded before, "" when none was.
    """

    id: int
    kind: str
    model: str
    event: str
    text: str
    seconds: float
    at: float
    run: int | None
    before: str = ""


@dataclass(frozen=True)
class EnergyFacts:
    """A stretch of a phase with a model that is over; ``joules`` None: not measured."""

    run: int
    joules: float | None
    source: str


@dataclass(frozen=True)
class QuestionFacts:
    """A question that is open."""

    id: int
    run: int
    task: int | None
    tool: str
    reason: str
    asked: float


@dataclass(frozen=True)
class PlanFacts:
    """Everything. ``moved``: when the plan's state changed last."""

    plan: Plan
    moved: float
    tasks: tuple[TaskFacts, ...]
    runs: tuple[RunFacts, ...]
    validations: tuple[ValidationFacts, ...]
    findings: tuple[FindingFacts, ...]
    calls: tuple[CallFacts, ...]
    models: tuple[ModelFacts, ...]
    energy: tuple[EnergyFacts, ...]
    questions: tuple[QuestionFacts, ...]
    requirements: tuple[Requirement, ...]


def plan_facts(store: Store, plan_id: str) -> PlanFacts:
    """Everything that is recorded of a plan.

    Raises:
        BadInput: there is no such plan.
    """
    with store.reading(), store.db.atomic():
        row = PlanRow.shown().where(PlanRow.id == plan_id).first()
        if row is None:
            raise BadInput(f"no plan {plan_id!r}", "'lao status' lists the plans")
        runs = _runs(plan_id)
        own = {run.id for run in runs}
        return PlanFacts(
            plan=plan_record(row),
            moved=row.updated_at,
            tasks=_tasks(plan_id),
            runs=runs,
            validations=_validations(plan_id),
            findings=_findings(plan_id),
            calls=_calls(plan_id),
            models=tuple(item for item in _models() if item.run in own),
            energy=_energy(plan_id),
            questions=_questions(plan_id),
            requirements=of_plan(store, plan_id),
        )


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


def model_facts(store: Store, since: float, until: float) -> tuple[ModelFacts, ...]:
    """What happened to models in a window, whoever it was for."""
    with store.reading(), store.db.atomic():
        return tuple(item for item in _models() if since <= item.at <= until)


def _tasks(plan_id: str) -> tuple[TaskFacts, ...]:
    needs: dict[int, list[int]] = {}
    edges = DependencyRow.select(DependencyRow.task, DependencyRow.needs).join(TaskRow, on=DependencyRow.task)
    for task, needed in edges.where(TaskRow.plan == plan_id).order_by(DependencyRow.needs).tuples():
        needs.setdefault(task, []).append(needed)
    return tuple(
        TaskFacts(
            id=row.id,
            title=row.title,
            state=row.state,
            attempts=row.attempts,
            reason=row.reason,
            files=tuple(row.files),
            wanted=tuple(row.file_paths),
            commit=row.commit,
            needs=tuple(needs.get(row.id, ())),
        )
        for row in TaskRow.select().where(TaskRow.plan == plan_id).order_by(TaskRow.seq)
    )


def _runs(plan_id: str) -> tuple[RunFacts, ...]:
    return tuple(
        RunFacts(
            id=row.id,
            task=row.task_id,
            phase=row.phase,
            attempt=row.attempt,
            state=row.state,
            ready=row.created_at,
            started=row.started_at,
            ended=row.finished_at,
            crashes=row.crashes,
            errors=row.errors,
            reason=row.reason,
            commit=_commit_of(row),
        )
        for row in RunRow.select().where(RunRow.plan == plan_id).order_by(RunRow.id)
    )


def _commit_of(row: Any) -> str:
    """Only a coder's run makes one; the results of the others repeat it."""
    made: Json = (row.result or {}).get("commit") if row.phase == "code" and isinstance(row.result, dict) else None
    return str(made) if made else ""


def _validations(plan_id: str) -> tuple[ValidationFacts, ...]:
    v = ValidationRow
    fields = (v.id, v.task, v.run, v.moment, v.commit, v.command, v.exit_code, v.timed_out, v.seconds)
    excerpt = pw.fn.SUBSTR(v.output, -EXCERPT)
    query = v.select(*fields, excerpt, v.isolation).where(v.plan == plan_id).order_by(v.id)
    return tuple(
        ValidationFacts(ident, task, run, moment, commit, command, code, bool(late), seconds, end or "", around)
        for ident, task, run, moment, commit, command, code, late, seconds, end, around in query.tuples()
    )


def _findings(plan_id: str) -> tuple[FindingFacts, ...]:
    rows = FindingRow.select(FindingRow, RunRow).join(RunRow, pw.JOIN.LEFT_OUTER).where(FindingRow.plan == plan_id)
    return tuple(
        FindingFacts(row.id, row.task_id, row.run_id, row.run.attempt if row.run_id else 0, finding_of(row))
        for row in rows.order_by(FindingRow.id)
    )


def _calls(plan_id: str) -> tuple[CallFacts, ...]:
    rows = ModelEventRow.select().join(RunRow).where(RunRow.plan == plan_id, ModelEventRow.kind == "call")
    return tuple(
        CallFacts(
            id=row.id,
            run=row.run_id,
            role=row.role,
            model=row.model,
            prompt=row.prompt_tokens,
            completion=row.completion_tokens,
            cached=row.cached_tokens,
            seconds=row.seconds,
            at=row.at,
            label=str((row.data or {}).get("label", "")),
        )
        for row in rows.order_by(ModelEventRow.id)
    )


def _models() -> list[ModelFacts]:
    """All that ever happened to them, since each load is told with the model before it."""
    found, before = [], ""
    for row in ModelEventRow.select().where(ModelEventRow.kind.in_(MODELS)).order_by(ModelEventRow.id):
        data = row.data or {}
        run = data.get("run")
        found.append(
            ModelFacts(
                id=row.id,
                kind=row.kind,
                model=row.model,
                event=str(data.get("event", "")),
                text=str(data.get("text", "")),
                seconds=row.seconds,
                at=row.at,
                run=run if isinstance(run, int) else None,
                before=before,
            )
        )
        before = row.model if row.kind in ("load", "found") else before
    return found


def _energy(plan_id: str) -> tuple[EnergyFacts, ...]:
    fields = (EnergyRow.run, EnergyRow.joules, EnergyRow.source)
    query = EnergyRow.select(*fields).join(RunRow).where(RunRow.plan == plan_id, RunRow.state != "running")
    return tuple(EnergyFacts(*row) for row in query.order_by(EnergyRow.run, EnergyRow.epoch).tuples())


def _questions(plan_id: str) -> tuple[QuestionFacts, ...]:
    rows = (
        ApprovalRow.select(ApprovalRow, RunRow)
        .join(RunRow)
        .where(RunRow.plan == plan_id, ApprovalRow.answer.is_null(), RunRow.state.in_(["ready", "running"]))
    )
    return tuple(
        QuestionFacts(row.id, row.run_id, row.run.task_id, row.tool, row.reason, row.asked_at)
        for row in rows.order_by(ApprovalRow.id)
    )
