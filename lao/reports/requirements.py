"""How each requirement of a plan stands, by the commands that decide it, else by the tasks that answer it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lao.core.states import TERMINAL_PLANS
from lao.reports import evidence as proofs
from lao.reports.model import CHECKED, FAILED, OPEN, PROVED, UNCHECKED, Claim, RequirementStatus, TaskReport
from lao.reports.refs import ref
from lao.reports.wording import state
from lao.state.report_rows import PlanFacts, ValidationFacts
from lao.state.requirements import Requirement

_BAD = ("failed", "needs_human", "cancelled")


def requirements_of(facts: PlanFacts, tasks: Sequence[TaskReport]) -> tuple[RequirementStatus, ...]:
    """In the plan's order."""
    known = {task.id: task for task in tasks}
    return tuple(_status(facts, one, known) for one in facts.requirements)


def _status(facts: PlanFacts, one: Requirement, known: Mapping[int, TaskReport]) -> RequirementStatus:
    answering = [known[number] for number in one.tasks if number in known]
    deciding = [row for command in one.commands if (row := _newest(facts, command)) is not None]
    status, why = _judged(facts, one, answering, deciding)
    refs = (
        ref("requirement", facts.plan.id, one.key),
        *(ref("task", task.id) for task in answering),
        *(ref("validation", row.id) for row in deciding),
    )
    figures = (("tasks", len(answering)), *proofs.counted(deciding))
    shown = [proofs.evidence(row) for row in deciding] or [
        item for task in answering for item in task.evidence if item.moment == proofs.TASK
    ]
    claim = Claim(f"{one.key}: {status}, {why}", refs, figures)
    return RequirementStatus(one.key, one.text, one.line, status, claim, tuple(shown), one.tasks, one.source)


def _newest(facts: PlanFacts, command: str) -> ValidationFacts | None:
    """The last time that the command was run after work had begun; the close counts before all others."""
    rows = [row for row in facts.validations if row.command == command and row.moment != proofs.BEFORE]
    closing = proofs.of_last_run(facts.validations, proofs.CLOSE)
    return next((row for row in closing if row.command == command), rows[-1] if rows else None)


def _judged(
    facts: PlanFacts, one: Requirement, answering: Sequence[TaskReport], deciding: Sequence[ValidationFacts]
) -> tuple[str, str]:
    over = facts.plan.state in TERMINAL_PLANS
    if any(not row.passed for row in deciding):
        return FAILED, f"{proofs.pass_text(deciding)}"
    bad = [task for task in answering if task.state in _BAD]
    if bad:
        return FAILED, "; ".join(f"task {task.id} is {state(task.state)}" for task in bad)
    unfinished = [task for task in answering if task.state != "completed"]
    missing = [command for command in one.commands if command not in {row.command for row in deciding}]
    if not over or unfinished:
        return OPEN, "not over yet"
    if one.commands and not missing:
        return _proof_of(facts, deciding), proofs.pass_text(deciding)
    if missing:
        return UNCHECKED, f"{missing[0]!r} was not run on the whole"
    if not answering:
        return UNCHECKED, "no task and no command answers it"
    return _weakest(answering)


def _proof_of(facts: PlanFacts, deciding: Sequence[ValidationFacts]) -> str:
    return PROVED if proofs.proof(deciding, facts.validations) == PROVED else CHECKED


def _weakest(answering: Sequence[TaskReport]) -> tuple[str, str]:
    """What its tasks prove: as much as the one that proves least."""
    named = ", ".join(f"task {task.id}" for task in answering)
    grades = {task.proof for task in answering}
    if "none" in grades:
        return UNCHECKED, f"{named} done without a command that could fail"
    return (CHECKED if CHECKED in grades else PROVED), f"by the commands of {named}"
