"""All commands of a plan on one commit: which they are, where they run, and which results hold for it already."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from lao.core.states import Phase, TaskState
from lao.core.steps import StepKind
from lao.core.words import CommandResult, Json
from lao.quality.commands import Commands
from lao.quality.parallel import Lanes, run_parallel
from lao.state import plans, runs
from lao.workspace.git import Repository
from lao.workspace.traces import REVIEW_FILE
from workflows.checks import commands_of, explicit_commands
from workflows.work import Work

_WORKED = frozenset({TaskState.VERIFYING, TaskState.REVIEWING, TaskState.COMPLETED})
"""States of tasks whose commands have passed, where all open tasks only wait for their review."""

_OWN_FILES = frozenset({REVIEW_FILE})
"""What LAO itself commits between the reviews. Its other trace files do not change after planning; where one does, it
is a coder's doing, and counts."""


@dataclass(frozen=True)
class Whole:
    """What is judged.

    Attributes:
        commit: None without git; then it is the live folder.
        tree: of the commit, without what LAO writes there itself (``Repository.tree_without``).
        commands: the plan's, then those of its tasks that are verified or completed, each once.
    """

    commit: str | None
    tree: str | None
    commands: Commands


def wanted(work: Work) -> bool:
    """Whether commands are to be run again on the whole at all."""
    return bool(work.factory.settings.raw["agentic"]["plan_integrator_enabled"])


def look(work: Work) -> Whole:
    """The plan's HEAD and all commands that apply to it, as one step: whatever comes later is not judged.

    Raises:
        BadInput: the plan's ``validation`` has a form that is not known.
    """
    seen = work.steps.run(StepKind.READ, "whole", lambda: _seen(work))
    commands = tuple((str(kind), str(command)) for kind, command in seen["commands"])
    return Whole(seen["commit"], seen["tree"], commands)


def judge(work: Work, whole: Whole, known: dict[str, CommandResult] | None = None) -> tuple[CommandResult, ...]:
    """The results of all its commands, in their order; see ``run_parallel``.

    Raises:
        Interrupted: the worker is stopping.
    """
    limits = work.factory.settings.orchestration
    lanes = Lanes(
        place=lambda: _place(work, whole.commit),
        at_most=limits.parallel_checks if whole.commit else 1,
        marker=work.marker,
        containment=work.factory.containment,
        timeout_s=limits.validation_timeout_s,
        stop=lambda: work.stopping,
    )
    return run_parallel(whole.commands, work.steps, lanes, known)


def gathered(work: Work, whole: Whole) -> dict[str, CommandResult]:
    """What the newest run beside the reviews found to pass on exactly these files, by command line.

    A failure is not taken over: it is run again before it ends a plan. Nor is anything once a close has used it: who
    tries again has changed something, and be it on the machine.
    """
    early = runs.newest_result(work.factory.store, work.plan.id, Phase.WHOLE, since=Phase.CLOSE)
    if whole.tree is None or early.get("tree") != whole.tree:
        return {}
    results = (CommandResult.from_json(item) for item in early["results"])
    return {result.command: result for result in results if result.passed}


def tree_now(work: Work) -> str | None:
    """``Whole.tree`` of HEAD as it is now."""
    repository = work.repository()
    return _head(repository)[1] if repository else None


def _head(repository: Repository) -> tuple[str | None, str | None]:
    commit = repository.head()
    return commit, repository.tree_without(commit, _OWN_FILES) if commit else None


def _seen(work: Work) -> dict[str, Json]:
    repository = work.repository()
    commit, tree = _head(repository) if repository else (None, None)
    if not wanted(work):
        return {"commit": commit, "tree": tree, "commands": []}
    worked = [task for task in plans.tasks_of(work.factory.store, work.plan.id) if task.state in _WORKED]
    commands = {command: kind for kind, command in _of_the_plan(work, commit)}
    for task in worked:
        for command in task.spec.commands:
            commands.setdefault(command.strip(), "test")
    listed = [[kind, command] for command, kind in commands.items() if command]
    return {"commit": commit, "tree": tree, "commands": listed}


def _of_the_plan(work: Work, commit: str | None) -> Commands:
    """The explicit ones; a folder is laid out only where they have to be inferred from its manifests."""
    explicit = explicit_commands(work, None, work.plan.workspace)
    if explicit or not work.factory.settings.orchestration.infer_validation_commands:
        return explicit
    with _place(work, commit) as folder:
        return commands_of(work, None, folder)


def _place(work: Work, commit: str | None) -> AbstractContextManager[Path]:
    repository = work.repository()
    if repository is None or commit is None:
        return nullcontext(work.plan.workspace)
    return repository.snapshot(commit)
