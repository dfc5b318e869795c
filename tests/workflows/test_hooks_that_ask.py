"""Promise: a hook that wants a person asked is asked about like an ask rule, and a resumed run asks nobody twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lao.state import approvals
from lao.state.approvals import NO, YES
from lao.state.tables import AuditRow
from tests.hooks.conftest import command
from tests.workflows.conftest import Plant
from tests.workflows.test_approvals_flow import Visitor, answering, audit
from tests.workflows.test_hooks_in_flow import PLAN
from tests.workflows.test_tools_in_flow import call, scripted
from workflows import queues

Open = Callable[..., Plant]
ASK = (
    """echo '{"hookSpecificOutput": {"permissionDecision": "ask", "permissionDecisionReason": "is it paid for?"}}'"""
    "; echo asked >> %s"
)


def opened(plant: Open, path: Path, visitor: Visitor, **permissions: object) -> Plant:
    turns = scripted(
        [call("shell_exec", command="touch one")],
        [call("shell_exec", command="touch two")],
        [call("file_write", path="part_1.txt", content="x\n")],
    )
    return plant(turns, clock=visitor, permissions=permissions, hooks={"PreToolUse": command(ASK % path, "Bash")})


def test_a_person_answers_it(plant: Open, tmp_path: Path) -> None:
    """C7 G1: in mode auto too; yes runs the call, no is told to the model with the hook's reason."""
    visitor = Visitor()
    factory = opened(plant, tmp_path / "log", visitor)
    approvals.attend(factory.factory.store, factory.factory.owner.to_text())
    visitor.act = answering(factory, YES, NO)
    factory.submit("asked", PLAN)
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]
    assert [(factory.root / "asked" / name).exists() for name in ("one", "two")] == [True, False]
    found = [(one.answer, one.reason, one.remember) for one in reversed(approvals.latest(factory.factory.store))]
    why = "a hook wants a person to be asked: is it paid for?"
    assert found == [("yes", why, ()), ("no", why, ())]
    refused = next(row.reason for row in AuditRow.select() if not row.granted)
    assert refused == f"not allowed: {why}; a person said no: said the person"


def test_nobody_there_is_a_no_with_a_reason(plant: Open, tmp_path: Path) -> None:
    """C7 G1: unattended the call is refused at once, and the plan goes on."""
    visitor = Visitor()
    factory = opened(plant, tmp_path / "log", visitor)
    factory.submit("quiet", PLAN)
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]
    assert visitor.looks == 0
    assert [one.answer for one in approvals.latest(factory.factory.store)] == ["nobody"] * 2
    told = [row.reason for row in AuditRow.select().order_by(AuditRow.id) if not row.granted]
    assert "is it paid for?; nobody is there to be asked. Go on without it" in told[0]
    assert "is it paid for?; nobody answered an earlier question of this phase" in told[1]


def test_dont_ask_leaves_no_question(plant: Open, tmp_path: Path) -> None:
    """G1: refused with the hook's reason, without a row in the approvals."""
    visitor = Visitor()
    factory = opened(plant, tmp_path / "log", visitor, mode="dont_ask", allow=["Bash(touch *)"])
    factory.submit("silent", PLAN)
    factory.turn()
    assert visitor.looks == 0
    assert approvals.latest(factory.factory.store) == ()
    told = [row.reason for row in AuditRow.select().order_by(AuditRow.id) if not row.granted]
    assert len(told) == 2
    assert all("is it paid for?; in mode dont_ask nobody is asked" in reason for reason in told)


def test_a_resumed_run_asks_hook_and_person_once(plant: Open, tmp_path: Path) -> None:
    """K1 K2: the worker stops while the question is open; the resumed run has the hook's word and waits for the same
    question's answer."""
    visitor, log = Visitor(), tmp_path / "log"
    factory = opened(plant, log, visitor)
    store = factory.factory.store
    approvals.attend(store, factory.factory.owner.to_text())
    visitor.act = factory.factory.stop.set
    factory.submit("resumed", PLAN)
    factory.turn_until_coding()
    for _ in range(20):
        if factory.factory.stop.is_set():
            break
        factory._one(queues.gpu)
    (open_one,) = approvals.waiting(store)
    assert log.read_text() == "asked\n"
    del factory.factory.hooks  # as another worker would load them
    factory.factory.stop.clear()
    visitor.act = answering(factory, YES, NO)
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]
    assert log.read_text() == "asked\n" * 2, "once for each command"
    assert [one.id for one in reversed(approvals.latest(store))] == [open_one.id, open_one.id + 1]
    assert audit() == [("shell_exec", True), ("shell_exec", False), ("file_write", True)]
