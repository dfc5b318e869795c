"""What a plan or a task changed, and what proves it: commits by git, evidence by the record. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from lao.core.errors import BadInput
from lao.core.words import Json
from lao.state import ledger, queries
from lao.state.records import Plan, Task
from lao.workspace.changes import Change, changes_of, parent_of, patch
from lao.workspace.git_calls import Git
from workflows.factory import Factory


@dataclass(frozen=True)
class Proof:
    """A command that was run on the work. ``moment``: task or close."""

    command: str
    moment: str
    exit_code: int | None
    commit: str | None


@dataclass(frozen=True)
class Difference:
    """What was changed.

    Attributes:
        commits: the work, the oldest first.
        text: the patch, or with ``stat`` a line a file; "" when nothing was committed.
        evidence: proved, checked or none, of a task; "" of a plan.
    """

    commits: tuple[Change, ...]
    text: str
    proofs: tuple[Proof, ...]
    evidence: str = ""


def of(factory: Factory, plan: Plan, task: Task | None, *, stat: bool) -> Difference:
    """The difference that the plan, or one of its tasks, makes.

    Of a plan it is shown as a whole, from before its first commit to its last one; of a task commit by commit, since
    others lie in between.

    Raises:
        BadInput: the plan has no repository.
    """
    if not factory.settings.git.enabled or not (plan.workspace / ".git").exists():
        raise BadInput(
            f"plan {plan.name!r} has no git repository, so there is no diff",
            f"its files are in {plan.workspace}; git.enabled: true keeps commits of later plans",
        )
    git = Git(plan.workspace)
    every = changes_of(git, plan.id)
    commits = tuple(change for change in every if task is None or change.task == task.id)
    text = _whole(git, commits, stat=stat) if task is None else _each(git, commits, stat=stat)
    evidence = queries.evidence_view(factory.store, plan.id).get(task.id, "none") if task else ""
    return Difference(commits, text, _proofs(factory, plan, task), evidence)


def _whole(git: Git, commits: tuple[Change, ...], *, stat: bool) -> str:
    if not commits:
        return ""
    paths = sorted({path for change in commits for path in change.paths})
    return patch(git, parent_of(git, commits[0].commit), commits[-1].commit, paths, stat=stat)


def _each(git: Git, commits: tuple[Change, ...], *, stat: bool) -> str:
    parts = []
    for change in commits:
        shown = patch(git, parent_of(git, change.commit), change.commit, change.paths, stat=stat)
        parts.append(f"commit {change.commit}\n    {change.subject}\n\n{shown}")
    return "\n".join(parts)


def _proofs(factory: Factory, plan: Plan, task: Task | None) -> tuple[Proof, ...]:
    """The last outcome of each command that was run on the work."""
    found: dict[str, Proof] = {}
    moment = "close" if task is None else "task"
    for row in ledger.validations_of(factory.store, plan.id):
        if row["moment"] == moment and (task is None or row["task"] == task.id):
            found[row["command"]] = Proof(row["command"], moment, _exit(row), row["commit"])
    return tuple(found.values())


def _exit(row: dict[str, Json]) -> int | None:
    return None if row["timed_out"] else row["exit_code"]
