"""What a person may do to plans and tasks: cancel, pause, resume, replay, and bring back."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.core.clock import FakeClock
from lao.core.errors import BadInput, Refused
from lao.core.states import Phase, PlanState, RunState, TaskState
from lao.state import cancelling, pauses, pipeline, plans, queries, references, replaying, runs
from lao.state.runs import NotClaimed
from lao.state.store import Store
from lao.state.tables import RunRow, TaskRow
from lao.state.transitions import LostClaim
from tests.state.pipeline_steps import complete, finish_phase, hand_in, planned, ready_run, spec, take


def ids(store: Store, plan_id: str) -> list[int]:
    return [task.id for task in plans.tasks_of(store, plan_id)]


def states(store: Store, plan_id: str) -> list[str]:
    return [task.state.value for task in plans.tasks_of(store, plan_id)]


def cancel_plan(store: Store, plan_id: str) -> cancelling.Cancelled:
    with store.write():
        return cancelling.cancel_plan(plan_id, store.now())


def cancel_task(store: Store, task_id: int) -> cancelling.Cancelled:
    with store.write():
        return cancelling.cancel_task(task_id, store.now())


def replay(store: Store, task_id: int, since: Phase = Phase.CODE, *, early: bool = False) -> list[int]:
    with store.write():
        return replaying.replay(task_id, since, store.now(), early=early)


def close(store: Store, plan_id: str, state: PlanState = PlanState.COMPLETED) -> None:
    with runs.finishing(store, take(store, ready_run(Phase.CLOSE)), RunState.DONE) as now:
        pipeline.end_plan(plan_id, state, now)


def test_a_cancelled_plan_ends_with_what_is_open_and_keeps_what_is_done(store: Store) -> None:
    """One transaction: completed stays, open tasks and runs end, a run at work is lost to its worker."""
    plan_id = planned(store, spec("a"), spec("b"), spec("c", "b"))
    a, b, _ = ids(store, plan_id)
    complete(store, a)
    held = take(store, ready_run(Phase.CODE, b))
    done = cancel_plan(store, plan_id)
    assert states(store, plan_id) == ["completed", "cancelled", "cancelled"]
    assert plans.get(store, plan_id).state is PlanState.CANCELLED
    assert [run.owner for run in done.begun] == [held.owner]
    with pytest.raises(LostClaim), runs.finishing(store, held, RunState.DONE):
        pass
    with pytest.raises(LostClaim):
        runs.check_held(store, held)
    over = {RunState.DONE.value, RunState.SKIPPED.value}
    assert {run.state for run in RunRow.select()} <= over
    assert queries.is_idle(store)
    assert cancel_plan(store, plan_id).before == "cancelled"


@pytest.mark.parametrize("phase", [Phase.INGEST, Phase.PLAN])
@pytest.mark.parametrize("at_work", [False, True])
def test_a_plan_without_tasks_is_cancelled_and_brought_back(store: Store, phase: Phase, at_work: bool) -> None:
    """Before its tasks are known: its phase ends, and retry-failed by name begins that phase again."""
    plan_id = hand_in(store)
    if phase is Phase.PLAN:
        with runs.finishing(store, take(store, ready_run(Phase.INGEST)), RunState.DONE) as now:
            pipeline.next_plan_run(plan_id, Phase.PLAN, now)
    if at_work:
        take(store, ready_run(phase))
    assert len(cancel_plan(store, plan_id).begun) == int(at_work)
    assert plans.retry(store, None) == (0, ())
    count, ready = plans.retry(store, plan_id)
    assert (count, ready) == (1, (ready_run(phase),))
    take(store, ready[0])


def test_a_cancelled_task_takes_what_needs_it_along_and_the_plan_closes(store: Store) -> None:
    """Transitively, with the reason; the others go on, and the close comes after the last of them."""
    plan_id = planned(store, spec("a"), spec("b", "a"), spec("c", "b"), spec("d"))
    a, b, c, d = ids(store, plan_id)
    take(store, ready_run(Phase.CODE, a))
    done = cancel_task(store, a)
    assert (done.tasks, done.ready) == ((a, b, c), ())
    assert states(store, plan_id) == ["cancelled", "cancelled", "cancelled", "ready"]
    assert "'b'" in plans.task(store, c).reason
    complete(store, d)
    assert ready_run(Phase.CLOSE)
    assert cancel_task(store, d).before == "completed"
    assert cancel_task(store, a).before == "cancelled"


def test_what_was_begun_early_on_a_cancelled_task_ends_too(store: Store) -> None:
    """release: verified: a task at work on one that is only verified would wait for it for ever."""
    plan_id = planned(store, spec("a"), spec("b", "a"))
    a, b = ids(store, plan_id)
    finish_phase(store, Phase.CODE, a)
    claim = take(store, ready_run(Phase.VERIFY, a))
    with runs.finishing(store, claim, RunState.DONE) as now:
        pipeline.pass_verification(a, claim.run.id, now, early=True)
    take(store, ready_run(Phase.CODE, b))
    done = cancel_task(store, a)
    assert done.tasks == (a, b)
    assert done.ready == (ready_run(Phase.CLOSE),)


@pytest.mark.parametrize("named", [1, 2])
def test_a_cancelled_task_takes_its_parts_along(store: Store, named: int) -> None:
    """What is left of a split task, or of a part of it, would be GPU time for nothing; what it needs itself stays."""
    plan_id = planned(store, spec("a"), spec("b", "a"), spec("c"))
    a, b, c = ids(store, plan_id)
    complete(store, a)
    claim = take(store, ready_run(Phase.CODE, b))
    with runs.finishing(store, claim, RunState.DONE) as now:
        parts = [spec("b1"), spec("b2")]
        pipeline.split_task(b, now, parts=parts, ladder={"split": True}, reason="too large")
    _, _, _, first, second = ids(store, plan_id)
    done = cancel_task(store, (b, second)[named - 1])
    assert set(done.tasks) == {b, first, second}
    assert states(store, plan_id) == ["completed", "cancelled", "ready", "cancelled", "cancelled"]
    complete(store, c)
    assert ready_run(Phase.CLOSE)


def test_retry_brings_back_what_was_cancelled_only_by_name(store: Store) -> None:
    """The nightly retry of everything leaves alone what a person has ended; naming the plan brings it back."""
    plan_id = planned(store, spec("a"), spec("b", "a"), spec("c"))
    a, b, c = ids(store, plan_id)
    complete(store, c)
    cancel_plan(store, plan_id)
    assert plans.retry(store, None) == (0, ())
    assert plans.retry(store, plan_id) == (2, (ready_run(Phase.CODE, a),))
    assert plans.get(store, plan_id).state is PlanState.ACTIVE
    complete(store, a)
    complete(store, b)
    close(store, plan_id)
    assert states(store, plan_id) == ["completed"] * 3


def test_retry_of_all_leaves_out_what_needs_a_cancelled_task(store: Store) -> None:
    """A failed task that needs a cancelled one would wait for ever, and the plan with it."""
    plan_id = planned(store, spec("a"), spec("b"), spec("c", "a", "b"), spec("d"))
    a, b, c, d = ids(store, plan_id)
    for task in (a, d):
        with runs.finishing(store, take(store, ready_run(Phase.CODE, task)), RunState.FAILED) as now:
            pipeline.end_task(task, TaskState.FAILED, now, "no luck")
    cancel_task(store, b)
    close(store, plan_id, PlanState.FAILED)
    assert plans.retry(store, None)[0] == 2
    assert states(store, plan_id) == ["ready", "cancelled", "failed", "ready"]
    complete(store, a)
    complete(store, d)
    close(store, plan_id, PlanState.FAILED)
    assert plans.retry(store, None) == (0, ())
    assert plans.retry(store, plan_id)[0] == 2
    complete(store, b)
    complete(store, c)


def test_a_failed_plan_is_given_up_by_cancelling_it(store: Store) -> None:
    """The nightly retry then leaves it alone; a completed plan cannot be cancelled."""
    plan_id = planned(store, spec("a"))
    (a,) = ids(store, plan_id)
    with runs.finishing(store, take(store, ready_run(Phase.CODE, a)), RunState.FAILED) as now:
        pipeline.end_task(a, TaskState.NEEDS_HUMAN, now, "look")
    close(store, plan_id, PlanState.NEEDS_HUMAN)
    assert cancel_plan(store, plan_id).before == ""
    assert plans.retry(store, None) == (0, ())
    assert plans.retry(store, plan_id)[0] == 1
    complete(store, a)
    close(store, plan_id)
    assert cancel_plan(store, plan_id).before == "completed"
    assert states(store, plan_id) == ["completed"]


@pytest.mark.parametrize("whole", [False, True])
def test_nothing_new_is_begun_while_paused(store: Store, clock: FakeClock, whole: bool) -> None:
    """What is at work ends its phase; ready runs are refused without "later", are not woken, and count as idle."""
    paused, other = planned(store, spec("a"), spec("b")), planned(store, spec("c"), text="# Other\n")
    a, b = ids(store, paused)
    (c,) = ids(store, other)
    held = take(store, ready_run(Phase.CODE, a))
    since, new = pauses.pause(store, None if whole else paused)
    clock.wait(5)
    assert (pauses.pause(store, None if whole else paused), new) == ((since, False), True)
    refused = runs.claim(store, ready_run(Phase.CODE, b), "me", "test")
    assert isinstance(refused, NotClaimed)
    assert refused.kind == "no"
    assert not queries.is_idle(store, paused)
    with runs.finishing(store, held, RunState.DONE) as now:
        pipeline.unblock_successors(held.run.id, now)
    assert queries.is_idle(store, paused)
    assert queries.is_idle(store) is whole
    waiting = [] if whole else [ready_run(Phase.CODE, c)]
    assert list(runs.runnable(store, lambda _owner: True, 0)) == waiting
    assert runs.soon(store, [Phase.VERIFY], [], 1) is False
    assert queries.paused_open(store) == (2 if whole else 1)
    assert pauses.resume(store, None if whole else paused) == ("" if whole else paused,)
    assert pauses.every(store) == {}
    assert len(runs.runnable(store, lambda _owner: True, 0)) == 3
    take(store, ready_run(Phase.VERIFY, a))


def test_resume_of_all_ends_every_pause_and_of_one_only_its_own(store: Store) -> None:
    """A plan that is over has no pause any more."""
    one, two = hand_in(store), hand_in(store, "# Two\n", "/plans/two.md")
    for plan_id in (one, two, None):
        pauses.pause(store, plan_id)
    assert pauses.resume(store, one) == (one,)
    assert set(pauses.every(store)) == {"", two}
    assert isinstance(runs.claim(store, 1, "me", ""), NotClaimed)
    assert set(pauses.resume(store, None)) == {"", two}
    assert pauses.resume(store, None) == ()
    pauses.pause(store, one)
    cancel_plan(store, one)
    assert pauses.every(store) == {}


def test_a_run_that_is_claimed_to_be_ended_is_not_held_up(store: Store) -> None:
    """What keeps crashing its worker is set aside also while its plan is paused."""
    plan_id = hand_in(store)
    pauses.pause(store, plan_id)
    assert not isinstance(runs.claim(store, 1, "me", "", to_end=True), NotClaimed)


def test_a_replay_from_code_is_a_new_attempt_with_a_new_budget(store: Store) -> None:
    """The plan opens and closes again; what needed the task and is completed stays."""
    plan_id = planned(store, spec("a"), spec("b", "a"))
    a, b = ids(store, plan_id)
    complete(store, a)
    complete(store, b)
    close(store, plan_id)
    TaskRow.update(ladder={"tokens": 900, "solved": "draft"}, verify_failures=2).where(TaskRow.id == a).execute()
    assert replay(store, a) == [ready_run(Phase.CODE, a)]
    task = plans.task(store, a)
    assert (task.attempts, task.verify_failures, task.ladder["tokens"], task.ladder["base"]) == (2, 0, 0, 1)
    assert task.ladder["solved"] == ""
    assert plans.get(store, plan_id).state is PlanState.ACTIVE
    complete(store, a)
    close(store, plan_id)
    assert states(store, plan_id) == ["completed", "completed"]
    assert plans.task(store, b).attempts == 1


def test_a_replay_from_verify_asks_no_coder(store: Store) -> None:
    """Of a completed task the checks alone; of one that was not, its review follows."""
    plan_id = planned(store, spec("a"), spec("b"))
    a, b = ids(store, plan_id)
    complete(store, a)
    with runs.finishing(store, take(store, ready_run(Phase.CODE, b)), RunState.FAILED) as now:
        pipeline.end_task(b, TaskState.FAILED, now, "no luck")
    for task, state in ((a, TaskState.COMPLETED), (b, TaskState.VERIFYING)):
        (run,) = replay(store, task, Phase.VERIFY)
        claim = take(store, run)
        assert claim.run.phase is Phase.VERIFY
        with runs.finishing(store, claim, RunState.DONE) as now:
            pipeline.pass_verification(task, run, now, early=False)
        assert plans.task(store, task).state is state
    finish_phase(store, Phase.REVIEW, b)
    assert states(store, plan_id) == ["completed", "completed"]


def test_a_replay_from_review_reviews_the_last_verified_commit(store: Store) -> None:
    """It takes over what the verification that passed last has found; without one it is refused."""
    plan_id = planned(store, spec("a"))
    (a,) = ids(store, plan_id)
    finish_phase(store, Phase.CODE, a)
    claim = take(store, ready_run(Phase.VERIFY, a))
    with runs.finishing(store, claim, RunState.DONE, {"commit": "abc", "blocked": False}) as now:
        pipeline.pass_verification(a, claim.run.id, now, early=False)
    finish_phase(store, Phase.REVIEW, a)
    close(store, plan_id)
    (run,) = replay(store, a, Phase.REVIEW)
    assert runs.predecessor_result(store, run)["commit"] == "abc"
    assert plans.task(store, a).state is TaskState.VERIFYING
    finish_phase(store, Phase.REVIEW, a)
    assert plans.task(store, a).state is TaskState.COMPLETED
    assert ready_run(Phase.CLOSE)


def test_a_replay_is_refused_where_it_cannot_be(store: Store) -> None:
    """At work, waiting, for want of what it needs, or with nothing to review; nothing is changed then."""
    plan_id = planned(store, spec("a"), spec("b", "a"), spec("c"))
    a, b, c = ids(store, plan_id)
    for task, words in ((a, "at work"), (b, "waits")):
        with pytest.raises(Refused, match=words):
            replay(store, task)
    cancel_task(store, a)
    with pytest.raises(Refused, match=f"needs task {a}"):
        replay(store, b)
    with pytest.raises(Refused, match="checks have passed"):
        replay(store, a, Phase.REVIEW)
    assert states(store, plan_id) == ["cancelled", "cancelled", "ready"]
    replay(store, a)
    assert replay(store, b) == []
    complete(store, a)
    complete(store, b)
    complete(store, c)
    assert states(store, plan_id) == ["completed"] * 3


def test_how_plans_and_tasks_are_named(store: Store, clock: FakeClock) -> None:
    """Id, its beginning, name, file; number and #number. Of several plans of a name the open one, then the newest."""
    plan_id = planned(store, spec("a"), text="# Soup\n")
    (a,) = ids(store, plan_id)
    for name in (plan_id, plan_id[:6], "a", "a.md", "/plans/a.md"):
        assert references.find_plan(store, name).id == plan_id
    assert references.find_plan(store, "plans/a", Path("/plans/a.md")).id == plan_id
    for name in (str(a), f"#{a}"):
        assert references.find_task(store, name).id == a
        assert references.find(store, name) == references.find_task(store, name)
    cancel_plan(store, plan_id)
    newer = hand_in(store, "# Soup, thick\n")
    assert references.find_plan(store, "a").id == newer
    clock.wait(1)
    newest = hand_in(store, "# Soup, thicker\n")
    with pytest.raises(BadInput, match="2 plans"):
        references.find_plan(store, "a")
    for plan in (newer, newest):
        cancel_plan(store, plan)
    assert references.find_plan(store, "a").id == newest


def test_unknown_names_are_told_the_nearest(store: Store) -> None:
    """One message, exit code 42, with what was probably meant."""
    hand_in(store, "# Soup\n", "/plans/soup.md")
    planned(store, spec("broth"), text="# Other\n")
    for call, text, words in (
        (references.find_plan, "suop", "soup"),
        (references.find, "suop", "soup"),
        (references.find, "99", "broth"),
        (references.find_task, "#99", "broth"),
        (references.find_task, "soup", "number"),
    ):
        with pytest.raises(BadInput) as caught:
            call(store, text)
        assert words in str(caught.value)
        assert caught.value.exit_code == 42


def test_a_number_that_is_also_a_plan_is_ambiguous(store: Store) -> None:
    """A plan called 1 and task 1: the message says how to write each."""
    planned(store, spec("a"))
    hand_in(store, "# One\n", "/plans/1.md")
    with pytest.raises(BadInput, match="is a task and the plan"):
        references.find(store, "1")
    assert references.find(store, "#1").id == 1
