"""Slash commands from an idea to a plan: /ideate, /spec, /lock, and the deterministic look at a draft."""

from __future__ import annotations

from collections.abc import Sequence

from lao.agents import pilot_kinds, plan_draft
from lao.cli.pilot.commands.registry import Command
from lao.cli.pilot.seat import IDEATE, SPEC, TALK, Question, Reply, Seat
from workflows import ideation

_NEXT = "/spec lets the model write the plan down; /lock files it"


def answered(seat: Seat, question: Question, answer: str) -> Reply:
    """What follows from an answer of a guided conversation: it is kept; a draft is looked at at once."""
    if question.kind == IDEATE:
        ideation.note(seat.factory, question.text, answer)
        return Reply(f"kept in {ideation.folder(seat.factory) / 'IDEATION.md'}; {_NEXT}")
    if question.kind == SPEC:
        return _looked_at(seat, ideation.specify(seat.factory, answer, seat.chat))
    return Reply()


def wording(seat: Seat, question: Question) -> str:
    """The question as it is asked; one for a draft names what stands against the draft so far."""
    if question.kind == IDEATE:
        return f"{pilot_kinds.IDEATE} {question.text}"
    if question.kind != SPEC:
        return question.text
    before = ideation.status(seat.factory)
    errors = before.errors if before is not None and before.state == ideation.SPECIFIED else ()
    mend = "\n\nMend this in your last draft:\n" + "\n".join(f"- {error}" for error in errors) if errors else ""
    return f"{pilot_kinds.SPEC} {question.text}{mend}"


def _looked_at(seat: Seat, draft: plan_draft.Draft) -> Reply:
    path = ideation.folder(seat.factory) / "SPEC.md"
    then = "/lock files it as a plan" if draft.ready else "say what to mend, or edit the file and /spec check"
    return Reply(f"{plan_draft.report(draft)}\nin {path}; {then}", code=0 if draft.ready else 3)


def _ideate(seat: Seat, given: Sequence[str]) -> Reply:
    ideation.begin(seat.factory, given[0], seat.chat)
    seat.kind = IDEATE
    return Reply(ask=Question(given[0], IDEATE))


def _spec(seat: Seat, given: Sequence[str]) -> Reply:
    if given and given[0] == "check":
        return _looked_at(seat, ideation.look(seat.factory, seat.chat))
    seat.kind = SPEC
    return Reply(ask=Question(given[0] if given else "Write the plan.", SPEC))


def _lock(seat: Seat, given: Sequence[str]) -> Reply:
    path, submission = ideation.lock(seat.factory, given[0] if given else "")
    seat.kind = TALK
    return Reply(f"filed as {path} and queued: plan {submission.plan.id}; /done shows its gate")


COMMANDS = (
    Command(
        "ideate", "TOPIC", "Talk an idea over; what you say next belongs to it.", _ideate, "Plans", 1, 1, whole=True
    ),
    Command(
        "spec",
        "[WISH|check]",
        "Let the model write the plan down; its criteria are checked at once.",
        _spec,
        "Plans",
        1,
        whole=True,
        completes=("check",),
    ),
    Command(
        "lock",
        "[NAME]",
        "File the draft as a plan and queue it; nothing is overwritten.",
        _lock,
        "Plans",
        1,
        whole=True,
    ),
)
