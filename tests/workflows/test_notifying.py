"""Promises of messages to a person: one for a plan, none lost or held up, said once when a way fails."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lao.core.clock import FakeClock
from lao.core.states import Role
from lao.notify.ways import Sent
from lao.state import approvals, outbox, pauses
from lao.state.outbox import MOST, Letter, Outbox
from tests.notify.receiver import Receiver
from tests.workflows.conftest import MODELS, Plant
from tests.workflows.test_approvals_flow import Visitor
from tests.workflows.test_gate_status import GB, QUICK, WORLD
from tests.workflows.test_tools_in_flow import PLAN, call, scripted
from workflows import approvals as asking
from workflows import notifying

Open = Callable[..., Plant]


class Mailbox:
    """A way of the tests' own, that takes messages or has a problem."""

    def __init__(self) -> None:
        self.name = "command"
        self.got: list[dict[str, Any]] = []
        self.problem = ""
        self.tries = 0

    def within(self, limit_s: float) -> Mailbox:
        return self

    def send(self, document: str, stop: Callable[[], bool] | None = None) -> Sent:
        self.tries += 1
        if not self.problem:
            self.got.append(json.loads(document))
        return Sent(self.name, self.problem)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.close()


def look(plant: Plant, way: Mailbox, *, conditions: bool = False) -> list[str]:
    notifying.gather(plant.factory, (way,), conditions=conditions)
    notifying.deliver(plant.factory, (way,), lambda: False)
    return [str(message["event"]) for message in way.got]


def test_a_plan_is_told_once(plant: Open) -> None:
    """M4: what was before is old; a completed plan is one message, with its counts and the next command."""
    found, way = plant(notify={"command": "true"}), Mailbox()
    found.submit("before", PLAN.replace("Parts", "Before"))
    found.turn()
    outbox.begin(found.factory.store)
    found.submit("told", PLAN)
    found.turn()
    assert look(found, way) == look(found, way) == ["plan_done"]
    message = way.got[0]
    assert (message["plan"], message["state"], message["next"]) == ("told", "completed", "lao status")
    assert message["counts"] == {"total": 1, "completed": 1}
    assert message["project"] == str(found.root)


def test_what_did_not_work_is_one_message(plant: Open) -> None:
    """M4: a plan whose tasks fail is one message that names the command to go on with, not one for each task."""
    found, way = plant(notify={"command": "true"}, attempts={"repairs": 0, "candidates": 1, "idle": False}), Mailbox()
    outbox.begin(found.factory.store)
    text = "".join(f"- task: part {n} | file: part_{n}.txt | content: x | test: test -f never\n" for n in range(3))
    plan = found.submit("bad", f"# Parts\n\n{text}")
    found.turn()
    assert [t["state"] for t in found.tasks()] == ["needs_human"] * 3
    assert look(found, way) == look(found, way) == ["needs_person"]
    assert way.got[0]["next"] == f"lao retry-failed {plan}"
    assert way.got[0]["counts"] == {"total": 3, "needs_human": 3}


def test_a_way_that_fails_is_tried_again_and_said_once(plant: Open, caplog: pytest.LogCaptureFixture) -> None:
    """M4: with growing pauses, then given up; the log has one line, the state says so until it works."""
    clock = FakeClock()
    found, way = plant(clock=clock, notify={"command": "true"}), Mailbox()
    store = found.factory.store
    way.problem = "exit code 1"
    box = Outbox()
    box.put(Letter("a", "{}", ["command"]))
    outbox.keep(store, box)
    with caplog.at_level(logging.WARNING, "lao"):
        for tries in range(1, notifying.TRIES + 1):
            notifying.deliver(found.factory, (way,), lambda: False)
            notifying.deliver(found.factory, (way,), lambda: False)
            assert way.tries == tries, "not before it is due"
            clock.wait(notifying.LONGEST_PAUSE_S)
    assert [r.getMessage() for r in caplog.records if "notify" in r.getMessage()] == [
        "notify: the command exit code 1; LAO goes on and tries again"
    ]
    view = outbox.view(store)
    assert view is not None
    assert (view["waiting"], view["lost"], view["problems"]) == (0, 1, {"command": "exit code 1"})
    way.problem = ""
    outbox.keep(store, replace(outbox.read(store), letters=[Letter("b", "{}", ["command"])]))
    assert notifying.deliver(found.factory, (way,), lambda: False) == 1
    assert outbox.read(store).problem == {}


