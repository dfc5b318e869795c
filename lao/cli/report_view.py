"""A report on the terminal: short, the most urgent first. Draws what ``lao.reports.model`` holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lao.cli.context import emit
from lao.cli.look import Look, duration, here
from lao.cli.project import since

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lao.reports.check import Checked
    from lao.reports.model import Evidence, NextStep, NightReport, PlanReport, TaskReport

_TASKS, _FINDINGS, _STEPS, _REQUIREMENTS = 20, 10, 8, 30
_STATUS: Final = {"proved": "proved", "checked": "checked", "unchecked": "warn", "open": "waiting", "failed": "failed"}
_BAD: Final = ("failed", "needs_human", "cancelled")


def print_plan(report: PlanReport, state_dir: Path, *, every: bool) -> None:
    """One plan."""
    from lao.reports.files import folder_of

    look = here()
    _head(report, look)
    for task in [task for task in report.tasks if task.state in _BAD]:
        _failed(task, look)
    for item in [item for item in report.commands if not item.passed]:
        emit(look.plain(f"{look.mark('fail')} on the whole: {_outcome(item, look)}"))
    _requirements(report, look)
    _tasks(report, look)
    shown = report.findings if every else report.findings[:_FINDINGS]
    for one in shown:
        if one.standing or every:
            where = f"{one.file}: " if one.file else ""
            emit(f"  {look.mark(one.severity)} {look.clean(f'{one.severity}: {where}{one.message}')}")
    if report.findings_total > len(shown):
        emit(f"  {len(shown)} of {report.findings_total} findings looked at; 'lao report {report.id} --all' lists them")
    for claim in (*report.claims, *(one.claim for one in report.usage)):
        emit(f"  {look.clean(claim.text)}")
    _steps(report.next_steps, look)
    if report.over:
        emit(look.plain(f"in full: {folder_of(state_dir, report.id) / 'LAO_QUALITY.md'}"))


def print_night(night: NightReport) -> None:
    """All plans of a night."""
    look = here()
    if not night.plans:
        emit(f"nothing was worked on since {since(night.since)}; 'lao report --since 2d' looks further back")
        return
    emit(f"{since(night.since)} to {since(night.until)}")
    for claim in night.headline:
        emit(f"  {look.clean(claim.text)}")
    for plan in night.plans:
        emit()
        _head(plan, look)
        for task in [task for task in plan.tasks if task.state in _BAD]:
            _failed(task, look)
    _steps(night.next_steps, look)
    emit(f"one plan in full: 'lao report {night.plans[0].id}'")


def print_checked(found: Sequence[Checked], problems: Sequence[dict[str, Any]]) -> None:
    """What the checker found: each problem with its place, then the sum."""
    look = here()
    for one in problems:
        place = f"{one['place']}: " if one["place"] else ""
        text = f"{one['file']}: {place}{one['problem']}"
        emit(f"{look.mark('fail')} {look.clean(text)}")
    for checked in found:
        if not checked.problems:
            told = f"{checked.statements} statements, {checked.references} references, all resolve"
            emit(f"{look.mark('ok')} {look.clean(f'{checked.file}: {checked.note or told}')}")
    if not found and not problems:
        emit("no plan is over yet, so there is no report to check")


def _head(report: PlanReport, look: Look) -> None:
    took = "" if report.ended is None else f", {duration(report.ended - report.started)}"
    emit(f"{look.mark(report.state)} {look.clean(report.name)} ({report.id}{took}): {look.clean(report.claim.text)}")
    if report.reason:
        emit(f"  {look.clean(report.reason)}")


def _failed(task: TaskReport, look: Look) -> None:
    why = task.reason.splitlines()[0] if task.reason else "no reason is recorded"
    emit(f"  {look.mark(task.state)} {look.clean(f'task {task.id} {task.title}: {why}')}")


def _outcome(item: Evidence, look: Look) -> str:
    how = "outcome unknown" if item.exit_code is None else f"exit code {item.exit_code}"
    return look.clean(f"{item.command}: {how}")


def _requirements(report: PlanReport, look: Look) -> None:
    order = ("failed", "unchecked", "open", "checked", "proved")
    rows = sorted(report.requirements, key=lambda one: order.index(one.status))
    for one in rows[:_REQUIREMENTS]:
        word = look.word(_STATUS[one.status], one.status)
        emit(f"  {look.mark(_STATUS[one.status])} {word} {look.clean(f'{one.key}: {one.text}')}")
    if len(rows) > _REQUIREMENTS:
        emit(f"  … and {len(rows) - _REQUIREMENTS} more requirements")


def _tasks(report: PlanReport, look: Look) -> None:
    """The riskiest diffs first."""
    for task in report.tasks[:_TASKS]:
        if task.state not in _BAD:
            size = "" if task.added is None else f" +{task.added} -{task.removed}"
            proof = task.proof if task.state == "completed" else task.state
            text = f"task {task.id} {task.title}: {proof}{size}, look {task.risk:g}: {task.risk_why[0]}"
            emit(f"  {look.mark(proof)} {look.clean(text)}")
    if len(report.tasks) > _TASKS:
        emit(f"  … and {len(report.tasks) - _TASKS} more tasks; --markdown lists them")


def _steps(steps: Sequence[NextStep], look: Look) -> None:
    for step in steps[:_STEPS]:
        emit(f"{look.mark('remedy')} {look.paint(look.clean(step.command), 'strong')}  {look.clean(step.why)}")
