"""How plans, tasks and attempts move through the state."""

from __future__ import annotations

import pytest

from lao.core.clock import FakeClock
from lao.core.states import Phase, PlanState, RunState, TaskState
from lao.state import pipeline, plans, queries, runs
from lao.state.store import Store
from lao.state.tables import RunRow, TaskRow
from lao.state.transitions import IllegalMove, LostClaim, move_task
from tests.state.pipeline_steps import complete, finish_phase, planned, ready_run, spec, take


def test_identical_content_is_one_plan_and_a_change_supersedes(store: Store) -> None:
    """C3: white space at line ends does not make a new plan; changed text does, and says what it supersedes."""
    from tests.state.pipeline_steps import hand_in

    first = hand_in(store, "# Plan\nbuild it\n")
    assert hand_in(store, "# Plan  \r\nbuild it\n\n") == first
    second = hand_in(store, "# Plan\nbuild more\n")
    assert second != first
    assert plans.get(store, second).supersedes == first
    assert len(plans.all_plans(store)) == 2


def test_a_task_waits_for_its_needs_and_starts_when_the_last_is_completed(store: Store) -> None:
    """D3: dependents start exactly when all their needs are completed."""
    plan_id = planned(store, spec("a"), spec("b"), spec("c", "a", "b"))
    a, b, c = (t.id for t in plans.tasks_of(store, plan_id))
    complete(store, a)
    assert plans.task(store, c).state is TaskState.WAITING
    complete(store, b)
    assert plans.task(store, c).state is TaskState.READY
    assert plans.task(store, c).attempts == 1


def test_dependents_of_a_failed_task_fail_with_the_reason(store: Store) -> None:
    """D3: a failure runs down the graph and says why; other tasks go on, and the plan is closed at the end."""
    plan_id = planned(store, spec("a"), spec("b", "a"), spec("c", "b"), spec("d"))
    a, b, c, d = (t.id for t in plans.tasks_of(store, plan_id))
    with runs.finishing(store, take(store, ready_run(Phase.CODE, a)), RunState.FAILED) as now:
        assert pipeline.end_task(a, TaskState.FAILED, now, "no luck") == []
    assert plans.task(store, b).state is TaskState.FAILED
    assert "'a'" in plans.task(store, b).reason
    assert plans.task(store, c).state is TaskState.FAILED
    assert "'b'" in plans.task(store, c).reason
    assert plans.task(store, d).state is TaskState.READY
    complete(store, d)
    assert ready_run(Phase.CLOSE)


def test_attempts_are_counted_once_and_end_at_the_cap(store: Store, clock: FakeClock) -> None:
    """D4: each bad end uses one attempt of its counter, the cap fails the task, the cooldown grows."""
    plan_id = planned(store, spec("a"))
    (task,) = plans.tasks_of(store, plan_id)
    waits = []
    for _ in range(2):
        claim = take(store, ready_run(Phase.CODE, task.id))
        with runs.finishing(store, claim, RunState.FAILED) as now:
            pipeline.retry_or_fail(
                task.id, now, counter="coder_failures", cap=3, feedback=["x"], reason="x", cooldown_s=5
            )
        run = RunRow.get_by_id(ready_run(Phase.CODE, task.id))
        waits.append(run.not_before - clock.now())
        clock.wait(waits[-1])
    assert waits == [5, 10]
    with runs.finishing(store, take(store, ready_run(Phase.CODE, task.id)), RunState.FAILED) as now:
        pipeline.retry_or_fail(task.id, now, counter="coder_failures", cap=3, feedback=["x"], reason="x")
    final = plans.task(store, task.id)
    assert (final.state, final.attempts, final.coder_failures) == (TaskState.FAILED, 3, 3)
    assert final.feedback == ("x",)


