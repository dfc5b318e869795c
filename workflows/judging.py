"""A person's word on a plan that is over: accepted, or rejected and on request taken back by one commit."""

from __future__ import annotations

from dataclasses import dataclass

from lao.core.errors import BadInput, Refused
from lao.core.states import TERMINAL_PLANS, PlanState
from lao.durable.faults import crash_point
from lao.memory.facts import LENGTH_LIMIT, checked, digest
from lao.state import facts, judgements
from lao.state.facts import Fact
from lao.state.judgements import Judgement
from lao.state.records import Plan
from lao.workspace.changes import changes_of
from lao.workspace.git import Repository
from lao.workspace.git_calls import Git
from lao.workspace.reverting import Reverted, revert
from workflows.factory import Factory


@dataclass(frozen=True)
class Judged:
    """What came of it. ``new``: it was not said before; ``reverted`` None: nothing was asked to be taken back."""

    judgement: Judgement
    new: bool
    reverted: Reverted | None = None


def accept(factory: Factory, plan: Plan, note: str, *, anyway: bool) -> Judged:
    """Keep that a person takes the plan's work.

    Raises:
        Refused: the plan is not completed, unless ``anyway``; or it is not over at all.
        BadInput: the note cannot be kept.
    """
    _refuse_open(plan)
    if plan.state is not PlanState.COMPLETED and not anyway:
        why = f": {plan.reason.splitlines()[0]}" if plan.reason else ""
        raise Refused(f"plan {plan.name!r} is {plan.state.value}, not completed{why}", "--anyway accepts it as it is")
    found, new = judgements.keep(
        factory.store, plan.id, judgements.ACCEPTED, commit=_last(factory, plan), note=_note(note)
    )
    return Judged(found, new)


def reject(factory: Factory, plan: Plan, note: str, *, take_back: bool) -> Judged:
    """Keep that a person does not want the plan's work. With ``take_back`` one commit undoes it first; a call that was
    killed in between is finished by the next one. The note becomes a fact of the memory.

    Raises:
        Refused: the plan is not over; or it cannot be taken back (``lao.workspace.reverting``).
        BadInput: the note cannot be kept, or there is no git.
    """
    _refuse_open(plan)
    line = _note(note)
    undone = _take_back(factory, plan) if take_back else None
    crash_point("before_finish")
    commit = undone.commit if undone else _last(factory, plan)
    found, new = judgements.keep(
        factory.store, plan.id, judgements.REJECTED, commit=commit, note=line, reverted=undone is not None
    )
    if line and factory.settings.memory.enabled:
        text = f"Plan {plan.name} was rejected by a person: {line}"[:LENGTH_LIMIT]
        facts.add(factory.store, Fact(digest(text), text, origin="person", plan=plan.name))
    return Judged(found, new, undone)


def told_planner(factory: Factory, plan: Plan) -> str:
    """What a planner is told of the versions of this plan that people rejected; "" without any."""
    notes = [one for one in judgements.of_earlier(factory.store, plan.id) if one.note]
    if not notes:
        return ""
    lines = "\n".join(f"- {one.note}" for one in notes)
    return f"A person rejected earlier versions of this plan:\n{lines}"


def _take_back(factory: Factory, plan: Plan) -> Reverted:
    settings = factory.settings
    git = _git(factory, plan)
    if git is None:
        raise BadInput(
            f"plan {plan.name!r} has no git repository, so there is nothing to revert",
            "undo it by hand, or leave --revert",
        )
    repository = Repository(plan.workspace, settings=settings.git, state_dir=settings.paths.state_dir)
    repository.available()
    with repository.exclusive():
        return revert(git, plan.id, plan.name, date=int(factory.clock.now()))


def _refuse_open(plan: Plan) -> None:
    if plan.state not in TERMINAL_PLANS:
        raise Refused(
            f"plan {plan.name!r} is {plan.state.value}", f"wait for its end, or 'lao cancel {plan.name}' first"
        )


def _last(factory: Factory, plan: Plan) -> str | None:
    """The last commit of the plan's work."""
    git = _git(factory, plan)
    found = changes_of(git, plan.id) if git else ()
    return found[-1].commit if found else None


def _git(factory: Factory, plan: Plan) -> Git | None:
    there = factory.settings.git.enabled and (plan.workspace / ".git").exists()
    return Git(plan.workspace) if there else None


def _note(note: str) -> str:
    """One line without secrets: notes are shown to models."""
    if not note.strip():
        return ""
    return checked(note)
