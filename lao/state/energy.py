"""Joules of the gpu phases: one row for each time that a run was worked on, and their sums for ``lao status``.

A row without a figure was not measured (a crash, a counter that failed); it is never taken for zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lao.core.states import PHASE_ROLE, RunState
from lao.core.words import Json
from lao.state.records import Claim
from lao.state.store import Store
from lao.state.tables import EnergyRow, RunRow


@dataclass(frozen=True)
class Piece:
    """One stretch of work on a run; ``joules`` is None when it was not measured."""

    plan: str
    task: int | None
    phase: str
    joules: float | None
    source: str


def begin(store: Store, claim: Claim, source: str) -> None:
    """Note that a claimed run is being measured, so that a crash leaves a row without a figure."""
    with store.write():
        EnergyRow.replace(run=claim.run.id, epoch=claim.epoch, joules=None, source=source).execute()


def end(store: Store, claim: Claim, joules: float) -> None:
    """Keep what was measured."""
    with store.write():
        EnergyRow.update(joules=joules).where(EnergyRow.run == claim.run.id, EnergyRow.epoch == claim.epoch).execute()


def pieces(store: Store) -> tuple[Piece, ...]:
    """Every stretch of work on a gpu phase that is over, measured or not, in the order of the runs."""
    fields = (RunRow.plan, RunRow.task, RunRow.phase, RunRow.state, RunRow.epoch)
    with store.reading():
        query = (
            RunRow.select(*fields, EnergyRow.epoch, EnergyRow.joules, EnergyRow.source)
            .left_outer_join(EnergyRow)
            .where(RunRow.phase.in_([phase.value for phase in PHASE_ROLE]), RunRow.started_at.is_null(False))
            .order_by(RunRow.id, EnergyRow.epoch)
        )
        return tuple(
            Piece(plan, task, phase, joules, source or "")
            for plan, task, phase, state, epoch, measured, joules, source in query.tuples()
            if not (state == RunState.RUNNING.value and measured in (None, epoch))  # at work just now
        )


def total(found: Iterable[Piece]) -> dict[str, Json] | None:
    """joules, source, complete (whether every piece was measured); None when none was."""
    every = list(found)
    known = [piece for piece in every if piece.joules is not None]
    if not known:
        return None
    return {
        "joules": round(sum(piece.joules or 0.0 for piece in known), 1),
        "source": "; ".join(dict.fromkeys(piece.source for piece in known)),
        "complete": len(known) == len(every),
    }


def by_plan(found: Iterable[Piece]) -> dict[str, dict[str, Json]]:
    """Plan id to its total with ``phases``; a plan or phase without any figure is missing."""
    every = list(found)
    view: dict[str, dict[str, Json]] = {}
    for plan in dict.fromkeys(piece.plan for piece in every):
        own = [piece for piece in every if piece.plan == plan]
        whole = total(own)
        if whole is not None:
            sums = {name: total(p for p in own if p.phase == name) for name in dict.fromkeys(p.phase for p in own)}
            view[plan] = {**whole, "phases": {name: part for name, part in sums.items() if part is not None}}
    return view


def by_task(found: Iterable[Piece]) -> dict[int, dict[str, Json]]:
    """Task id to its total; a task without any figure is missing."""
    tasks: dict[int, list[Piece]] = {}
    for piece in found:
        if piece.task is not None:
            tasks.setdefault(piece.task, []).append(piece)
    sums = {task: total(own) for task, own in tasks.items()}
    return {task: part for task, part in sums.items() if part is not None}
