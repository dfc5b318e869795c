"""L5: where a project stands and what has happened is read from the state, exactly once, and by nobody else changed."""

from __future__ import annotations

from collections.abc import Callable

from lao.core.words import Event
from lao.state import approvals, ledger, pauses
from lao.state.tables import RunRow
from tests.workflows.conftest import Plant
from workflows import control
from workflows.progress import Happening, Watch

Open = Callable[..., Plant]
PLAN = "# Parts\n\n" + "\n".join(
    f"- task: part {n} | file: part_{n}.txt | content: text {n} | test: test -f part_{n}.txt" for n in (1, 2)
)
HOPELESS = PLAN + "\n- task: part 3 | file: part_3.txt | content: x | test: test -f never.txt\n"


def kinds(found: tuple[Happening, ...], kind: str) -> list[Happening]:
    return [item for item in found if item.kind == kind]


def test_a_whole_plan_is_told_once(plant: Open) -> None:
    """Plans taken in, phases, tasks with their evidence and commit, loads and the end; a second look tells nothing."""
    factory = plant()
    with Watch(factory.factory) as watch:
        assert watch.look()[1] == ()
        assert watch.look()[0].standing.idle
        factory.submit("parts", PLAN)
        factory.turn_until_coding()
        snapshot, found = watch.look()
        (plan,) = snapshot.standing.plans
        assert (plan.name, plan.state, plan.total, plan.left_s) == ("parts", "active", 2, None)
        assert snapshot.standing.queue == {"cpu": 0, "gpu": 2}
        assert [item.plan for item in kinds(found, "taken")] == ["parts"]
        assert [item.phase for item in kinds(found, "phase")] == ["ingest", "plan"]
        factory.turn()
        snapshot, found = watch.look()
        assert snapshot.standing.idle and snapshot.standing.plans == ()
        tasks = kinds(found, "task")
        assert sorted((item.title, item.state) for item in tasks) == [("part 1", "proved"), ("part 2", "proved")]
        assert all(len(item.commit) == 40 for item in tasks)
        assert {item.phase for item in kinds(found, "phase")} == {"code", "verify", "review", "whole", "close"}
        assert all(item.tokens > 0 for item in kinds(found, "phase") if item.phase == "code")
        assert [item.model for item in kinds(found, "load")] == ["sim-coder", "sim-reviewer"]
        assert [(item.plan, item.state) for item in kinds(found, "plan")] == [("parts", "completed")]
        assert (snapshot.totals.swaps, snapshot.totals.calls > 3, snapshot.model) == (2, True, "sim-reviewer")
        assert [item.at for item in found] == sorted(item.at for item in found)
        assert watch.look()[1] == ()
        assert watch.look()[0] == snapshot


def test_a_parked_task_has_its_reason_and_its_findings(plant: Open) -> None:
    """What failed is told as it comes; the task with why it was parked."""
    factory = plant(orchestration={"retry_cap_validation": 1}, attempts={"repairs": 0, "candidates": 1, "idle": False})
    with Watch(factory.factory) as watch:
        factory.submit("parts", HOPELESS)
        factory.turn()
        snapshot, found = watch.look()
    parked = next(item for item in kinds(found, "task") if item.title == "part 3")
    assert parked.state == "needs_human" and parked.text.startswith("not solved")
    assert [item.state for item in kinds(found, "plan")] == ["needs_human"]
    assert snapshot.standing.idle


def test_what_was_before_is_not_told(plant: Open) -> None:
    """A view that begins on an old project begins with its present."""
    factory = plant()
    factory.submit("parts", PLAN)
    factory.turn()
    ledger.add_model_event(factory.factory.store, "gate", data={"event": "gate.wait", "text": "old"})
    with Watch(factory.factory) as watch:
        snapshot, found = watch.look()
    assert found == ()
    assert (snapshot.totals.calls, snapshot.model, snapshot.history) == (0, "sim-reviewer", 2)


def test_waits_pauses_questions_and_faults(plant: Open) -> None:
    """A run that is put off has its reason; the gate's word is told once; pauses and questions are counted."""
    factory = plant()
    store = factory.factory.store
    factory.submit("parts", PLAN)
    factory.turn_until_coding()
    with Watch(factory.factory) as watch:
        first, second = RunRow.select().where(RunRow.phase == "code").order_by(RunRow.id)
        RunRow.update(not_before=store.now() + 60, reason="no memory").where(RunRow.id == first.id).execute()
        for _ in range(3):
            factory.factory.report(Event("gate.wait", "waits for memory: 9 GB", {"role": "coder", "model": "m"}))
        factory.factory.report(Event("model.fault", "said nothing", {"class": "empty", "model": "m"}))
        approvals.ask(store, second.id, "s", "shell_exec", {"command": "ls"}, reason="", remember=())
        snapshot, found = watch.look()
        (wait,) = snapshot.standing.waits
        assert (wait.title, wait.reason, 50 < wait.until - store.now() <= 60) == ("part 1", "no memory", True)
        assert [item.text for item in kinds(found, "gate")] == ["waits for memory: 9 GB"]
        assert snapshot.standing.gate == "waits for memory: 9 GB"
        assert [item.text for item in kinds(found, "fault")] == ["said nothing"]
        assert (snapshot.standing.questions, snapshot.totals.faults, snapshot.standing.later) == (1, 1, 1)
        control.pause(factory.factory, None)
        snapshot, found = watch.look()
        assert snapshot.standing.paused == pauses.of_all(store)
        assert [(item.kind, item.state, item.plan) for item in found] == [("pause", "paused", "")]


def test_calls_in_flight_are_part_of_it(plant: Open) -> None:
    """While a call streams, the snapshot has its model and tokens, by the run that asks."""
    factory = plant()
    live = factory.factory.live_calls
    with Watch(factory.factory) as watch:
        watch.look()
        with live.call(5, "coder", "sim-coder"):
            call = watch.look()[0].call_of(5)
            assert call is not None and (call.model, call.tokens) == ("sim-coder", 0)
        assert watch.look()[0].calls == ()
    assert not (factory.factory.settings.paths.state_dir / "live" / "calls").exists()
