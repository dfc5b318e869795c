"""Which of the commands that LAO ran count for a task and for the whole, and what they prove. Reads no state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lao.reports.model import CHECKED, NONE, PROVED, Evidence, Figure
from lao.reports.refs import ref
from lao.state.report_rows import ValidationFacts

BEFORE, TASK, CLOSE = "before", "task", "close"


def evidence(row: ValidationFacts) -> Evidence:
    """The row as evidence."""
    return Evidence(
        command=row.command,
        exit_code=row.exit_code,
        passed=row.passed,
        seconds=row.seconds,
        excerpt=row.excerpt,
        commit=row.commit,
        moment=row.moment,
        isolation=row.isolation,
        ref=ref("validation", row.id),
    )


def of_last_run(rows: Iterable[ValidationFacts], moment: str) -> tuple[ValidationFacts, ...]:
    """Those of the newest run that ran commands at this moment."""
    found = [row for row in rows if row.moment == moment]
    last = max((row.run for row in found), default=None)
    return tuple(row for row in found if row.run == last)


def first_before(rows: Iterable[ValidationFacts]) -> dict[str, ValidationFacts]:
    """How each command stood before the work began, by its text: the first such row."""
    found: dict[str, ValidationFacts] = {}
    for row in rows:
        if row.moment == BEFORE:
            found.setdefault(row.command, row)
    return found


def proof(now: Sequence[ValidationFacts], rows: Iterable[ValidationFacts]) -> str:
    """What passing commands prove: proved (one of them failed before), checked (they pass) or none (there are none).

    Args:
        now: the commands of the last verification.
        rows: everything that was run for the same work, among it what was run before.
    """
    failed = {row.command for row in rows if row.moment == BEFORE and not row.passed}
    passing = [row.command for row in now if row.passed]
    if not passing:
        return NONE
    return PROVED if failed.intersection(passing) else CHECKED


def counted(rows: Sequence[ValidationFacts]) -> tuple[Figure, ...]:
    """The figures of a statement that names exactly these rows."""
    return (("commands", len(rows)), ("commands.passed", sum(row.passed for row in rows)))


def pass_text(rows: Sequence[ValidationFacts]) -> str:
    """``12 of 14 commands pass``; ``no command was run`` without any."""
    if not rows:
        return "no command was run"
    passed = sum(row.passed for row in rows)
    return f"{passed} of {len(rows)} commands pass"
