"""Which commands decide about a plan or a task, with what the record says of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from lao.core.words import Finding, Severity, TaskSpec
from lao.quality.commands import Commands, validation_commands
from lao.quality.inference import inferred
from lao.state import ledger
from lao.state.records import Plan
from workflows.factory import Factory
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
    return _explicit(work.factory, work.plan, task, root)


def _explicit(factory: Factory, plan: Plan, task: TaskSpec | None, root: Path) -> Commands:
    told = replace(factory.settings.orchestration, infer_validation_commands=False)
    return validation_commands(told, plan.options, task, root)


def inferred_for(factory: Factory, plan: Plan) -> tuple[str, ...]:
    """What the manifests in a plan's workspace ask for, a line each; nothing where the commands are named.

    Raises:
        BadInput: the plan's ``validation`` has a form that is not known. OSError: the folder cannot be read.
    """
    if not factory.settings.orchestration.infer_validation_commands or _explicit(factory, plan, None, plan.workspace):
        return ()
    return tuple(item.line for item in inferred(plan.workspace))


def inference_note(work: Work) -> tuple[Finding, ...]:
    """What the manifests ask for, for the plan's record; nothing where the commands are named."""
    lines = inferred_for(work.factory, work.plan)
    if not lines:
        return ()
    return (Finding(Severity.INFO, "inferred_commands", f"inferred: {'; '.join(lines)}", "", "", "inference"),)
