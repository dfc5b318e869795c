"""Where an attempt works: with git at a desk of its own, without in the plan's folder. And how its work comes home."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from lao.core.errors import AttemptFailed
from lao.core.states import Phase, PlanState
from lao.core.steps import StepKind
from lao.core.words import Json
from lao.state import journal, plans
from lao.state.records import Claim, Run
from lao.state.store import Store
from lao.workspace.desks import Desk
from lao.workspace.folder_copy import FolderCopy
from lao.workspace.git import Repository
from workflows.factory import Factory
from workflows.traces import commit
from workflows.work import Work

log = logging.getLogger("lao")

LAND = "land"


@dataclass(frozen=True)
class Place:
    """The folder of one attempt.

    Attributes:
        repository: of the desk; None without git.
        head: the plan's commit when the attempt began.
        base, tree: the commit that the desk was laid out from, and its tree; None without git.
        found: what the user had changed and not committed; it is committed with the work that was built on it.
        copy: the way back without git.
    """

    root: Path
    repository: Repository | None = None
    head: str | None = None
    base: str | None = None
    tree: str | None = None
    found: tuple[str, ...] = ()
    copy: FolderCopy | None = None

    def changed(self, candidate: str | None) -> tuple[str, ...]:
        """Paths that differ from what was there before."""
        if self.repository is not None and candidate is not None:
            return self.repository.changed_files(self.base, candidate)
        return self.copy.changed() if self.copy is not None else ()

    def texts_before(self, paths: tuple[str, ...]) -> dict[str, str]:
        """Text by path of what was there before."""
        if self.repository is not None and self.base is not None:
            return self.repository.texts_at(self.base, paths)
        return self.copy.texts(paths) if self.copy is not None else {}

    def restore(self) -> list[str]:
        """Bring the folder back to what it was before; the paths that were changed for it."""
        if self.repository is not None and self.base is not None:
            return list(self.repository.restore(self.base))
        return list(self.copy.restore()) if self.copy is not None else []


def open_place(work: Work) -> Place:
    """The place of this attempt, made when it begins and found again when it is resumed.

    Raises:
        AttemptFailed: the desk of an interrupted attempt was removed.
    """
    repository, run = work.repository(), work.claim.run.id
    if repository is None:
        state = work.factory.settings.paths.state_dir
        copy = FolderCopy(work.plan.workspace, state / "checkpoints" / f"task-{work.the_task.id}")
        work.steps.run(StepKind.READ, "checkpoint", copy.save)
        return Place(work.plan.workspace, copy=copy)

    def landing() -> set[str]:
        intents = journal.open_intents(work.factory.store, work.plan.id, LAND)
        return {path for intent in intents for path in intent["changed"]}

    def lay_out() -> dict[str, Json]:
        opened = repository.open_desk(run, work.the_task.id, landing)
        return {"head": opened.head, "commit": opened.commit, "tree": opened.tree, "found": list(opened.found)}

    saved = work.steps.run(StepKind.READ, "desk", lay_out)
    _find(work, repository)
    own = repository.at_desk(run)
    return Place(own.root, own, saved["head"], saved["commit"], saved["tree"], tuple(saved["found"]))


def _find(work: Work, repository: Repository) -> None:
    """Check that the desk is as it was left. What had begun to land before a power cut needs nothing but its candidate.

    Raises:
        AttemptFailed: kind "desk_gone".
    """
    run = work.claim.run.id
    desk, begun = repository.desk(run), journal.intent_of(work.factory.store, run, LAND)
    if begun is not None and desk.outlived():
        repository.lay_again(run, begun["candidate"])
    desk.find()


def bring_home(work: Work, place: Place, candidate: str | None) -> tuple[str | None, tuple[str, ...]]:
    """Land the candidate in the plan's folder and commit it; (commit or None, changed paths as far as git knows).

    Raises:
        AttemptFailed: kind "merge_conflict": another task changed the same lines meanwhile.
    """
    repository, run, task = work.repository(), work.claim.run.id, work.the_task
    if place.copy is not None:
        work.steps.run(StepKind.REPEATABLE, "forget checkpoint", place.copy.drop)
        return None, ()
    assert repository is not None and place.base is not None and candidate is not None, "git is on"
    commit_id = None
    with repository.exclusive():
        landed = repository.land(work.steps, LAND, run=run, base=place.base, candidate=candidate)
        if paths := tuple(dict.fromkeys((*landed, *place.found))):
            message = f"lao(coder): task #{task.id} {task.spec.title}"
            commit_id = commit(work, repository, message=message, what="coder", paths=paths)
        work.steps.run(StepKind.REPEATABLE, "hand over", lambda: repository.hand_over(run))
    return commit_id, landed


def take_back(store: Store, repository: Repository, run_id: int) -> None:
    """Bring the plan's folder into order after a run that was cancelled: what it had committed stays, what it had
    landed and not committed is undone. The caller keeps others from the folder. Safe to repeat."""
    steps = journal.load(store, run_id)
    commits = [step for step in steps if step.label.startswith("commit:") and step.intent]
    made = [step.done or repository.settle(step.intent) for step in commits]
    landed = next((step.intent for step in steps if step.label == LAND and step.intent), None)
    if landed is None or any(made):
        return
    try:
        undone = repository.take_back(landed)
    except AttemptFailed as error:
        log.warning("run %s was cancelled while it landed; its changes stay in the folder: %s", run_id, error.message)
    else:
        log.info("run %s was cancelled while it landed; undone: %s", run_id, ", ".join(undone) or "nothing")


def clear_away(factory: Factory, run_id: int, task_id: int | None, phase: Phase, folder: Path) -> None:
    """Remove where a cancelled attempt worked: its desk, or without git what it did in the plan's folder."""
    if phase is not Phase.CODE:
        return
    state = factory.settings.paths.state_dir
    if factory.desks:
        Desk(state / "desks", run_id, "").drop()
        return
    place = state / "checkpoints" / f"task-{task_id}"
    if place.is_dir() and any(step.label == "checkpoint" and step.done for step in journal.load(factory.store, run_id)):
        copy = FolderCopy(folder, place)
        copy.restore()
        copy.drop()


def forget_name(factory: Factory, run: Run) -> None:
    """Remove the name of what an attempt began with when it woke after its plan was completed by others."""
    plan = plans.get(factory.store, run.plan_id)
    if run.phase is Phase.CODE and run.task_id and factory.desks and plan.state is PlanState.COMPLETED:
        settings = factory.settings
        repository = Repository(plan.workspace, settings=settings.git, state_dir=settings.paths.state_dir)
        repository.forget_checkpoints([run.task_id])


def drop_desk(factory: Factory, claim: Claim) -> None:
    """Clear the desk of a run that is over."""
    Desk(factory.settings.paths.state_dir / "desks", claim.run.id, "").drop()
