"""The frame of a phase: what each kind of error does to the run, the task and the message."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest
from huey.exceptions import CancelExecution, RetryTask

from lao.core.clock import FakeClock
from lao.core.errors import AttemptFailed, DiskFull, Interrupted, NeedsHuman, Terminal, Transient
from lao.core.states import Phase
from lao.state import ledger, plans, queries, runs
from lao.state.records import Claim
from tests.workflows.conftest import Plant
from workflows import failures
from workflows.frame import FILLS_LIMIT, Prepared, perform
from workflows.services import keep_alive
from workflows.work import Outcome, Work

Open = Callable[..., Plant]
PLAN = "# Parts\n\n- task: part 1 | file: part_1.txt | content: x\n"
READY = Prepared(model_name="m")


def first_run(plant: Plant) -> int:
    plant.submit("p", PLAN)
    (run,) = runs.runnable(plant.factory.store, lambda _o: None, 0)
    return run


def coding(plant: Plant) -> int:
    """A plan that waits for its coder."""
    plant.submit("p", PLAN)
    plant._one(queues_cpu())
    plant._one(queues_gpu())
    (run,) = runs.runnable(plant.factory.store, lambda _o: None, 0)
    found = runs.get(plant.factory.store, run)
    assert found is not None
    assert found.phase is Phase.CODE
    return run


def queues_cpu():
    from workflows.queues import cpu

    return cpu


def queues_gpu():
    from workflows.queues import gpu

    return gpu


def raising(error: BaseException) -> Callable[[Work], Outcome]:
    def body(_work: Work) -> Outcome:
        raise error

    return body


def test_a_transient_error_puts_the_run_off_without_an_attempt(plant: Open) -> None:
    """E5: the message comes back after the delay that the error names; nothing is counted."""
    factory = plant()
    run_id = coding(factory)
    with pytest.raises(RetryTask) as stop:
        perform(Phase.CODE, run_id, raising(Transient("server away", delay_s=7)), READY)
    assert stop.value.delay == 7
    run = runs.get(factory.factory.store, run_id)
    assert run is not None
    assert run.state.value == "ready"
    (task,) = factory.tasks()
    assert (task["attempts"], task["state"]) == (1, "coding")


def test_a_full_disk_is_waited_out(plant: Open) -> None:
    """Full disk: the run goes back to the queue with the reason, nothing is lost, and it succeeds afterwards."""
    factory = plant()
    run_id = coding(factory)
    with pytest.raises(RetryTask):
        perform(Phase.CODE, run_id, raising(OSError(errno.ENOSPC, "No space left on device")), READY)
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]


def test_a_phase_that_fills_the_disk_by_itself_does_not_wait_for_ever(plant: Open) -> None:
    """After a few times in which there was room before and after it, it costs an attempt."""
    clock = FakeClock()
    factory = plant(clock=clock)
    run_id = coding(factory)
    for _ in range(FILLS_LIMIT):
        with pytest.raises(RetryTask) as stop:
            perform(Phase.CODE, run_id, raising(DiskFull("disk full")), READY)
        clock.wait(stop.value.delay)
    with pytest.raises(CancelExecution):
        perform(Phase.CODE, run_id, raising(DiskFull("disk full")), READY)
    assert [f.kind for f in ledger.findings_of(factory.factory.store)] == ["disk_filled"]
    assert factory.tasks()[0]["attempts"] == 2


def test_a_phase_does_not_begin_with_too_little_room(plant: Open, caplog: pytest.LogCaptureFixture) -> None:
    """K1: it waits, says how much is needed, uses no attempt, and begins once there is room."""
    factory = plant(orchestration={"min_free_disk_mb": 10**12})
    factory.submit("p", PLAN)
    with pytest.raises(RetryTask):
        perform(Phase.INGEST, 1, raising(AssertionError("begun")), None)
    run = runs.get(factory.factory.store, 1)
    assert run is not None
    assert (run.state.value, run.phase) == ("ready", Phase.INGEST)
    assert f"{10**12} MB needed" in caplog.text


def test_a_failed_attempt_is_counted_and_the_next_one_is_queued(plant: Open) -> None:
    """D4: the run is failed with its named class as a finding, and a fresh attempt is ready."""
    factory = plant()
    run_id = coding(factory)
    with pytest.raises(CancelExecution):
        perform(Phase.CODE, run_id, raising(AttemptFailed("nothing written", kind="no_edit")), READY)
    (task,) = factory.tasks()
    assert (task["attempts"], task["state"], task["reason"]) == (2, "ready", "nothing written")
    assert [f.kind for f in ledger.findings_of(factory.factory.store)] == ["no_edit"]
    factory.turn()
    assert factory.tasks()[0]["state"] == "completed"


@pytest.mark.parametrize(("error", "state"), [(Terminal("no"), "failed"), (NeedsHuman("you"), "needs_human")])
def test_errors_that_end_a_task_end_its_plan_with_them(plant: Open, error: Exception, state: str) -> None:
    """D9 M3: the task ends as the error says, and so does the plan when nothing else is left."""
    factory = plant()
    run_id = coding(factory)
    with pytest.raises(CancelExecution):
        perform(Phase.CODE, run_id, raising(error), READY)
    factory.turn()
    assert factory.tasks()[0]["state"] == state
    assert factory.plans()[0]["state"] == state
    count, _ = plans.retry(factory.factory.store, None)
    assert count == 1


def test_a_close_that_fails_does_not_end_a_plan_whose_tasks_were_set_back(plant: Open) -> None:
    """K1: retry-failed while the plan was being closed, and then the close fails: the tasks are still worked on."""
    factory = plant()
    with pytest.raises(CancelExecution):
        perform(Phase.CODE, coding(factory), raising(NeedsHuman("look at it")), READY)
    store = factory.factory.store
    (close,) = runs.runnable(store, lambda _o: None, 0)
    claim = runs.claim(store, close, factory.factory.owner.to_text(), "v")
    assert isinstance(claim, Claim)
    assert plans.retry(store, None)[0] == 1
    assert failures.end_run(factory.factory, claim, NeedsHuman("no git")) == []
    assert factory.plans()[0]["state"] == "active"
    factory.turn()
    assert factory.plans()[0]["state"] == "completed"


def test_an_interrupted_run_goes_back_untouched(plant: Open) -> None:
    """L5: stopping the worker is no failure; the run is ready for the next start."""
    factory = plant()
    run_id = coding(factory)
    with pytest.raises(CancelExecution):
        perform(Phase.CODE, run_id, raising(Interrupted("stopping")), READY)
    factory.turn()
    (task,) = factory.tasks()
    assert (task["attempts"], task["state"]) == (1, "completed")


def test_an_unexpected_error_is_tried_again_and_then_parked(plant: Open) -> None:
    """K1: a defect stalls one task at most: two more tries by Huey, then a person is asked, with the error's text."""
    factory = plant()
    run_id = coding(factory)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            perform(Phase.CODE, run_id, raising(ZeroDivisionError("oops")), READY)
    (task,) = factory.tasks()
    assert task["state"] == "needs_human"
    assert "oops" in str(task["reason"])


