"""Pauses and leases of runs, when somebody has set the clock back: none lasts longer than it could have lasted."""

from __future__ import annotations

from lao.core.states import RunState
from lao.state import runs
from lao.state.pipeline import cooldown
from lao.state.store import Store
from lao.state.tables import RunRow


def shorten_leases(store: Store) -> int:
    """Let leases that end later than any can from now end as late as they can: a worker that lives renews its own, and
    that of a dead one on another machine would keep its run until the clock is where it was. Returns how many."""
    latest = store.now() + runs.LEASE_S
    with store.reading():
        far = RunRow.select().where(RunRow.state == RunState.RUNNING.value, RunRow.lease_until > latest + 1.0)
        ids = [row.id for row in far]
    if ids:
        with store.write():
            RunRow.update(lease_until=latest).where(RunRow.id.in_(ids), RunRow.lease_until > latest).execute()
    return len(ids)


def end_impossible(store: Store, *, longest_s: float, cooldown_base_s: float) -> int:
    """Let runs go on that are put off until later than any pause could last from now. Returns how many.

    Args:
        longest_s: of a pause that is no task's cooldown.
        cooldown_base_s: the pause before a task's second attempt (``lao.state.pipeline.cooldown``).
    """
    now = store.now()
    with store.reading():
        far = RunRow.select().where(RunRow.state == RunState.READY.value, RunRow.not_before > now + longest_s)
        ids = [
            row.id
            for row in far
            if row.task_id is None or row.not_before > now + cooldown(cooldown_base_s, row.task.attempts)
        ]
    if ids:
        with store.write():
            RunRow.update(not_before=0.0).where(RunRow.id.in_(ids), RunRow.state == RunState.READY.value).execute()
    return len(ids)
