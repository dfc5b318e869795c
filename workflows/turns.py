"""What the frame does otherwise for a turn of the Pilot: a person waits, so it says why, and gives up sooner."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from lao.core.errors import DiskFull, Terminal, Transient
from lao.core.states import RunState, TurnState
from lao.state import chats, runs
from lao.state.records import Claim
from workflows.factory import Factory
from workflows.slots import Prepared

WAITS: Final = 3
"""How often a turn is put off for a server or a model that is not there, some seconds; then it fails."""

AGAIN: Final = "ask again when that is mended; 'lao health' looks at the server"


def patient(factory: Factory, run_id: int, prepared: Prepared | None) -> Prepared | None:
    """What the gate said, told to the person when it is a wait; after ``WAITS`` of them it is the end."""
    problem = prepared.problem if prepared is not None else None
    if prepared is None or not isinstance(problem, Transient):
        return prepared
    if runs.waits_of(factory.store, run_id) >= WAITS:
        return replace(prepared, problem=Terminal(problem.message, problem.hint or AGAIN))
    waits(factory, run_id, problem.message, "gate")
    return prepared


def short_of_space(factory: Factory, run_id: int, waited: int, error: DiskFull) -> Terminal | None:
    """Tell the person that a turn waits for space on the disk; after ``WAITS`` of them what it ends with.

    Raises:
        Transient: not even that can be written.
    """
    if waited >= WAITS:
        return Terminal(error.message, "free some space, then ask again")
    waits(factory, run_id, error.message, "disk")
    return None


def waits(factory: Factory, run_id: int, text: str, why: str) -> None:
    """Tell the person what the turn of this run waits for.

    Args:
        why: "gate", "loading" or "disk", for a program.
    """
    turn = chats.turn_of_run(factory.store, run_id)
    if turn is not None:
        chats.tell(factory.store, turn.id, chats.WAITING, text, {"why": why})


def fail(factory: Factory, claim: Claim, reason: str) -> list[int]:
    """End the run and its turn as failed, in one fenced transaction; what had come of the answer is kept."""
    with runs.finishing(factory.store, claim, RunState.FAILED, reason=reason) as now:
        turn = chats.turn_of_run(factory.store, claim.run.id)
        if turn is not None:
            chats.end(turn.id, now, TurnState.FAILED, answer=chats.written(turn.id), error=reason)
    return []
