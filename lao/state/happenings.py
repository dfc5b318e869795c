"""What happened, out of every table that says so, in the order of time: one record a line of ``lao logs``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from lao.core.states import PILOT_PLAN
from lao.state.judgement_tables import JudgementRow
from lao.state.store import Store
from lao.state.tables import (
    ApprovalRow,
    AuditRow,
    FindingRow,
    ModelEventRow,
    PlanRow,
    RunRow,
    StepRow,
    ValidationRow,
)

LONGEST: Final = 300
"""Characters of one line's text."""


@dataclass(frozen=True)
class Scope:
    """Of what: a plan, a task, a run; with all None the whole project."""

    plan: str | None = None
    task: int | None = None
    run: int | None = None


@dataclass(frozen=True)
class Happened:
    """One thing.

    Attributes:
        at: seconds since the epoch.
        kind: plan, run, step, call, model, gate, tool, check, finding, question or judgement.
        ref: the row that says so, for example "run:12:end" or "step:12/3"; unique.
        plan: its name, "" where it belongs to none.
    """

    at: float
    kind: str
    text: str
    ref: str
    plan: str = ""
    task: int | None = None
    run: int | None = None


def happened(store: Store, scope: Scope, *, limit: int, since: float = 0.0) -> tuple[Happened, ...]:
    """The last ``limit`` happenings from ``since`` on, the oldest first."""
    with store.reading():
        names = dict(PlanRow.select(PlanRow.id, PlanRow.name).tuples())
        found: list[Happened] = []
        for source in _SOURCES:
            found += source(scope, names, limit, since)
    return tuple(sorted(found, key=lambda one: (one.at, one.ref))[-limit:])


def _of_runs(row: Any, scope: Scope) -> list[Any]:
    """Conditions for a row that belongs to a run."""
    wanted = []
    if scope.plan is not None:
        wanted.append(RunRow.plan == scope.plan)
    if scope.task is not None:
        wanted.append(RunRow.task == scope.task)
    if scope.run is not None:
        wanted.append(row == scope.run)
    return wanted


def _last(query: Any, at: Any, wanted: Iterable[Any], limit: int, since: float) -> list[Any]:
    return list(query.where(at >= since, *wanted).order_by(at.desc()).limit(limit))


def _one(at: float, kind: str, text: str, ref: str, names: dict[str, str], run: Any) -> Happened:
    plan = names.get(run.plan_id, "") if run is not None and run.plan_id != PILOT_PLAN else ""
    return Happened(
        at, kind, _short(text), ref, plan, run.task_id if run is not None else None, run.id if run is not None else None
    )


def _short(text: str) -> str:
    flat = " ".join(str(text).split())
    return flat if len(flat) <= LONGEST else flat[: LONGEST - 1] + "…"


def _plans(scope: Scope, names: dict[str, str], limit: int, since: float) -> list[Happened]:
    if scope.task is not None or scope.run is not None:
        return []
    wanted = [PlanRow.id == scope.plan] if scope.plan is not None else []
    return [
        Happened(row.created_at, "plan", f"handed in: {row.file}", f"plan:{row.id}", names[row.id])
        for row in _last(PlanRow.shown(), PlanRow.created_at, wanted, limit, since)
    ]


def _runs(scope: Scope, names: dict[str, str], limit: int, since: float) -> list[Happened]:
    wanted = _of_runs(RunRow.id, scope)
    found = []
    for row in _last(RunRow.select(), RunRow.started_at, wanted, limit, since):
        text = f"{row.phase} begins, attempt {row.attempt}"
        found.append(_one(row.started_at, "run", text, f"run:{row.id}:begin", names, row))
    for row in _last(RunRow.select(), RunRow.finished_at, wanted, limit, since):
        text = f"{row.phase} is {row.state}{': ' + row.reason if row.reason else ''}"
        found.append(_one(row.finished_at, "run", text, f"run:{row.id}:end", names, row))
    return found


def _steps(scope: Scope, names: dict[str, str], limit: int, since: float) -> list[Happened]:
    query = StepRow.select(StepRow, RunRow).join(RunRow)
    return [
        _one(row.at, "step", f"{row.label}: {row.state}", f"step:{row.run_id}/{row.seq}", names, row.run)
        for row in _last(query, StepRow.at, _of_runs(StepRow.run, scope), limit, since)
    ]


