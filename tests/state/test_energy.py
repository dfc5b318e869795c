"""Promise: the joules of a phase, task and plan are sums of what was measured, and say when something is missing."""

from __future__ import annotations

from lao.core.states import Phase, RunState
from lao.state import energy, pipeline, runs
from lao.state.store import Store
from lao.state.tables import TaskRow
from tests.state.pipeline_steps import finish_phase, planned, ready_run, spec, take


def code(store: Store, task: int, *joules: float | None) -> None:
    """A coding run that is released after each of the stretches but the last; None is one that was not measured."""
    for number, figure in enumerate(joules, 1):
        claim = take(store, ready_run(Phase.CODE, task))
        energy.begin(store, claim, "nvml gpu 0")
        if figure is not None:
            energy.end(store, claim, figure)
        if number < len(joules):
            runs.release(store, claim)
        else:
            with runs.finishing(store, claim, RunState.DONE) as now:
                pipeline.unblock_successors(claim.run.id, now)


def tasks() -> list[int]:
    return [row.id for row in TaskRow.select().order_by(TaskRow.id)]


def test_nothing_measured_is_nothing_and_not_zero(store: Store) -> None:
    """A plan without a figure is missing in the views."""
    planned(store, spec("one"))
    finish_phase(store, Phase.CODE, *tasks())
    found = energy.pieces(store)
    assert found
    assert (energy.total(found), energy.by_plan(found), energy.by_task(found)) == (None, {}, {})


def test_sums_by_phase_task_and_plan(store: Store) -> None:
    """A run that was interrupted has both its stretches; other phases and tasks are told apart. The planner, which was
    not measured, makes the plan's sum incomplete and no phase's."""
    plan = planned(store, spec("one"), spec("two"))
    one, two = tasks()
    code(store, one, 10.0, 2.25)
    finish_phase(store, Phase.VERIFY, one)
    claim = take(store, ready_run(Phase.REVIEW, one))
    energy.begin(store, claim, "nvml gpu 0")
    energy.end(store, claim, 5.0)
    with runs.finishing(store, claim, RunState.DONE):
        pass
    code(store, two, 100.0)
    found = energy.pieces(store)
    assert energy.by_task(found)[one] == {"joules": 17.2, "source": "nvml gpu 0", "complete": True}
    assert energy.by_task(found)[two]["joules"] == 100.0
    view = energy.by_plan(found)[plan]
    assert (view["joules"], view["complete"]) == (117.2, False)
    assert {name: (part["joules"], part["complete"]) for name, part in view["phases"].items()} == {
        "code": (112.2, True), "review": (5.0, True),
    }  # fmt: skip


def test_a_crash_leaves_a_sum_that_says_so(store: Store) -> None:
    """A stretch that was begun and never ended makes the sum a lower bound."""
    planned(store, spec("one"))
    code(store, tasks()[0], None, 3.0)
    assert energy.by_task(energy.pieces(store)) == {
        tasks()[0]: {"joules": 3.0, "source": "nvml gpu 0", "complete": False}
    }


def test_work_in_progress_is_not_missing(store: Store) -> None:
    """While a run is at work its stretch has no figure yet, and the earlier ones stay complete."""
    planned(store, spec("one"))
    (task,) = tasks()
    claim = take(store, ready_run(Phase.CODE, task))
    energy.begin(store, claim, "rapl package-0")
    energy.end(store, claim, 4.0)
    runs.release(store, claim)
    energy.begin(store, take(store, ready_run(Phase.CODE, task)), "rapl package-0")
    assert energy.by_task(energy.pieces(store))[task] == {
        "joules": 4.0, "source": "rapl package-0", "complete": True,
    }  # fmt: skip
