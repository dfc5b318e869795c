"""What plans demand, each demand with the tasks that answer it and the commands that decide it. Reads no plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lao.state.acceptance_tables import RequirementRow
from lao.state.store import Store


@dataclass(frozen=True)
class Requirement:
    """One demand of a plan.

    Attributes:
        key: "R1" by its place, or the plan's own id such as "ABC-12"; unique within the plan.
        line: 1-based in the plan's text; 0 where it is not known.
        source: "front_matter", "checklist", "numbered" or "id".
        tasks: ids of tasks that answer it, empty when no task speaks of it.
        commands: commands that decide it, in the plan's order.
    """

    key: str
    text: str
    line: int
    source: str
    tasks: tuple[int, ...] = ()
    commands: tuple[str, ...] = ()


def keep(plan_id: str, found: Iterable[Requirement]) -> None:
    """Inside a transaction: these are the plan's demands; earlier ones are replaced."""
    RequirementRow.delete().where(RequirementRow.plan == plan_id).execute()
    for seq, one in enumerate(found):
        RequirementRow.create(
            plan=plan_id,
            key=one.key,
            seq=seq,
            text=one.text,
            line=one.line,
            source=one.source,
            tasks=list(one.tasks),
            commands=list(one.commands),
        )


def of_plan(store: Store, plan_id: str) -> tuple[Requirement, ...]:
    """The plan's demands in its order; empty for a plan without any and before it is planned."""
    with store.reading():
        query = RequirementRow.select().where(RequirementRow.plan == plan_id).order_by(RequirementRow.seq)
        return tuple(
            Requirement(row.key, row.text, row.line, row.source, tuple(row.tasks), tuple(row.commands)) for row in query
        )
