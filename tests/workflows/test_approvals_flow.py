"""Promise: a question reaches a person through the state, an absent one costs little, a resume asks no second time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml

from lao.config.load import load
from lao.core.clock import SystemClock
from lao.core.errors import BadInput
from lao.state import approvals
from lao.state.approvals import ALWAYS, NO, YES
from lao.state.tables import AuditRow
from tests.workflows.conftest import Plant
from tests.workflows.test_tools_in_flow import PLAN, Open, call, scripted
from workflows import approvals as asking
from workflows import queues

TOUCH = "touch part_1.txt && echo x > part_1.txt"


class Visitor(SystemClock):
    """A clock that lets a person act while somebody waits; the waits themselves are short."""

    def __init__(self) -> None:
        self.act: Callable[[], None] = lambda: None
        self.looks = 0

    def wait(self, seconds: float) -> None:
        if seconds == asking.LOOK_S:
            self.looks += 1
            self.act()
        super().wait(min(seconds, 0.02))


def opened(plant: Open, turns: dict[str, object], visitor: Visitor, **permissions: object) -> Plant:
    return plant(turns, clock=visitor, permissions={"mode": "confirm", **permissions})


def answering(factory: Plant, *words: str) -> Callable[[], None]:
    left = list(words)

    def act() -> None:
        for one in approvals.waiting(factory.factory.store):
            asking.decide(factory.factory, one.id, left.pop(0), "said the person")

    return act


def audit() -> list[tuple[str, bool]]:
    return [(row.tool, row.granted) for row in AuditRow.select().order_by(AuditRow.id)]


def test_unattended_it_is_denied_at_once_and_the_model_goes_on(plant: Open) -> None:
    """G1: no terminal anywhere: nothing waits, the model gets the reason, the plan ends."""
    visitor = Visitor()
    factory = opened(plant, scripted([call("shell_exec", command=TOUCH)], [call("list_dir")]), visitor)
    factory.submit("alone", PLAN)
    factory.turn()
    assert visitor.looks == 0
    found = approvals.latest(factory.factory.store)
    assert found
    assert {one.answer for one in found} == {"nobody"}
    assert "nobody is there to be asked" in found[-1].note
    assert ("shell_exec", False) in audit()
    assert ("list_dir", True) in audit()
    assert not (factory.root / "alone" / "part_1.txt").exists()


def test_yes_no_and_always(plant: Open) -> None:
    """G1: yes runs it, no is told with the person's words, always also writes a rule that counts at once."""
    visitor = Visitor()
    turns = scripted(
        [call("shell_exec", command="touch one")],
        [call("shell_exec", command="touch two")],
        [call("shell_exec", command="touch three")],
        [call("shell_exec", command="touch three")],
        [call("file_write", path="part_1.txt", content="x\n")],
    )
    factory = opened(plant, turns, visitor)
    approvals.attend(factory.factory.store, factory.factory.owner.to_text())
    visitor.act = answering(factory, YES, NO, ALWAYS, YES)
    factory.submit("asked", PLAN)
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]
    folder = factory.root / "asked"
    assert [(folder / name).exists() for name in ("one", "two", "three")] == [True, False, True]
    assert (folder / "part_1.txt").read_text() == "x\n"
    answers = [(one.answer, one.arguments.get("command")) for one in reversed(approvals.latest(factory.factory.store))]
    assert answers == [("yes", "touch one"), ("no", "touch two"), ("always", "touch three"), ("yes", None)]
    refused = next(row.reason for row in AuditRow.select() if not row.granted)
    assert refused.endswith("no rule allows 'touch two'; a person said no: said the person")
    rules = yaml.safe_load((factory.root / ".lao" / "permissions.yaml").read_text())
    assert rules == {"allow": ["Bash(touch three)"]}
    again = load(cwd=factory.root, env={}).permissions.rules
    assert [rule.text for rule in again] == ["Bash(touch three)"]


def test_nobody_answers_in_time_and_is_waited_for_once(plant: Open) -> None:
    """G1: a person who is away costs a phase the time of one question, not of each."""
    visitor = Visitor()
    turns = scripted([call("shell_exec", command="touch one")], [call("shell_exec", command="touch two")])
    factory = opened(plant, turns, visitor, ask_timeout_s=1.0)
    approvals.attend(factory.factory.store, factory.factory.owner.to_text())
    looks: list[int] = []
    visitor.act = lambda: looks.append(len(approvals.latest(factory.factory.store)))
    factory.submit("away", PLAN)
    factory.turn()
    by_run: dict[int, list[str]] = {}
    for one in reversed(approvals.latest(factory.factory.store, 100)):
        by_run.setdefault(one.run, []).append(one.note)
    for notes in by_run.values():
        assert "within 1 s" in notes[0]
        assert all("earlier question" in note for note in notes[1:])
    assert any(len(notes) > 1 for notes in by_run.values())
    assert looks