def test_rework_after_verification_skips_the_review_of_that_attempt(store: Store) -> None:
    """D5: a failed verification begins a new attempt; the review that was chained to the old one is never run."""
    plan_id = planned(store, spec("a"))
    (task,) = plans.tasks_of(store, plan_id)
    finish_phase(store, Phase.CODE, task.id)
    with runs.finishing(store, take(store, ready_run(Phase.VERIFY, task.id)), RunState.DONE) as now:
        ready = pipeline.retry_or_fail(task.id, now, counter="verify_failures", cap=3, feedback=["f"], reason="f")
    states = [(r.phase, r.attempt, r.state) for r in RunRow.select().where(RunRow.task == task.id).order_by(RunRow.id)]
    assert states == [
        ("code", 1, "done"),
        ("verify", 1, "done"),
        ("review", 1, "skipped"),
        ("code", 2, "ready"),
        ("verify", 2, "blocked"),
        ("review", 2, "blocked"),
    ]
    assert [p.value for p, _ in runs.chain(store, ready[0])] == ["code", "verify", "review"]


def test_retry_failed_gives_new_attempts_in_dependency_order(store: Store) -> None:
    """K3: failed tasks start again with fresh counters, their dependents wait again, completed ones stay."""
    plan_id = planned(store, spec("a"), spec("b", "a"), spec("c"))
    a, b, c = (t.id for t in plans.tasks_of(store, plan_id))
    complete(store, c)
    with runs.finishing(store, take(store, ready_run(Phase.CODE, a)), RunState.FAILED) as now:
        pipeline.end_task(a, TaskState.FAILED, now, "no luck")
    with runs.finishing(store, take(store, ready_run(Phase.CLOSE)), RunState.DONE) as now:
        pipeline.end_plan(plan_id, PlanState.FAILED, now, "1 failed")
    count, ready = plans.retry(store, plan_id)
    assert count == 2
    assert len(ready) == 1
    assert [plans.task(store, t).state for t in (a, b, c)] == [
        TaskState.READY,
        TaskState.WAITING,
        TaskState.COMPLETED,
    ]
    assert plans.get(store, plan_id).state is PlanState.ACTIVE
    complete(store, a)
    complete(store, b)
    assert ready_run(Phase.CLOSE)
    assert plans.retry(store, plan_id) == (0, ())


def test_a_plan_that_failed_in_planning_is_planned_again(store: Store) -> None:
    """K3: retry repeats the phase in which a plan without tasks failed."""
    from tests.state.pipeline_steps import hand_in

    plan_id = hand_in(store)
    with runs.finishing(store, take(store, ready_run(Phase.INGEST)), RunState.DONE) as now:
        pipeline.next_plan_run(plan_id, Phase.PLAN, now)
    with runs.finishing(store, take(store, ready_run(Phase.PLAN)), RunState.FAILED) as now:
        pipeline.end_plan(plan_id, PlanState.FAILED, now, "no tasks")
    assert plans.retry(store, None)[0] == 1
    assert plans.get(store, plan_id).state is PlanState.QUEUED
    assert RunRow.get_by_id(ready_run(Phase.PLAN)).attempt == 2


def test_illegal_moves_and_stale_rows_are_refused(store: Store, clock: FakeClock) -> None:
    """K4: a status changes only along the table, and only for who read the current row."""
    plan_id = planned(store, spec("a"))
    (task,) = plans.tasks_of(store, plan_id)
    stale = TaskRow.get_by_id(task.id)
    with store.write(), pytest.raises(IllegalMove):
        move_task(stale, TaskState.COMPLETED, clock.now())
    take(store, ready_run(Phase.CODE, task.id))
    with store.write(), pytest.raises(LostClaim):
        move_task(stale, TaskState.CODING, clock.now())


def test_views_count_what_is_there(store: Store) -> None:
    """M1: the numbers of status come from the rows."""
    plan_id = planned(store, spec("a"), spec("b", "a"))
    a, _ = (t.id for t in plans.tasks_of(store, plan_id))
    assert not queries.is_idle(store)
    complete(store, a)
    (view,) = queries.plans_view(store)
    assert view["tasks"] == {
        "total": 2,
        "completed": 1,
        "failed": 0,
        "needs_human": 0,
        "waiting": 0,
        "cancelled": 0,
        "active": 1,
    }
    assert [t["state"] for t in queries.tasks_view(store)] == ["completed", "ready"]
    assert queries.outcome(store)["open"] == 1


