"""Which commands decide about a plan or a task, with what the record says of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from lao.core.words import Finding, Severity, TaskSpec
from lao.quality.commands import Commands, validation_commands
from lao.quality.inference import inferred
from lao.state import ledger
from workflows.work import Work

_STYLE: Final = frozenset({"lint", "check"})


def commands_of(work: Work, task: TaskSpec | None, root: Path) -> Commands:
    """``validation_commands``; an inferred linter or type checker only where it passed before: nobody asked the plan
    to clean up what it found.

    Raises:
        BadInput: the plan's ``validation`` has a form that is not known.
    """
    told, plan = work.factory.settings.orchestration, work.plan
    found = validation_commands(told, plan.options, task, root)
    if not any(kind in _STYLE for kind, _ in found) or explicit_commands(work, task, root):
        return found
    store = work.factory.store
    return tuple((k, c) for k, c in found if k not in _STYLE or ledger.passed_before(store, plan.id, c))


def explicit_commands(work: Work, task: TaskSpec | None, root: Path) -> Commands:
    """Those that somebody has named."""
    told = replace(work.factory.settings.orchestration, infer_validation_commands=False)
    return validation_commands(told, work.plan.options, task, root)


def inference_note(work: Work, root: Path) -> tuple[Finding, ...]:
    """What the manifests ask for, for the plan's record; nothing where the commands are named."""
    if not work.factory.settings.orchestration.infer_validation_commands or explicit_commands(work, None, root):
        return ()
    lines = [item.line for item in inferred(root)]
    if not lines:
        return ()
    return (Finding(Severity.INFO, "inferred_commands", f"inferred: {'; '.join(lines)}", "", "", "inference"),)