def test_the_outbox_is_bounded() -> None:
    """M4: the oldest goes, and is counted; the same message is not added twice."""
    box = Outbox()
    for number in range(MOST + 5):
        box.put(Letter(str(number), "{}", []))
        box.put(Letter(str(number), "{}", []))
    assert (len(box.letters), box.lost, box.letters[0].id) == (MOST, 5, "5")


def test_a_message_goes_each_of_its_ways_once(plant: Open) -> None:
    """M4: a way that has taken it is not tried again because another one has not."""
    found, one, two = plant(notify={"command": "true"}), Mailbox(), Mailbox()
    two.name = "webhook"
    two.problem = "answered 500"
    outbox.keep(found.factory.store, Outbox(letters=[Letter("a", "{}", ["command", "webhook"])]))
    notifying.deliver(found.factory, (one, two), lambda: False)
    box = outbox.read(found.factory.store)
    assert box.letters[0].ways == ["webhook"]
    box.letters[0].due = 0.0
    outbox.keep(found.factory.store, box)
    two.problem = ""
    notifying.deliver(found.factory, (one, two), lambda: False)
    assert (len(one.got), len(two.got)) == (1, 1)


def test_a_low_disk_is_told_once_while_it_lasts(plant: Open) -> None:
    """M4: once while it is low, and again when it has been well in between."""
    found, way = plant(notify={"command": "true", "disk_low_mb": 10**9}), Mailbox()
    outbox.begin(found.factory.store)
    assert look(found, way, conditions=True) == look(found, way, conditions=True) == ["disk_low"]
    section = found.factory.settings.raw["notify"]
    section["disk_low_mb"] = 0
    look(found, way, conditions=True)
    section["disk_low_mb"] = 10**9
    assert look(found, way, conditions=True) == ["disk_low", "disk_low"]
    assert len({message["id"] for message in way.got}) == 2


def test_work_that_does_not_move_is_told(plant: Open) -> None:
    """M4: after stalled_min minutes without movement though there is work; not at once, and not for an idle project."""
    clock = FakeClock()
    told = {"command": "true", "on": ["stalled"], "stalled_min": 30}
    found, way = plant(clock=clock, notify=told), Mailbox()
    outbox.begin(found.factory.store)
    assert look(found, way, conditions=True) == []
    clock.wait(7200)
    found.submit("still", PLAN)
    assert look(found, way, conditions=True) == []
    clock.wait(1700)
    assert look(found, way, conditions=True) == []
    clock.wait(200)
    assert look(found, way, conditions=True) == ["stalled"]
    clock.wait(3600)
    assert look(found, way, conditions=True) == ["stalled"]
    found.turn()
    assert look(found, way, conditions=True) == ["stalled"]


def test_a_gate_that_stays_shut_is_told(plant: Open) -> None:
    """M4: after gate_stuck_min minutes, though the phase tries again all the while; once, and not after it opened."""
    clock = FakeClock()
    told = {"command": "true", "on": ["gate_stuck"], "gate_stuck_min": 15}
    found, way = plant(WORLD, clock=clock, memory_gate=QUICK, notify=told), Mailbox()
    outbox.begin(found.factory.store)
    found.server.occupy(8 * GB)
    found.submit("waits", PLAN)
    with pytest.raises(AssertionError, match="not idle"):
        found.turn(limit=6)
    for _ in range(6):
        assert look(found, way, conditions=True) == []
        clock.wait(140)
    clock.wait(70)
    assert look(found, way, conditions=True) == look(found, way, conditions=True) == ["gate_stuck"]
    message = way.got[0]
    assert (message["state"], message["next"]) == ("shut", "lao status")
    assert str(message["reason"]).startswith(f"planner waits for {MODELS['planner']}: ")
    assert "4.0 GB is free" in str(message["reason"])
    found.server.occupy(0)
    found.turn()
    assert [plan["state"] for plan in found.plans()] == ["completed"]
    clock.wait(3600)
    assert look(found, way, conditions=True) == ["gate_stuck"]


