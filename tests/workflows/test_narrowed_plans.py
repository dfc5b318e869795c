"""Promise: a plan's own permission mode holds for that plan alone, and one that would widen is not taken in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lao.core.errors import BadInput
from lao.state import plans
from lao.state.tables import AuditRow
from tests.workflows.conftest import Plant
from tests.workflows.test_tools_in_flow import PLAN, call, scripted

Open = Callable[..., Plant]
WRITE = call("file_write", path="part_1.txt", content="x\n")


def audit() -> list[tuple[str, bool]]:
    return [(row.tool, row.granted) for row in AuditRow.select().order_by(AuditRow.id)]


def test_a_plan_narrows_the_mode_for_itself(plant: Open) -> None:
    """G5: of two plans of one factory only the one that says so is held to dont_ask; its hooks hear of that mode."""
    factory = plant(scripted([call("shell_exec", command="touch made")], [WRITE]))
    factory.submit("narrow", f"---\npermission_mode: dontAsk\n---\n{PLAN}")
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]
    assert audit() == [("shell_exec", False), ("file_write", True)]
    assert "in mode dont_ask only that is run" in AuditRow.get(~AuditRow.granted).reason
    assert not (factory.root / "narrow" / "made").exists()


def test_the_same_plan_without_it_is_not_held(plant: Open) -> None:
    """The test above can fail."""
    factory = plant(scripted([call("shell_exec", command="touch made")], [WRITE]))
    factory.submit("wide", PLAN)
    factory.turn()
    assert audit() == [("shell_exec", True), ("file_write", True)]


def test_plan_only_begins_in_plan_mode(plant: Open) -> None:
    """G2 G5: the plan's coder reads until its plan is approved; exit_plan_mode is offered to it."""
    turns = scripted([WRITE], [call("exit_plan_mode", approved_plan="write it")], [WRITE])
    factory = plant(turns, permissions={"plan_approval": "auto"})
    factory.submit("planned", f"---\npermission_mode: plan\n---\n{PLAN}")
    factory.turn()
    assert audit() == [("file_write", False), ("exit_plan_mode", True), ("file_write", True)]


@pytest.mark.parametrize("mode", ["bypass", "bypassPermissions", "yolo", "[auto]"])
def test_what_would_widen_is_not_taken_in(plant: Open, mode: str) -> None:
    """G5: a file that was dropped into plans/ gains nothing; it is refused with the reason, and no plan is begun."""
    factory = plant()
    with pytest.raises(BadInput, match="the plan's front matter has permission_mode"):
        factory.submit("evil", f"---\npermission_mode: {mode}\n---\n{PLAN}")
    assert plans.all_plans(factory.factory.store) == ()


def test_a_factory_that_became_narrower_since_holds(plant: Open) -> None:
    """G5: the plan said auto when factory.yaml did; now that says dont_ask."""
    first = plant(scripted([WRITE]))
    first.submit("kept", f"---\npermission_mode: auto\n---\n{PLAN}")
    found = plans.all_plans(first.factory.store)
    assert [p.options["permission_mode"] for p in found] == ["auto"]
    second = plant(scripted([call("shell_exec", command="touch made")], [WRITE]), permissions={"mode": "dont_ask"})
    second.turn()
    assert audit() == [("shell_exec", False), ("file_write", True)]
