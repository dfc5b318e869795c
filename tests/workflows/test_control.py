"""Cancel, pause, resume and replay on the real pipeline: beside a phase at work, after a crash, and without workers."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import pytest

from lao.core.errors import Refused
from lao.core.states import Phase
from lao.durable import faults
from lao.durable.faults import FaultPlan, InjectedFault
from lao.state import plans, queries, references, runs
from lao.state.tables import RunRow
from lao.workspace.desks import clean_desks
from tests.durability.test_processes import until
from tests.workflows.conftest import Plant
from workflows import control, queues
from workflows.reconciler import tell_pauses

Open = Callable[..., Plant]
PART = "- task: part {n} | file: part_{n}.txt | content: text {n}"


def plan_of(parts: int, test: str = "", after: bool = False) -> str:
    lines = [PART.format(n=n) for n in range(1, parts + 1)]
    lines = [f"{line} | after: part {n}" if after and n else line for n, line in enumerate(lines)]
    return "# Parts\n\n" + "\n".join(f"{line} | test: {test}" if test else line for line in lines) + "\n"


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


def calls(it: Plant, model: str) -> int:
    return sum(e["kind"] == "completion" and e["model"] == model for e in it.server.log)


def the_plan(it: Plant, name: str) -> plans.Plan:
    return references.find_plan(it.factory.store, name)


def states(it: Plant, key: str = "state") -> list[object]:
    return [task[key] for task in it.tasks()]


@contextmanager
def at_work(it: Plant, huey: queues.FactoryHuey) -> Iterator[threading.Thread]:
    """One phase on a thread of its own, as in a worker."""

    def run() -> None:
        try:
            it._one(huey)
        finally:
            it.factory.store.close()
            for each in (queues.cpu, queues.gpu):  # a phase wakes others on either queue
                each.storage.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield thread
    finally:
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.parametrize("with_git", [True, False])
def test_a_phase_at_work_ends_with_its_command_and_leaves_nothing(plant: Open, tmp_path: Path, with_git: bool) -> None:
    """Its command would take ten minutes: it ends at once; nothing of the attempt is in the folder, nor its desk."""
    begun = tmp_path / "begun"
    it = plant(git={"enabled": with_git})
    it.submit("slow", plan_of(2, test=f"test -e part_1.txt -a ! -e {begun} && touch {begun} && sleep 600"))
    it.turn_until_coding()
    with at_work(it, queues.gpu):
        until(begun.exists)
        done = control.cancel(it.factory, the_plan(it, "slow"))
    assert len(done.begun) == 1
    assert states(it) == ["cancelled"] * 2
    assert it.plans()[0]["state"] == "cancelled"
    assert not list((it.root / ".lao" / "desks").glob("run-*"))
    assert not list((it.root / "slow").glob("part_*"))
    if with_git:
        assert git(it.root / "slow", "status", "--porcelain") == ""
    it.turn()
    again = control.cancel(it.factory, the_plan(it, "slow"))
    assert again.before == "cancelled"
    asked = calls(it, "sim-coder")
    count, _ = plans.retry(it.factory.store, the_plan(it, "slow").id)
    it.turn()
    assert count == 2
    assert calls(it, "sim-coder") > asked


@pytest.mark.parametrize(
    ("point", "killed"),
    [
        ("before_step", False),
        ("before_step", True),
        ("after_intent", False),
        ("after_apply", False),
        ("after_step", False),
    ],
)
def test_cancelled_at_any_step_the_folder_has_what_is_committed(
    plant: Open, monkeypatch: pytest.MonkeyPatch, point: str, killed: bool
) -> None:
    """Interrupted at each step of an attempt, the landing and its commit included, and cancelled then: the folder is
    clean, and the file is there exactly if its commit is. Also when the command is killed after its transaction."""
    it = plant()
    seen = set()
    for nth in range(1, 40):
        name = f"p{nth}"
        it.submit(name, plan_of(1).replace("text 1", name))
        it.turn_until_coding()
        monkeypatch.setattr(faults, "_plan", FaultPlan(f"{point}:raise@{nth}"))
        it._one(queues.gpu)
        monkeypatch.setattr(faults, "_plan", None)
        run = RunRow.select().where(RunRow.phase == "code").order_by(RunRow.id.desc()).get()
        if run.state == "done":
            it.turn()
            break
        folder = it.root / name
        landed = (folder / "part_1.txt").exists()
        monkeypatch.setattr(faults, "_plan", FaultPlan("after_finish:raise") if killed else None)
        with pytest.raises(InjectedFault) if killed else nullcontext():
            control.cancel(it.factory, the_plan(it, name))
        monkeypatch.setattr(faults, "_plan", None)
        if killed:
            control.clear_cancelled(it.factory)
            clean_desks(it.root / ".lao" / "desks", partial(runs.is_open, it.factory.store))
        committed = "lao(coder)" in git(folder, "log", "--format=%s")
        assert (folder / "part_1.txt").exists() is committed, (point, nth)
        assert git(folder, "status", "--porcelain") == "", (point, nth)
        assert not list((it.root / ".lao" / "desks").glob("run-*"))
        seen.add((landed, committed))
    assert run.state == "done", "the attempt has more steps than were tried"
    expected = {"before_step": (True, False), "after_apply": (True, True), "after_step": (True, True)}
    assert expected.get(point, (True, False)) in seen


def test_a_cancelled_task_lets_the_plan_close_as_cancelled(plant: Open) -> None:
    """What needs it goes with it, the other task is completed and stays, and bringing it back completes the plan."""
    it = plant()
    it.submit("parts", plan_of(3, after=True).replace(" | after: part 1", ""))
    it.turn_until_coding()
    plan, (_, two, _) = the_plan(it, "parts"), plans.tasks_of(it.factory.store, the_plan(it, "parts").id)
    control.cancel(it.factory, plan, two)
    it.turn()
    assert states(it) == ["completed", "cancelled", "cancelled"]
    assert (it.plans()[0]["state"], it.plans()[0]["reason"]) == ("cancelled", "2 of 3 tasks were cancelled")
    plans.retry(it.factory.store, plan.id)
    it.turn()
    assert states(it) == ["completed"] * 3
    assert it.plans()[0]["state"] == "completed"


def test_a_pause_begins_nothing_and_costs_nothing(plant: Open) -> None:
    """No call, no load, no waiting message while paused, the phase at work ends, and resume goes on to the end."""
    it = plant()
    it.submit("parts", plan_of(2))
    it.turn_until_coding()
    control.pause(it.factory, None)
    loads, asked = it.server.stats["loads"], it.server.stats["completions"]
    it.turn()
    it.submit("late", "# Late\n\n- task: late | file: late.txt | content: late\n")
    it.turn()
    assert (it.server.stats["loads"], it.server.stats["completions"]) == (loads, asked)
    assert queues.sizes() == {"cpu": 0, "gpu": 0, "scheduled": 0}
    assert [plan["state"] for plan in it.plans()] == ["active", "queued"]
    assert tell_pauses(it.factory, {}).keys() == {""}
    ended, woken = control.resume(it.factory, None)
    assert (ended, woken) == (("",), 3)
    it.turn()
    assert [plan["state"] for plan in it.plans()] == ["completed"] * 2


def test_a_paused_plan_lets_others_go_on(plant: Open) -> None:
    """The other plan is completed; the paused one stands where it stood, after a restart too."""
    it = plant()
    it.submit("parts", plan_of(2))
    it.turn_until_coding()
    control.pause(it.factory, the_plan(it, "parts"))
    it.submit("other", "# Other\n\n- task: other | file: other.txt | content: other\n")
    it.turn()
    assert {plan["name"]: plan["state"] for plan in it.plans()} == {"parts": "active", "other": "completed"}
    it.factory.store.close()
    assert [plan["paused"] is not None for plan in it.plans()] == [True, False]
    control.resume(it.factory, the_plan(it, "parts"))
    it.turn()
    assert states(it) == ["completed"] * 3


def completed(plant: Open, parts: int = 2) -> Plant:
    it = plant()
    it.submit("parts", plan_of(parts, after=True, test="test -e part_1.txt"))
    it.turn()
    assert it.plans()[0]["state"] == "completed"
    return it


@pytest.mark.parametrize(("since", "coder", "reviewer"), [("code", 2, 1), ("verify", 0, 0), ("review", 0, 1)])
def test_a_completed_task_is_tried_again(plant: Open, since: str, coder: int, reviewer: int) -> None:
    """From each phase: just its models are asked, the task that needs it stays, and the plan closes a second time."""
    it = completed(plant)
    before = calls(it, "sim-coder"), calls(it, "sim-reviewer")
    task = plans.task(it.factory.store, 1)
    assert control.replay(it.factory, task, Phase(since)) == 1
    with pytest.raises(Refused, match="at work"):
        control.replay(it.factory, task, Phase(since))
    assert it.plans()[0]["state"] == "active"
    it.turn()
    asked = calls(it, "sim-coder") - before[0], calls(it, "sim-reviewer") - before[1]
    assert asked == (coder, reviewer)
    assert [(t["state"], t["attempts"]) for t in it.tasks()] == [("completed", 2), ("completed", 1)]
    assert it.plans()[0]["state"] == "completed"
    closes = RunRow.select().where(RunRow.phase == "close", RunRow.state == "done").count()
    assert closes == 2
    assert git(it.root / "parts", "status", "--porcelain") == ""


def test_a_replay_from_verify_finds_what_is_broken_now(plant: Open) -> None:
    """A commit of the user broke the check: the task goes back to the coder with the real output and is mended."""
    it = completed(plant)
    folder = it.root / "parts"
    git(folder, "rm", "-q", "part_1.txt")
    git(folder, "commit", "-q", "-m", "oops")
    control.replay(it.factory, plans.task(it.factory.store, 1), Phase.VERIFY)
    it.turn()
    assert (it.tasks()[0]["state"], it.tasks()[0]["attempts"]) == ("completed", 3)
    assert (folder / "part_1.txt").read_text() == "text 1\n"


@pytest.mark.parametrize("what", ["cancel", "resume", "replay"])
def test_killed_before_the_wake_up_the_reconciler_repairs(
    plant: Open, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """The command ends between its transaction and the wake-up: what it decided holds, and the workers go on."""
    it = completed(plant, 1) if what == "replay" else plant()
    if what != "replay":
        it.submit("parts", plan_of(1))
        it.turn_until_coding()
    task = plans.task(it.factory.store, 1)
    if what == "resume":
        control.pause(it.factory, None)
        it.turn()
    monkeypatch.setattr(faults, "_plan", FaultPlan("after_finish:raise"))
    with pytest.raises(InjectedFault):
        if what == "cancel":
            control.cancel(it.factory, the_plan(it, "parts"), task)
        elif what == "resume":
            control.resume(it.factory, None)
        else:
            control.replay(it.factory, task, Phase.CODE)
    monkeypatch.setattr(faults, "_plan", None)
    it.turn()
    assert it.plans()[0]["state"] == ("cancelled" if what == "cancel" else "completed")
    assert it.tasks()[0]["attempts"] == (2 if what == "replay" else 1)
    assert queries.is_idle(it.factory.store)