def test_a_shut_gate_without_work_is_not_told(plant: Open) -> None:
    """M4: what nobody waits for, or is paused, troubles nobody."""
    clock = FakeClock()
    told = {"command": "true", "on": ["gate_stuck"], "gate_stuck_min": 0}
    found, way = plant(WORLD, clock=clock, memory_gate=QUICK, notify=told), Mailbox()
    outbox.begin(found.factory.store)
    found.server.occupy(8 * GB)
    assert not found.factory.ensure_resident(Role.PLANNER).ok
    assert look(found, way, conditions=True) == []
    pauses.pause(found.factory.store, None)
    found.submit("waits", PLAN)
    assert look(found, way, conditions=True) == []
    pauses.resume(found.factory.store, None)
    assert look(found, way, conditions=True) == ["gate_stuck"]


def test_a_question_is_told_while_it_waits(plant: Open) -> None:
    """M4: each question once, with what is asked and the command that answers it; an answered one no more."""
    visitor, way = Visitor(), Mailbox()
    turns = scripted(
        [call("shell_exec", command="touch one")],
        [call("shell_exec", command="touch two")],
        [call("file_write", path="part_1.txt", content="x\n")],
    )
    found = plant(turns, clock=visitor, permissions={"mode": "confirm"}, notify={"command": "true", "on": ["question"]})
    store = found.factory.store
    outbox.begin(store)
    approvals.attend(store, found.factory.owner.to_text())
    asked: list[int] = []

    def act() -> None:
        (one,) = approvals.waiting(store)
        asked.append(one.id)
        assert look(found, way, conditions=True) == look(found, way, conditions=True) == ["question"] * len(asked)
        asking.decide(found.factory, one.id, approvals.YES, "")

    visitor.act = act
    found.submit("asked", PLAN)
    found.turn()
    assert look(found, way, conditions=True) == ["question"] * 3
    assert [message["next"] for message in way.got] == [f"lao approve {one}" for one in asked]
    assert str(way.got[0]["reason"]).startswith("may shell_exec be run? ")
    assert (way.got[0]["state"], [task["state"] for task in found.tasks()]) == ("waiting", ["completed"])


def test_only_the_events_that_are_wanted(plant: Open) -> None:
    """M4: notify.on is heeded; without a way there is not even a thread."""
    found, way = plant(notify={"command": "true", "on": ["plan_failed"]}), Mailbox()
    outbox.begin(found.factory.store)
    found.submit("quiet", PLAN)
    found.turn()
    assert look(found, way) == []
    assert notifying.wants_notify(found.factory)
    found.factory.settings.raw["notify"]["command"] = None
    assert not notifying.wants_notify(found.factory)


def test_a_webhook_that_hangs_holds_up_nothing(plant: Open, receiver: Receiver, tmp_path: Path) -> None:
    """M4: the work goes on meanwhile, the thread ends soon, and the next worker sends what was not taken."""
    receiver.hold.clear()
    settings = {"webhook": receiver.url, "timeout_s": 1}
    found = plant(notify=settings)

    def serve() -> None:
        notifying.notify(found.factory)
        found.factory.store.close()  # this thread's own connection

    outbox.begin(found.factory.store)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    found.submit("held", PLAN)
    found.turn()
    assert [p["state"] for p in found.plans()] == ["completed"]
    found.factory.stop.set()
    thread.join(60)
    assert not thread.is_alive()
    box = outbox.read(found.factory.store)
    assert [letter.ways for letter in box.letters] == [["webhook"]]
    receiver.hold.set()
    box.letters[0].due = 0.0
    outbox.keep(found.factory.store, box)
    from lao.notify.ways import WebhookWay

    assert notifying.deliver(found.factory, (WebhookWay(receiver.url, "json", 30.0),), lambda: False) == 1
    assert json.loads(receiver.got[-1][1])["plan"] == "held"