def test_without_an_answer_of_the_gate_nothing_runs(plant: Open) -> None:
    """E1: the gate fails closed; a phase whose hook left nothing is put off, its body is not entered."""
    factory = plant()
    run_id = coding(factory)
    with pytest.raises(RetryTask):
        perform(Phase.CODE, run_id, raising(AssertionError("the body ran")), None)
    run = runs.get(factory.factory.store, run_id)
    assert run is not None
    assert (run.state.value, run.epoch) == ("ready", 0)


def test_a_refusing_gate_says_how_long(plant: Open) -> None:
    """E1: the phase is put off by the gate's own delay, with its reason in the status."""
    factory = plant()
    run_id = coding(factory)
    refusal = Prepared(problem=Transient("memory is short", delay_s=9))
    with pytest.raises(RetryTask) as stop:
        perform(Phase.CODE, run_id, raising(AssertionError("the body ran")), refusal)
    assert stop.value.delay == 9
    (waiting,) = queries.running_view(factory.factory.store)
    assert waiting["reason"] == "memory is short"


def test_a_message_that_comes_twice_does_nothing_twice(plant: Open) -> None:
    """K4: a redelivered message of a finished run lets its chain go on; one of a skipped run ends it."""
    factory = plant()
    run_id = first_run(factory)
    factory.turn()
    commits = len(list((factory.root / "p" / ".git").rglob("*")))
    perform(Phase.INGEST, run_id, raising(AssertionError("the body ran")), None)
    assert len(list((factory.root / "p" / ".git").rglob("*"))) == commits


def test_lost_messages_are_made_again(plant: Open) -> None:
    """K1: with the whole queue gone, the reconciler wakes what is runnable and the plan is finished."""
    factory = plant()
    factory.submit("p", PLAN)
    for huey in (queues_cpu(), queues_gpu()):
        huey.storage.flush_queue()
    factory.turn()
    assert factory.plans()[0]["state"] == "completed"


def test_an_unreadable_message_is_kept_and_its_phase_woken_again(plant: Open) -> None:
    """K1: a torn message becomes a dead letter; the run it stood for is not lost."""
    factory = plant()
    factory.submit("p", PLAN)
    queues_cpu().storage.flush_queue()
    queues_cpu().storage.enqueue(b'{"v":1,"message":{"id":"x","na')
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        queues_cpu().dequeue()
    assert queries.counts(factory.factory.store)["dead_letters"] == 1
    factory.turn()
    assert factory.plans()[0]["state"] == "completed"


def test_a_service_that_fails_begins_again(plant: Open) -> None:
    """K1: an error in the reconciler or the watcher does not end it for the night."""
    factory = plant().factory
    calls = []

    def flaky(held: object) -> None:
        calls.append(held)
        if len(calls) == 1:
            raise OSError("folder is gone")
        factory.stop.set()

    keep_alive(flaky, factory, pause_s=0.0)
    assert calls == [factory, factory]
