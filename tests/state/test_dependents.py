"""E6: others may build on verified work before its review; a rejection sends them back to their checks."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from lao.core.states import TERMINAL_TASKS, Phase, RunState, TaskState
from lao.state import dependents, pipeline, plans, runs
from lao.state.store import Store
from lao.state.tables import RunRow, TaskRow
from tests.state.pipeline_steps import planned, ready_run, spec, take


def code(store: Store, task: int) -> None:
    claim = take(store, ready_run(Phase.CODE, task))
    with runs.finishing(store, claim, RunState.DONE) as now:
        pipeline.unblock_successors(claim.run.id, now)


def verify(store: Store, task: int, *, passes: bool = True) -> None:
    claim = take(store, ready_run(Phase.VERIFY, task))
    with runs.finishing(store, claim, RunState.DONE) as now:
        if passes:
            pipeline.pass_verification(task, claim.run.id, now, early=True)
        else:
            pipeline.retry_or_fail(task, now, counter="verify_failures", cap=9, feedback=["red"], reason="red")


def review(store: Store, task: int, *, approves: bool = True) -> None:
    claim = take(store, ready_run(Phase.REVIEW, task))
    with runs.finishing(store, claim, RunState.DONE) as now:
        if approves:
            pipeline.complete_task(task, now, early=True)
        else:
            pipeline.reject(task, now, early=True, counter="rejections", cap=9, feedback=["no"], reason="no")


def ids(store: Store, plan_id: str) -> list[int]:
    return [task.id for task in plans.tasks_of(store, plan_id)]


def state(store: Store, task: int) -> str:
    return plans.task(store, task).state.value


def test_verified_work_is_built_on(store: Store) -> None:
    """A chain is coded through before the first review; reviews complete it in any order."""
    a, b, c = ids(store, planned(store, spec("a"), spec("b", "a"), spec("c", "b")))
    for task in (a, b, c):
        code(store, task)
        verify(store, task)
    review(store, c)
    review(store, a)
    assert [state(store, task) for task in (a, b, c)] == ["completed", "verifying", "completed"]
    review(store, b)
    assert ready_run(Phase.CLOSE)


def test_without_early_release_a_review_comes_first(store: Store) -> None:
    """The default: what needs a task begins when it is completed."""
    a, b = ids(store, planned(store, spec("a"), spec("b", "a")))
    code(store, a)
    claim = take(store, ready_run(Phase.VERIFY, a))
    with runs.finishing(store, claim, RunState.DONE) as now:
        pipeline.pass_verification(a, claim.run.id, now, early=False)
    assert state(store, b) == "waiting"


def test_a_rejection_sends_back_what_was_built_on_it(store: Store) -> None:
    """Completed, verified and not begun tasks wait for the rework; then checks alone decide, and no coder is asked."""
    a, b, c, d, other = ids(
        store, planned(store, spec("a"), spec("b", "a"), spec("c", "b"), spec("d", "a"), spec("other"))
    )
    for task in (a, b):
        code(store, task)
        verify(store, task)
    review(store, b)
    code(store, other)
    verify(store, other)
    code(store, c)
    verify(store, c)
    assert [state(store, t) for t in (a, b, c, d)] == ["verifying", "completed", "verifying", "ready"]
    review(store, a, approves=False)
    assert [state(store, t) for t in (a, b, c, d)] == ["ready", "waiting", "waiting", "waiting"]
    review(store, other)
    assert state(store, other) == "completed"

    code(store, a)
    verify(store, a)
    assert [state(store, t) for t in (b, c, d)] == ["ready", "waiting", "ready"]
    verify(store, b)  # it was approved: its checks are enough
    assert [state(store, t) for t in (b, c)] == ["completed", "ready"]
    verify(store, c)  # it was not: its review comes now
    assert state(store, c) == "verifying"
    review(store, c)
    code(store, d)
    verify(store, d)
    review(store, d)
    review(store, a)
    assert {state(store, t) for t in (a, b, c, d)} == {"completed"}
    coded = {t: RunRow.select().where(RunRow.task == t, RunRow.phase == "code", RunRow.state == "done").count() for t in
             (a, b, c, d)}  # fmt: skip
    assert coded == {a: 2, b: 1, c: 1, d: 1}
    assert [plans.task(store, t).ladder.get("base", 0) for t in (a, b, c, d)] == [0, 1, 1, 1]
    assert ready_run(Phase.CLOSE)


def test_a_graph_of_many_ways_is_walked_once(store: Store) -> None:
    """Twenty-four diamonds have sixteen million ways through; a walk along each would not come to its end."""
    specs = [spec("t0")]
    for n in range(24):
        specs += [spec(f"l{n}", f"t{n}"), spec(f"r{n}", f"t{n}"), spec(f"t{n + 1}", f"l{n}", f"r{n}")]
    tasks = ids(store, planned(store, *specs))
    for task in tasks:
        code(store, task)
        verify(store, task)
    with store.write():
        dependents.reopen(TaskRow.get_by_id(tasks[0]), store.now())
    assert {state(store, t) for t in tasks[1:]} == {"waiting"}


def test_what_no_longer_passes_goes_to_the_coder(store: Store) -> None:
    """A task whose checks fail on the rework is coded anew, with the failure, and reviewed again."""
    a, b = ids(store, planned(store, spec("a"), spec("b", "a")))
    for task in (a, b):
        code(store, task)
        verify(store, task)
    review(store, b)
    review(store, a, approves=False)
    code(store, a)
    verify(store, a)
    verify(store, b, passes=False)
    again = plans.task(store, b)
    assert (again.state, again.feedback) == (TaskState.READY, ("red",))
    code(store, b)
    verify(store, b)
    assert state(store, b) == "verifying"
    review(store, b)
    assert state(store, b) == "completed"


def test_what_is_at_work_meets_the_rejection_at_its_end(store: Store) -> None:
    """A verification or review that had begun is not cut off: its task waits afterwards, and is verified again."""
    a, b, c = ids(store, planned(store, spec("a"), spec("b", "a"), spec("c", "a")))
    code(store, a)
    verify(store, a)
    for task in (b, c):
        code(store, task)
    verify(store, c)
    verifying = take(store, ready_run(Phase.VERIFY, b))
    interrupted = take(store, ready_run(Phase.REVIEW, c))
    runs.release(store, interrupted, reason="stopped")
    with store.write():
        pipeline.reject(a, store.now(), early=True, counter="rejections", cap=9, feedback=["no"], reason="no")
    assert [state(store, t) for t in (b, c)] == ["verifying", "reviewing"]
    with runs.finishing(store, verifying, RunState.DONE) as now:
        assert pipeline.pass_verification(b, verifying.run.id, now, early=True) == []
    review(store, c)
    assert [state(store, t) for t in (b, c)] == ["waiting", "waiting"]
    code(store, a)
    verify(store, a)
    verify(store, b)
    verify(store, c)
    assert [state(store, t) for t in (b, c)] == ["verifying", "completed"]


def test_the_end_of_a_rework_that_fails_ends_what_waits_for_it(store: Store) -> None:
    """A task that a person must look at takes with it what was sent back, with the reason."""
    a, b = ids(store, planned(store, spec("a"), spec("b", "a")))
    for task in (a, b):
        code(store, task)
        verify(store, task)
    review(store, b)
    review(store, a, approves=False)
    with runs.finishing(store, take(store, ready_run(Phase.CODE, a)), RunState.FAILED) as now:
        ready = pipeline.end_task(a, TaskState.NEEDS_HUMAN, now, "no luck")
    assert state(store, b) == "failed"
    assert "'a'" in plans.task(store, b).reason
    assert ready


def _possible(store: Store, tasks: list[int]) -> Iterator[tuple[Phase, int]]:
    for row in RunRow.select().where(RunRow.state == RunState.READY.value, RunRow.task.in_(tasks)):
        yield Phase(row.phase), row.task_id


@pytest.mark.parametrize("seed", range(40))
def test_any_graph_comes_to_its_end(store: Store, seed: int) -> None:
    """Whatever order, rejections and failures: every task ends completed, none was last verified before its needs."""
    rng = random.Random(seed)
    names = [f"t{n}" for n in range(7)]
    plan = planned(store, *(spec(n, *rng.sample(names[:i], rng.randint(0, min(2, i)))) for i, n in enumerate(names)))
    tasks = ids(store, plan)
    left, clock, last = 6, 0, dict.fromkeys(tasks, 0)
    coded = dict.fromkeys(tasks, 0)
    while not all(plans.task(store, t).state in TERMINAL_TASKS for t in tasks):
        possible = sorted(_possible(store, tasks), key=lambda item: (item[0].value, item[1]))
        assert possible, {t: state(store, t) for t in tasks}
        phase, task = rng.choice(possible)
        clock += 1
        bad = left > 0 and rng.random() < 0.3
        left -= bad
        if phase is Phase.CODE:
            code(store, task)
            coded[task] = clock
        elif phase is Phase.VERIFY:
            verify(store, task, passes=not bad)
            last[task] = last[task] if bad else clock
        else:
            review(store, task, approves=not bad)
    assert {state(store, t) for t in tasks} == {"completed"}
    ground: dict[str, set[int]] = {}
    for task in plans.tasks_of(store, plan):
        ground[task.spec.title] = {task.id}.union(*(ground[name] for name in task.spec.dependencies))
        assert all(coded[other] < last[task.id] for other in ground[task.spec.title])


def reject_for_good(store: Store, task: int, *, parks: bool) -> None:
    """The review ends the task: it has used its rounds, or asks for a person."""
    claim = take(store, ready_run(Phase.REVIEW, task))
    with runs.finishing(store, claim, RunState.DONE) as now:
        if parks:
            pipeline.end_task(task, TaskState.NEEDS_HUMAN, now, "look at it")
        else:
            pipeline.reject(task, now, early=True, counter="rejections", cap=1, feedback=["no"], reason="no")


@pytest.mark.parametrize("parks", [False, True])
@pytest.mark.parametrize("phase", [Phase.CODE, Phase.VERIFY, Phase.REVIEW])
def test_what_is_at_work_on_a_task_that_ended_does_not_wait_for_it_for_ever(
    store: Store, phase: Phase, parks: bool
) -> None:
    """K1: a task that was at work when the one it is built on failed ends with it, and so does the plan."""
    a, b, c = ids(store, planned(store, spec("a"), spec("b", "a"), spec("c", "b")))
    code(store, a)
    verify(store, a)
    for step, do in ((Phase.CODE, code), (Phase.VERIFY, verify)):
        if phase is not step:
            do(store, b)
        else:
            break
    working = take(store, ready_run(phase, b))
    reject_for_good(store, a, parks=parks)
    with runs.finishing(store, working, RunState.DONE) as now:
        if phase is Phase.CODE:
            pipeline.unblock_successors(working.run.id, now)
        elif phase is Phase.VERIFY:
            pipeline.pass_verification(b, working.run.id, now, early=True)
        else:
            pipeline.complete_task(b, now, early=True)
    if phase is Phase.CODE:
        verify(store, b)
    assert [state(store, t) for t in (b, c)] == ["failed", "failed"]
    assert "'a'" in plans.task(store, b).reason
    assert ready_run(Phase.CLOSE)


def test_a_task_is_not_split_upon_one_that_has_ended(store: Store) -> None:
    """E6 K1: what it was begun upon is parked while it is at work; split then, it used to wait for that for ever."""
    plan_id = planned(store, spec("a"), spec("b", "a"))
    a, b = ids(store, plan_id)
    code(store, a)
    verify(store, a)
    claim = take(store, ready_run(Phase.CODE, b))
    parking = take(store, ready_run(Phase.REVIEW, a))
    with runs.finishing(store, parking, RunState.DONE) as now:
        pipeline.park_unsolved(a, now, ladder={}, diagnosis="a person decides")
    with runs.finishing(store, claim, RunState.DONE) as now:
        pipeline.split_task(b, now, parts=[spec("b1"), spec("b2")], ladder={}, reason="too large")
    assert [task.state.value for task in plans.tasks_of(store, plan_id)] == ["needs_human", "failed"]
    assert ready_run(Phase.CLOSE)
