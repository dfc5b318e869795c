"""J2 K1: which attempts may be at work at once, and what is tried alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lao.core.clock import FakeClock
from lao.core.states import RunState
from lao.core.words import TaskSpec
from lao.state import recovery, runs
from lao.state.records import Claim
from lao.state.runs import NotClaimed
from lao.state.side_by_side import ALONE, SAME_FILES
from lao.state.store import Store
from lao.state.tables import RunRow
from tests.state.pipeline_steps import planned, spec, take


def task(title: str, *paths: str, text: str = "", command: str = "") -> TaskSpec:
    return replace(spec(title), file_paths=paths, description=text, commands=(command,) if command else ())


def code_runs() -> list[int]:
    return [r.id for r in RunRow.select().where(RunRow.phase == "code").order_by(RunRow.id)]


def refused(store: Store, run_id: int) -> str:
    found = runs.claim(store, run_id, "o", "test")
    return "" if isinstance(found, Claim) else found.reason


def end(store: Store, claim: Claim) -> None:
    with runs.finishing(store, claim, RunState.DONE):
        pass


def test_tasks_with_the_same_file_go_one_after_the_other(store: Store) -> None:
    """J2: their landings would be a conflict; the one that waited is called back when the other is over."""
    plan = planned(store, task("one", "a.py", "x.py"), task("two", "b.py", "a.py"), task("three", "c.py"), task("four"))
    one, two, three, four = code_runs()
    first = take(store, one)
    assert refused(store, two) == SAME_FILES
    assert isinstance(runs.wanted(store, two), NotClaimed)
    assert [refused(store, run) for run in (three, four)] == ["", ""]
    end(store, first)
    assert refused(store, two) == SAME_FILES  # not due yet
    assert runs.call_back(store, plan) == [two]
    assert refused(store, two) == ""
    assert runs.call_back(store, plan) == []


def test_who_is_not_called_back_comes_by_itself(store: Store, clock: FakeClock) -> None:
    """K4: a worker that dies between the end of a task and the call costs seconds."""
    planned(store, task("one", "a.py"), task("two", "a.py"))
    one, two = code_runs()
    first = take(store, one)
    assert refused(store, two) == SAME_FILES
    end(store, first)
    clock.wait(10)
    assert two in runs.runnable(store, lambda _owner: True, 0)
    assert refused(store, two) == ""


@pytest.mark.parametrize(
    ("text", "command", "waits"),
    [
        ("Use the class of stack.py.", "", True),
        ("Test the module `stack`.", "", True),
        ("", "python3 -m pytest test_it.py src/stack.py", True),
        ("It has nothing to do with a haystack or stack_trace.", "", False),
        ("Write more.", "", False),
    ],
)
def test_what_names_a_file_that_is_being_written_waits(store: Store, text: str, command: str, waits: bool) -> None:
    """D2: a planner that forgets a dependency costs no attempt; the plan's order stands for it."""
    planned(store, task("stack", "src/stack.py"), task("uses", "uses.py", text=text, command=command))
    one, two = code_runs()
    take(store, one)
    assert refused(store, two) == (SAME_FILES if waits else "")


def test_only_an_earlier_task_is_waited_for(store: Store) -> None:
    """D2: the order is the plan's; what comes later is not waited for, whatever it is called."""
    planned(store, task("uses", "uses.py", text="see stack.py"), task("stack", "stack.py"))
    one, two = code_runs()
    take(store, two)
    assert refused(store, one) == ""


def test_a_task_waits_for_one_that_waits(store: Store) -> None:
    """D2: the third does not overtake the second, on which it builds."""
    plan = planned(
        store, task("base", "base.py"), task("middle", "middle.py", text="base.py"), task("top", text="middle.py")
    )
    one, two, three = code_runs()
    first = take(store, one)
    assert [refused(store, run) for run in (two, three)] == [SAME_FILES, SAME_FILES]
    end(store, first)
    assert runs.call_back(store, plan) == [two, three]
    assert [refused(store, run) for run in (three, two)] == [SAME_FILES, ""]


def test_what_may_have_ended_its_worker_is_tried_alone(store: Store) -> None:
    """K1: of several phases that were at work in a crash only the guilty one is set aside."""
    planned(store, task("one", "a.py"), task("two", "b.py"))
    one, two = code_runs()
    for run in (one, two):
        take(store, run, "victim")
    for _ in range(3):
        recovery.recover(store, lambda _owner: False)
        RunRow.update(strikes=recovery.SELECTIVE_CRASH).execute()
        held = take(store, one, "victim")
        assert refused(store, two) == ALONE
    end(store, held)
    suspect = take(store, two)
    assert RunRow.get_by_id(suspect.run.id).strikes == recovery.SELECTIVE_CRASH


def test_what_is_to_be_set_aside_waits_for_nobody(store: Store) -> None:
    """K1: it is claimed to be parked, not to be worked on."""
    planned(store, task("one", "a.py"), task("two", "a.py"))
    one, two = code_runs()
    take(store, one)
    RunRow.update(strikes=recovery.STRIKES).where(RunRow.id == two).execute()
    assert refused(store, two) == ""
