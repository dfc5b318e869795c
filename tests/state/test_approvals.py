"""Promise: a question is put once and answered once, whoever asks again or answers second."""

from __future__ import annotations

import pytest

from lao.core.clock import FakeClock
from lao.core.states import Phase, RunState
from lao.state import approvals, runs
from lao.state.approvals import ALWAYS, NO, NOBODY, YES, Approval
from lao.state.records import Claim
from lao.state.store import Store
from tests.state.pipeline_steps import OWNER, planned, ready_run, spec, take


@pytest.fixture
def run(store: Store) -> int:
    planned(store, spec("one"))
    return take(store, ready_run(Phase.CODE)).run.id


def ask(store: Store, run: int, label: str = "tool:1", **arguments: object) -> Approval:
    return approvals.ask(
        store, run, label, "shell_exec", arguments or {"command": "make"}, reason="no rule", remember=("Bash(make)",)
    )


def test_the_same_question_is_put_once(store: Store, run: int) -> None:
    """G1 K1: a resumed run finds its question and its answer; another step or another call is another question."""
    first = ask(store, run)
    assert ask(store, run) == first
    assert (first.answer, first.tool, first.plan, first.task) == ("", "shell_exec", "a", 1)
    assert approvals.answer(store, first.id, YES)
    assert ask(store, run).granted
    assert not ask(store, run, "tool:2").answer
    assert not ask(store, run, command="make all").answer
    assert len(approvals.latest(store)) == 3


def test_an_answer_is_given_once(store: Store, run: int) -> None:
    """Who answers second changes nothing, also when the time is over."""
    asked = ask(store, run)
    assert approvals.answer(store, asked.id, NO, "not now")
    assert not approvals.answer(store, asked.id, YES)
    assert not approvals.answer(store, asked.id, NOBODY)
    assert not approvals.answer(store, 99, YES)
    found = approvals.get(store, asked.id)
    assert found is not None
    assert (found.answer, found.note, found.granted) == (NO, "not now", False)
    assert approvals.get(store, 99) is None


def test_open_questions_are_those_of_open_runs(store: Store, run: int) -> None:
    """M3: a question whose run is over waits for nobody."""
    first, second = ask(store, run), ask(store, run, "tool:2")
    assert [one.id for one in approvals.waiting(store)] == [first.id, second.id]
    approvals.answer(store, first.id, NOBODY)
    assert approvals.went_unanswered(store, run)
    assert [one.id for one in approvals.waiting(store)] == [second.id]
    found = runs.get(store, run)
    assert found is not None
    with runs.finishing(store, Claim(found, 1, OWNER), RunState.DONE):
        pass
    assert approvals.waiting(store) == ()
    assert [one.id for one in approvals.latest(store)] == [second.id, first.id]


def test_rules_of_always_since_a_moment(store: Store, run: int, clock: FakeClock) -> None:
    """G1: a worker obeys what was answered since it read the configuration; older rules are in the file."""
    approvals.answer(store, ask(store, run).id, ALWAYS)
    clock.wait(10)
    since = store.now()
    assert approvals.always_rules(store, since) == ()
    approvals.answer(store, ask(store, run, "tool:2").id, YES)
    approvals.answer(store, ask(store, run, "tool:3").id, ALWAYS)
    assert approvals.always_rules(store, since) == ("Bash(make)",)


def test_who_attends(store: Store) -> None:
    """G1: who shows questions says so, and says when it is over."""
    approvals.attend(store, "a:1")
    approvals.attend(store, "a:1")
    approvals.attend(store, "b:2")
    assert approvals.attending(store) == ("a:1", "b:2")
    approvals.leave(store, "a:1")
    approvals.leave(store, "a:1")
    assert approvals.attending(store) == ("b:2",)