def verified(store: Store, task: int) -> list[int]:
    """Coded and verified; returns what the verification made ready but for the review."""
    finish_phase(store, Phase.CODE, task)
    claim = take(store, ready_run(Phase.VERIFY, task))
    with runs.finishing(store, claim, RunState.DONE) as now:
        pipeline.pass_verification(task, claim.run.id, now, early=False)
        return pipeline.check_whole_early(claim.run.plan_id, now)


def test_the_whole_is_checked_when_only_reviews_are_left(store: Store) -> None:
    """Not before the last verification, with an approved task as well as an open one, and never twice at a time."""
    a, b, c = (t.id for t in plans.tasks_of(store, planned(store, spec("a"), spec("b"), spec("c", "a"))))
    assert verified(store, a) == []
    finish_phase(store, Phase.REVIEW, a)
    assert verified(store, b) == []
    (whole,) = verified(store, c)
    assert whole == ready_run(Phase.WHOLE)
    assert runs.priority(store, whole) == runs.IDLE_PRIORITY
    with store.write():
        pipeline.reject(b, store.now(), early=False, counter="rejections", cap=9, feedback=["no"], reason="no")
        assert not pipeline.only_reviews_left(plans.task(store, b).plan_id)
    assert verified(store, b) == [whole]
    claim = take(store, whole)
    with store.write():
        assert pipeline.check_whole_early(claim.run.plan_id, store.now()) == []


def test_a_single_task_needs_no_early_check(store: Store) -> None:
    """Its verification was one."""
    (task,) = plans.tasks_of(store, planned(store, spec("a")))
    assert verified(store, task.id) == []


def test_the_close_waits_for_an_early_check_that_has_begun(store: Store) -> None:
    """It is blocked until that ends, however it ends; of one that has not begun it is not kept waiting."""
    for begun in (True, False):
        plan_id = planned(store, spec("a"), spec("b"), text=f"# Plan {begun}\n")
        for task in plans.tasks_of(store, plan_id):
            verified(store, task.id)
        claim = take(store, ready_run(Phase.WHOLE)) if begun else None
        for task in plans.tasks_of(store, plan_id):
            finish_phase(store, Phase.REVIEW, task.id)
        close = RunRow.get(RunRow.plan == plan_id, RunRow.phase == Phase.CLOSE.value)
        assert close.state == ("blocked" if begun else "ready")
        if claim is not None:
            with runs.finishing(store, claim, RunState.FAILED) as now:
                assert pipeline.unblock_successors(claim.run.id, now) == [close.id]
        else:
            assert RunRow.get(RunRow.plan == plan_id, RunRow.phase == Phase.WHOLE.value).state == "skipped"


def test_a_plan_that_ends_during_its_early_check_leaves_no_open_run(store: Store) -> None:
    """A close that was queued before it, and found tasks set back meanwhile, does not wait for it: it is not needed."""
    plan_id = planned(store, spec("a"), spec("b"))
    a, b = (t.id for t in plans.tasks_of(store, plan_id))
    verified(store, b)
    finish_phase(store, Phase.REVIEW, b)
    with runs.finishing(store, take(store, ready_run(Phase.CODE, a)), RunState.FAILED) as now:
        (close,) = pipeline.end_task(a, TaskState.NEEDS_HUMAN, now, "look at it")
    assert plans.retry(store, plan_id)[0] == 1
    verified(store, a)
    early = take(store, ready_run(Phase.WHOLE))
    finish_phase(store, Phase.REVIEW, a)
    with runs.finishing(store, take(store, close), RunState.DONE) as now:
        pipeline.end_plan(plan_id, PlanState.COMPLETED, now)
    assert RunRow.get_by_id(early.run.id).state == "skipped"
    with pytest.raises(LostClaim), runs.finishing(store, early, RunState.DONE):
        pytest.fail("it came too late")
    assert RunRow.select().where(RunRow.state.in_(["ready", "running", "blocked"])).count() == 0