def _models(scope: Scope, names: dict[str, str], limit: int, since: float) -> list[Happened]:
    query = ModelEventRow.select(ModelEventRow, RunRow).join(RunRow, "LEFT OUTER JOIN")
    found = []
    for row in _last(query, ModelEventRow.at, _of_runs(ModelEventRow.run, scope), limit, since):
        kind = {"call": "call", "gate": "gate"}.get(row.kind, "model")
        said = (row.data or {}).get("text", "") if isinstance(row.data, dict) else ""
        if row.kind == "call":
            said = f"{row.prompt_tokens} tokens read, {row.completion_tokens} written in {row.seconds:.1f} s"
        text = f"{row.role} {row.model}: {said or row.kind}".strip()
        found.append(_one(row.at, kind, text, f"event:{row.id}", names, row.run if row.run_id else None))
    return found


def _tools(scope: Scope, names: dict[str, str], limit: int, since: float) -> list[Happened]:
    query = AuditRow.select(AuditRow, RunRow).join(RunRow, "LEFT OUTER JOIN")
    found = []
    for row in _last(query, AuditRow.at, _of_runs(AuditRow.run, scope), limit, since):
        given = row.arguments if isinstance(row.arguments, dict) else {}
        what = given.get("path") or given.get("command") or ""
        how = (
            f"refused: {row.reason}"
            if not row.granted
            else "ok"
            if row.ok
            else "failed"
            if row.ok is False
            else "asked"
        )
        run = row.run if row.run_id else None
        found.append(_one(row.at, "tool", f"{row.tool} {what}: {how}", f"audit:{row.id}", names, run))
    return found


def _checks(scope: Scope, names: dict[str, str], limit: int, since: float) -> list[Happened]:
    query = ValidationRow.select(ValidationRow, RunRow).join(RunRow)
    found = []
    for row in _last(query, ValidationRow.at, _of_runs(ValidationRow.run, scope), limit, since):
        ended = "timed out" if row.timed_out else f"exit code {row.exit_code}"
        text = f"{row.command} ({row.moment}): {ended} after {row.seconds:.1f} s"
        found.append(_one(row.at, "check", text, f"validation:{row.id}", names, row.run))
    return found


def _findings(scope: Scope, names: dict[str, str], limit: int, since: float) -> list[Happened]:
    query = FindingRow.select(FindingRow, RunRow).join(RunRow, "LEFT OUTER JOIN")
    found = []
    for row in _last(query, FindingRow.at, _of_runs(FindingRow.run, scope), limit, since):
        text = f"{row.finding.get('severity', '')} {row.finding.get('kind', '')}: {row.finding.get('message', '')}"
        run = row.run if row.run_id else None
        found.append(_one(row.at, "finding", text, f"finding:{row.id}", names, run))
    return found


def _questions(scope: Scope, names: dict[str, str], limit: int, since: float) -> list[Happened]:
    query = ApprovalRow.select(ApprovalRow, RunRow).join(RunRow)
    found = []
    for row in _last(query, ApprovalRow.asked_at, _of_runs(ApprovalRow.run, scope), limit, since):
        text = f"{row.tool}: {'open' if row.answer is None else 'answered ' + row.answer}"
        found.append(_one(row.asked_at, "question", text, f"approval:{row.id}", names, row.run))
    return found


def _judgements(scope: Scope, names: dict[str, str], limit: int, since: float) -> list[Happened]:
    if scope.task is not None or scope.run is not None:
        return []
    wanted = [JudgementRow.plan == scope.plan] if scope.plan is not None else []
    return [
        Happened(row.at, "judgement", _short(f"{row.verdict} {row.note}"), f"judgement:{row.id}", names[row.plan_id])
        for row in _last(JudgementRow.select(), JudgementRow.at, wanted, limit, since)
    ]


_SOURCES: Final[tuple[Callable[[Scope, dict[str, str], int, float], list[Happened]], ...]] = (
    _plans, _runs, _steps, _models, _tools, _checks, _findings, _questions, _judgements,
)  # fmt: skip
