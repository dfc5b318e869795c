"""Plans that wait for other plans (``depends_on``): which are held, by what, and who is freed when one is completed.

A held plan is like a paused one: nothing of it is begun, and what frees it is read from the plans each time. A name
means the newest plan of that name, so that a corrected plan stands in for the one that it supersedes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lao.core.errors import BadInput
from lao.core.plan_options import needs_of
from lao.core.states import PlanState, RunState
from lao.core.words import Json
from lao.state.store import Store
from lao.state.tables import PlanRow, RunRow

_ENDED: Final = {
    PlanState.FAILED.value: "failed",
    PlanState.NEEDS_HUMAN.value: "needs a person",
    PlanState.CANCELLED.value: "was cancelled",
}


def held() -> dict[str, str]:
    """Inside a transaction or a block of reads: why which plans may not begin."""
    found = PlanRow.shown(PlanRow.id, PlanRow.options).where(PlanRow.state == PlanState.QUEUED.value)
    reasons = {row.id: why(row) for row in found if (row.options or {}).get("depends_on")}
    return {plan: reason for plan, reason in reasons.items() if reason}


def every(store: Store) -> dict[str, str]:
    """Why which plans wait for others, by id."""
    with store.reading():
        return held()


def waiting(store: Store, options: Mapping[str, Json], plan_id: str = "") -> str:
    """What a plan with this front matter waits for, "" for nothing."""
    with store.reading():
        return _why(options, plan_id)


def why(row: Any) -> str:
    """Inside a transaction or a block of reads: what the plan waits for, "" for nothing."""
    return _why(row.options, row.id)


def _why(options: Mapping[str, Json] | None, plan_id: str) -> str:
    waits = []
    for name in _needs(options):
        other = _newest(name, plan_id)
        if other is None:
            waits.append(f"plan {name!r}, which has not been handed in")
        elif other.state != PlanState.COMPLETED.value:
            waits.append(f"plan {other.name!r}, which {_ENDED.get(other.state, f'is {other.state}')}")
    return f"waits for {', and for '.join(waits)}" if waits else ""


def freed(plan_id: str) -> list[int]:
    """Inside a transaction: runs of plans that waited for this one and may begin now, to be woken."""
    done = PlanRow.get_by_id(plan_id)
    if done.state != PlanState.COMPLETED.value:
        return []
    queued = PlanRow.shown(PlanRow.id, PlanRow.options).where(PlanRow.state == PlanState.QUEUED.value)
    plans = [row.id for row in queued if any(_means(n, done) for n in _needs(row.options)) and not why(row)]
    ready = RunRow.select(RunRow.id).where(RunRow.plan.in_(plans), RunRow.state == RunState.READY.value)
    return [row.id for row in ready]


def refuse_cycle(store: Store, file: Path, options: Mapping[str, Json]) -> None:
    """Check that a plan in this file would not wait for itself.

    Raises:
        BadInput: it would, itself or by others, which are named.
    """
    name = file.stem
    with store.reading():
        todo: list[tuple[str, tuple[str, ...]]] = [(need, (name,)) for need in needs_of(options)]
        met: set[str] = set()
        while todo:
            need, way = todo.pop()
            if _stem(need) == name or need == str(file):
                raise BadInput(
                    f"plans wait for one another: {' → '.join((*way, name))}", "remove one depends_on from this circle"
                )
            other = _newest(need, "")
            if other is not None and other.id not in met and other.state != PlanState.COMPLETED.value:
                met.add(other.id)
                todo += [(further, (*way, other.name)) for further in _needs(other.options)]


def _needs(options: Mapping[str, Json] | None) -> tuple[str, ...]:
    """Those of a plan that was taken in; what another LAO let pass holds nothing up."""
    try:
        return needs_of(options or {})
    except BadInput:
        return ()


def _stem(name: str) -> str:
    return Path(name).stem if name.endswith(".md") else name


def _means(name: str, row: Any) -> bool:
    return name in (row.id, row.name) or _stem(name) == row.name


def _newest(name: str, but: str) -> Any:
    rows = PlanRow.shown(PlanRow.id, PlanRow.name, PlanRow.state, PlanRow.options).where(PlanRow.id != but)
    this = (PlanRow.id == name) | (PlanRow.name == _stem(name))
    return rows.where(this).order_by(PlanRow.created_at.desc()).first()
