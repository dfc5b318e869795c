"""Tasks and their attempts out of the rows of a plan. Reads no state; gets what git knows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from lao.reports import evidence as proofs
from lao.reports.changes import Change
from lao.reports.model import CHECKED, NONE, PROVED, AttemptReport, Claim, Figure, FindingReport, TaskReport
from lao.reports.refs import ref
from lao.reports.risk import Known, risk
from lao.reports.wording import several, state
from lao.state.report_rows import CallFacts, FindingFacts, PlanFacts, RunFacts, TaskFacts, ValidationFacts

SUPERSEDED: Final = "superseded"
"""How an attempt ended that another one followed."""

_ENDED: Final = ("done", "failed", "skipped")


def commits_of(facts: PlanFacts, task: TaskFacts) -> tuple[str, ...]:
    """All commits that its coder made, the oldest first."""
    made = [run.commit for run in facts.runs if run.task == task.id and run.commit]
    return tuple(dict.fromkeys([*made, *([task.commit] if task.commit else [])]))


def findings_of(facts: PlanFacts) -> tuple[FindingReport, ...]:
    """All findings, the standing ones first, then the gravest, then the oldest."""
    attempts = {task.id: task.attempts for task in facts.tasks}
    latest = {run.phase: run.id for run in sorted(facts.runs, key=lambda one: one.id) if run.task is None}
    order = ("critical", "major", "minor", "info")
    found = [_finding(row, attempts, set(latest.values())) for row in facts.findings]
    return tuple(sorted(found, key=lambda one: (not one.standing, order.index(one.severity))))


def tasks_of(
    facts: PlanFacts, findings: Sequence[FindingReport], changed: Mapping[str, Change]
) -> tuple[TaskReport, ...]:
    """Every task, the one whose diff deserves a look most first; of equals the earlier one."""
    reports = [_task(facts, task, findings, changed) for task in facts.tasks]
    return tuple(sorted(reports, key=lambda one: (-one.risk, one.id)))


def _finding(row: FindingFacts, attempts: Mapping[int, int], latest: Collection[int]) -> FindingReport:
    standing = row.run in latest if row.task is None else row.attempt == attempts.get(row.task)
    item = row.finding
    return FindingReport(
        severity=item.severity.value,
        kind=item.kind,
        message=item.message,
        file=item.file,
        hint=item.hint,
        analyzer=item.analyzer,
        confidence=item.confidence,
        task=row.task,
        standing=standing,
        ref=ref("finding", row.id),
    )


def _task(
    facts: PlanFacts, task: TaskFacts, findings: Sequence[FindingReport], changed: Mapping[str, Change]
) -> TaskReport:
    own = [row for row in facts.validations if row.task == task.id]
    now = proofs.of_last_run(own, proofs.TASK)
    proof = proofs.proof(now, own)
    standing = tuple(one for one in findings if one.task == task.id and one.standing)
    commits = commits_of(facts, task)
    known = [changed[commit] for commit in commits if commit in changed]
    measured = bool(commits) and len(known) == len(commits)
    added, removed = sum(one.added for one in known), sum(one.removed for one in known)
    points, why = risk(
        replace(
            _known(task, proof, standing, known, added + removed if measured else None),
            failing=sum(not row.passed for row in now),
        )
    )
    before = proofs.first_before(own)
    shown = [before[row.command] for row in now if row.command in before]
    return TaskReport(
        id=task.id,
        title=task.title,
        state=task.state,
        claim=_claim(facts, task, now, proof),
        attempts=_attempts(facts, task),
        evidence=tuple(proofs.evidence(row) for row in (*shown, *now)),
        findings=standing,
        commit=task.commit,
        files=task.files,
        added=added if measured else None,
        removed=removed if measured else None,
        risk=points,
        risk_why=why,
        reason=task.reason,
        proof=proof,
        commits=commits,
        depends_on=task.needs,
    )


def _known(
    task: TaskFacts, proof: str, standing: Sequence[FindingReport], changes: Sequence[Change], lines: int | None
) -> Known:
    blocking = sum(one.severity in ("critical", "major") for one in standing)
    lost = [one.lost for one in changes]
    names = None if not lost or None in lost else tuple(dict.fromkeys(name for part in lost for name in part or ()))
    return Known(
        state=task.state,
        proof=proof,
        changed=lines,
        files=task.files,
        wanted=task.wanted,
        lost=names,
        blocking=blocking,
        other=len(standing) - blocking,
        attempts=task.attempts,
    )


def _claim(facts: PlanFacts, task: TaskFacts, now: Sequence[ValidationFacts], proof: str) -> Claim:
    begun = f" in attempt {task.attempts}" if task.attempts else ", never begun"
    meaning = {
        PROVED: ", among them what failed before the work",
        CHECKED: ", none of which failed before the work",
        NONE: "",
    }[proof]
    text = f"task {task.id} is {state(task.state)}{begun}: {proofs.pass_text(now)}{meaning}"
    refs = [ref("task", task.id), *(ref("validation", row.id) for row in now)]
    figures: list[Figure] = [("tasks", 1), *proofs.counted(now)]
    if proof == PROVED:
        before = [row for row in facts.validations if row.task == task.id and row.moment == proofs.BEFORE]
        failed = {row.command: row for row in before if not row.passed}
        mended = list(dict.fromkeys(failed[row.command].id for row in now if row.passed and row.command in failed))
        refs += [ref("validation", number) for number in mended]
        figures.append(("before.failed", len(mended)))
    return Claim(text, tuple(refs), tuple(figures))


def _attempts(facts: PlanFacts, task: TaskFacts) -> tuple[AttemptReport, ...]:
    numbers = sorted({run.attempt for run in facts.runs if run.task == task.id})
    return tuple(_attempt(facts, task, number) for number in numbers)


def _attempt(facts: PlanFacts, task: TaskFacts, number: int) -> AttemptReport:
    runs = [run for run in facts.runs if run.task == task.id and run.attempt == number]
    ids = {run.id for run in runs}
    calls = [call for call in facts.calls if call.run in ids]
    begun = [run.started for run in runs if run.started is not None]
    ends = [run.ended for run in runs if run.ended is not None]
    over = all(run.state in _ENDED for run in runs)
    outcome = task.state if number == task.attempts else SUPERSEDED
    reason = next((run.reason for run in reversed(runs) if run.reason), "")
    tokens = sum(call.prompt + call.completion for call in calls)
    return AttemptReport(
        number=number,
        outcome=outcome,
        reason=reason,
        started=min(begun, default=None),
        ended=max(ends, default=None) if over else None,
        calls=len(calls),
        tokens=tokens,
        crashes=sum(run.crashes for run in runs),
        claim=_attempt_claim(task, number, runs, calls),
    )


def _attempt_claim(task: TaskFacts, number: int, runs: Sequence[RunFacts], calls: Sequence[CallFacts]) -> Claim:
    crashed = sum(run.crashes for run in runs)
    died = f", a worker died in it {several(crashed, 'time')}" if crashed else ""
    refs = (*(ref("run", run.id) for run in runs), *(ref("event", call.id) for call in calls))
    figures = (("runs", len(runs)), ("calls", len(calls)), ("crashes", crashed))
    phases = ", ".join(f"{run.phase} {run.state}" for run in runs)
    text = f"attempt {number} of task {task.id}: {phases}; {several(len(calls), 'model call')}{died}"
    return Claim(text, refs, figures)
