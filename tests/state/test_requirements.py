"""What a plan demands is kept as rows, in the plan's order, once."""

from __future__ import annotations

from lao.state import requirements
from lao.state.requirements import Requirement
from lao.state.store import Store
from tests.state.pipeline_steps import hand_in

FIRST = Requirement("R1", "Words are counted.", 4, "checklist", (7,), ("pytest -q",))
SECOND = Requirement("ABC-12", "Report ABC-12 lists them.", 9, "id")


def test_demands_come_back_as_they_were_kept(store: Store) -> None:
    """D10: the plan's order, tasks and commands included; of another plan nothing."""
    plan = hand_in(store)
    other = hand_in(store, "# Other\n", "/plans/b.md")
    with store.write():
        requirements.keep(plan, [FIRST, SECOND])
    assert requirements.of_plan(store, plan) == (FIRST, SECOND)
    assert requirements.of_plan(store, other) == ()


def test_keeping_again_replaces(store: Store) -> None:
    """K: a phase that is repeated leaves one set of demands, not two."""
    plan = hand_in(store)
    for found in ([FIRST, SECOND], [SECOND]):
        with store.write():
            requirements.keep(plan, found)
    assert requirements.of_plan(store, plan) == (SECOND,)
