"""What dead workers left: their runs are freed for another try, and those that crash without progress are set aside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lao.core.states import RunState
from lao.state.records import Run, run_record
from lao.state.store import Store
from lao.state.tables import RunRow, WorkerRow
from lao.state.transitions import move_run

SELECTIVE_CRASH, GENERAL_CRASH, STRIKES = 3, 1, 9
"""A run is set aside at 9 strikes without progress: three crashes that hit only its worker, or nine of everything."""


@dataclass(frozen=True)
class Recovery:
    """What a recovery pass did: runs freed for another try, and runs set aside for a person."""

    freed: tuple[Run, ...]
    set_aside: tuple[Run, ...]


def recover(store: Store, is_alive: Callable[[str], bool | None]) -> Recovery:
    """Free the runs of dead owners and count the crash; set aside those that crash without progress.

    Args:
        is_alive: True or False for an owner of this machine, None for one of another (its lease decides).
    """
    freed: list[Run] = []
    aside: list[Run] = []
    with store.reading():
        suspects = [
            row.id
            for row in RunRow.select().where(RunRow.state == RunState.RUNNING.value)
            if _is_stale(store, row, is_alive)
        ]
        abandoned = [
            row.id
            for row in RunRow.select().where(RunRow.reserved_by != "", RunRow.state == RunState.READY.value)
            if is_alive(row.reserved_by) is False
        ]
    if not suspects and not abandoned:
        return Recovery((), ())
    with store.write():
        RunRow.update(reserved_by="").where(RunRow.id.in_(abandoned)).execute()
        for run_id in suspects:
            row = RunRow.get_by_id(run_id)
            if row.state == RunState.RUNNING.value and _is_stale(store, row, is_alive):
                (aside if _count_crash(row, is_alive) else freed).append(run_record(row))
    return Recovery(tuple(freed), tuple(aside))


def _is_stale(store: Store, row: RunRow, is_alive: Callable[[str], bool | None]) -> bool:
    alive = is_alive(row.owner)
    return not alive if alive is not None else row.lease_until < store.now()


def _count_crash(row: RunRow, is_alive: Callable[[str], bool | None]) -> bool:
    """True when the run has crashed too often; it is then left for the caller to set aside (state READY)."""
    survivors = [w for w in WorkerRow.select() if w.started_at <= (row.started_at or 0) and is_alive(w.owner)]
    strikes = row.strikes + (SELECTIVE_CRASH if survivors else GENERAL_CRASH)
    move_run(row, RunState.READY, owner="", crashes=row.crashes + 1, strikes=strikes, not_before=0.0)
    return bool(strikes >= STRIKES)
