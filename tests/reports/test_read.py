"""What a report says follows from the rows, and is honest about what nobody measured."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lao.core.clock import FakeClock
from lao.core.errors import BadInput
from lao.core.states import PlanState
from lao.core.words import TaskSpec
from lao.reports.night import DAY_S
from lao.reports.read import last_night, night_report, plan_report
from lao.state import plans
from lao.state.store import Store
from tests.reports import history


def test_the_headline_and_the_tasks_are_counted_from_rows(store: Store, tmp_path: Path) -> None:
    """Each statement names rows, and its figures follow from exactly these."""
    plan = history.morning(store, tmp_path / "w")
    report = plan_report(store, plan)
    assert report.claim.text.startswith("needs a person: 1 of 2 tasks completed, 1 for a person, 1 of 2 commands pass")
    assert not history.lies(store, report)
    assert {task.title: (task.state, task.proof) for task in report.tasks} == {
        "one": ("completed", "proved"),
        "two": ("needs_human", "none"),
    }
    one = next(task for task in report.tasks if task.title == "one")
    assert (one.added, one.removed, one.commits) == (2, 0, (one.commit,))
    assert [item.moment for item in one.evidence] == ["before", "task"]
    assert one.attempts[0].crashes == 2
    assert (report.commit, report.over, report.ended) == (one.commit, True, store.now())


def test_a_requirement_is_proved_failed_open_or_unchecked(store: Store, tmp_path: Path) -> None:
    """A requirement stands as the command that decides it, else as the tasks that answer it; nothing answers R3."""
    plan = history.morning(store, tmp_path / "w")
    found = {one.key: one.status for one in plan_report(store, plan).requirements}
    assert found == {"R1": "proved", "ABC-2": "failed", "R3": "unchecked"}
    other = history.begun(store, tmp_path / "x", TaskSpec("a", "a"), text="# Other\n")
    with store.write():
        history.requirements.keep(other, [history.Requirement("R1", "a", 1, "numbered")])
    assert [one.status for one in plan_report(store, other).requirements] == ["open"]


def test_what_nobody_measured_is_not_0(store: Store, tmp_path: Path) -> None:
    """Without git, energy counters and a server that tells of its cache these are unknown, and said to be."""
    plan = history.begun(store, tmp_path / "nowhere", TaskSpec("a", "a"))
    (task,) = plans.tasks_of(store, plan)
    history.coded(store, task.id, commit=None, files=("a.py",))
    report = plan_report(store, plan)
    assert (report.tasks[0].added, report.energy, report.ended) == (None, None, None)
    assert "energy: not measured" in [claim.text for claim in report.claims]
    planner = next(one for one in report.usage if one.role == "planner")
    assert planner.cached_tokens is None and "not told" in planner.claim.text
    coder = next(one for one in report.usage if one.role == "coder")
    assert coder.cached_tokens == 40


def test_commits_that_are_gone_are_not_measured(store: Store, tmp_path: Path) -> None:
    """A workspace that was removed takes the size of diffs with it, and nothing else."""
    plan = history.morning(store, tmp_path / "w")
    shutil.rmtree(tmp_path / "w")
    one = next(task for task in plan_report(store, plan).tasks if task.title == "one")
    assert (one.added, one.proof) == (None, "proved")
    assert any("not measured" in why for why in one.risk_why)


def test_the_next_steps_name_what_waits(store: Store, tmp_path: Path) -> None:
    """The parked task comes first, then the diffs; every command exists."""
    from lao.cli.commands import COMMANDS

    plan = history.morning(store, tmp_path / "w")
    steps = plan_report(store, plan).next_steps
    two = next(task for task in plans.tasks_of(store, plan) if task.spec.title == "two")
    assert steps[0].command == f"lao replay {two.id}" and "no version passed its checks" in steps[0].why
    for step in steps:
        words = step.command.split()
        assert words[0] == "git" or words[1] in COMMANDS


def test_the_report_tells_which_diff_to_look_at_first(store: Store, tmp_path: Path) -> None:
    """Work that no command stands behind comes before proved work."""
    folder = history.repository(tmp_path / "w")
    plan = history.begun(store, folder, TaskSpec("safe", "safe", ("safe.py",)), TaskSpec("bare", "bare", ("bare.py",)))
    safe, bare = (task.id for task in plans.tasks_of(store, plan))
    for task, name, command in ((safe, "safe.py", "test safe"), (bare, "base.py", "")):
        commit = history.changed(folder, name, "x = 1\n")
        history.coded(store, task, commit=commit, files=(name,), command=command)
        history.verified(store, task, commit, *([history.result(command)] if command else []))
        history.reviewed(store, task)
    first, second = plan_report(store, plan).tasks
    assert (first.id, second.id) == (bare, safe) and first.risk > second.risk
    why = " ".join(first.risk_why)
    assert "no command that could fail" in why and "old" in why and "not given" in why


def test_an_unknown_plan_is_one_message(store: Store) -> None:
    """There is no report of a plan that is not there."""
    with pytest.raises(BadInput, match="no plan 'nothing'"):
        plan_report(store, "nothing")


def test_a_night_begins_after_the_last_long_idleness(store: Store, clock: FakeClock, tmp_path: Path) -> None:
    """Work of the evening before is not of this night; four idle hours part them."""
    first = history.morning(store, tmp_path / "w")
    clock.jump(6 * 3600)
    begin = store.now()
    second = history.begun(store, tmp_path / "x", TaskSpec("a", "a"), text="# Second\n")
    clock.jump(600)
    assert last_night(store) == begin
    night = night_report(store, last_night(store), store.now())
    assert [plan.id for plan in night.plans] == [second]
    both = night_report(store, store.now() - DAY_S, store.now())
    assert [plan.id for plan in both.plans] == [first, second]
    assert both.headline[0].text == "2 plans: 1 for a person, 1 active"


def test_a_night_names_few_diffs_the_riskiest_first(store: Store, tmp_path: Path) -> None:
    """What waits for a person comes first, then five diffs of all plans by their risk, then the word on a plan."""
    parked = history.morning(store, tmp_path / "w")
    for name in ("x", "y"):
        folder = history.repository(tmp_path / name)
        specs = [TaskSpec(f"part {n}", f"part {n}", (f"part_{n}.py",)) for n in range(3)]
        plan = history.begun(store, folder, *specs, text=f"# Plan {name}\n")
        for n, task in enumerate(plans.tasks_of(store, plan)):
            commit = history.changed(folder, f"part_{n}.py", f"{name} = 1\n" * (n + 1))
            history.coded(store, task.id, commit=commit, files=(f"part_{n}.py",), command="test it")
            history.verified(store, task.id, commit, history.result("test it"))
            history.reviewed(store, task.id)
    night = night_report(store, last_night(store), store.now())
    commands = [step.command for step in night.next_steps]
    looks = [command for command in commands if command.startswith("lao diff ")]
    risks = {f"lao diff {task.id}": task.risk for one in night.plans for task in one.tasks if task.commit}
    assert commands[0].startswith("lao replay ") and night.plans[0].id == parked
    assert looks == sorted(risks, key=lambda command: -risks[command])[:5] and len(risks) > 5


def test_a_night_without_work_is_empty(store: Store) -> None:
    """No plan, no statement, no error."""
    night = night_report(store, last_night(store), store.now())
    assert (night.plans, night.headline, night.next_steps) == ((), (), ())


def test_the_same_rows_give_the_same_report(store: Store, tmp_path: Path) -> None:
    """Nothing of the moment is in it, so that a file can be compared with the state."""
    plan = history.morning(store, tmp_path / "w")
    before = plan_report(store, plan)
    store.clock.wait(1000)
    assert plan_report(store, plan) == before
    assert before.state == PlanState.NEEDS_HUMAN.value