def test_who_was_killed_does_not_attend(plant: Open) -> None:
    """G1: a terminal that is gone is not waited for, and forgotten."""
    factory = opened(plant, scripted([call("shell_exec", command=TOUCH)]), Visitor())
    me = factory.factory.owner
    dead = me.to_text().replace(f":{me.pid}:", ":999999999:")
    approvals.attend(factory.factory.store, dead)
    assert not asking.attended(factory.factory)
    assert approvals.attending(factory.factory.store) == ()
    approvals.attend(factory.factory.store, me.to_text())
    assert asking.attended(factory.factory)


@pytest.mark.parametrize("word", [YES, NO])
def test_a_resumed_run_takes_the_recorded_answer(plant: Open, word: str) -> None:
    """K1: the worker stops while the question is open; it is answered meanwhile; the resumed run does not ask again."""
    visitor = Visitor()
    turns = scripted([call("shell_exec", command="touch one")], [call("file_write", path="part_1.txt", content="x\n")])
    factory = opened(plant, turns, visitor, allow=["Edit"])
    store = factory.factory.store
    approvals.attend(store, factory.factory.owner.to_text())
    visitor.act = factory.factory.stop.set
    factory.submit("resumed", PLAN)
    factory.turn_until_coding()
    for _ in range(20):
        if factory.factory.stop.is_set():
            break
        factory._one(queues.gpu)
    assert factory.factory.stop.is_set()
    (open_one,) = approvals.waiting(store)
    assert audit() == []
    asking.decide(factory.factory, open_one.id, word)
    factory.factory.stop.clear()
    visitor.act = lambda: None
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]
    assert [one.answer for one in approvals.latest(store)] == [word]
    assert (factory.root / "resumed" / "one").exists() is (word == YES)
    assert audit().count(("shell_exec", word == YES)) == 1


def test_answers_that_make_no_sense_are_refused(plant: Open) -> None:
    """M3: no such question, an answer given twice, always where no rule says it."""
    visitor = Visitor()
    turns = scripted([call("shell_exec", command='sh -c "make $x"')], [call("list_dir")])
    factory = opened(plant, turns, visitor)
    approvals.attend(factory.factory.store, factory.factory.owner.to_text())
    told: list[str] = []

    def act() -> None:
        for one in approvals.waiting(factory.factory.store):
            for number, word in ((99, YES), (one.id, ALWAYS)):
                with pytest.raises(BadInput) as error:
                    asking.decide(factory.factory, number, word)
                told.append(error.value.message)
            asking.decide(factory.factory, one.id, NO)
            with pytest.raises(BadInput) as error:
                asking.decide(factory.factory, one.id, YES)
            told.append(error.value.message)

    visitor.act = act
    factory.submit("nonsense", PLAN)
    factory.turn()
    assert told[:3] == [
        "there is no question 99",
        "no rule says just what question 1 asks",
        "question 1 is answered already: no",
    ]


def test_a_plan_is_approved_by_a_person(plant: Open) -> None:
    """G2: with plan_only the coder reads, hands in its plan, and changes files only after a person's yes."""
    visitor = Visitor()
    turns = scripted(
        [call("file_write", path="part_1.txt", content="early\n")],
        [call("exit_plan_mode", approved_plan="write part_1.txt")],
        [call("file_write", path="part_1.txt", content="x\n")],
    )
    factory = opened(plant, turns, visitor, mode="plan_only")
    approvals.attend(factory.factory.store, factory.factory.owner.to_text())
    visitor.act = answering(factory, YES)
    factory.submit("planned", PLAN)
    factory.turn()
    assert (factory.root / "planned" / "part_1.txt").read_text() == "x\n"
    assert audit() == [("file_write", False), ("exit_plan_mode", True), ("file_write", True)]


def test_dont_ask_never_asks_nor_waits(plant: Open) -> None:
    """G1: zero questions with dont_ask, attended or not; edits in the workspace are free."""
    visitor = Visitor()
    turns = scripted(
        [call("shell_exec", command="touch one")],
        [call("shell_exec", command="echo x > part_1.txt")],
        [call("list_dir")],
    )
    factory = opened(plant, turns, visitor, mode="dont_ask", ask=["Bash(echo *)"])
    approvals.attend(factory.factory.store, factory.factory.owner.to_text())
    factory.submit("silent", PLAN)
    factory.turn()
    assert visitor.looks == 0
    assert approvals.latest(factory.factory.store) == ()
    assert audit()[:2] == [("shell_exec", False), ("shell_exec", False)]
