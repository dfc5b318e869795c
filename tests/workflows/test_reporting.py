"""Reports are written when a plan is over, made again when they are missing, and disturb nothing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from lao.core.states import Phase
from lao.reports import files, quality
from lao.reports.check import check_file
from lao.reports.read import night_report, plan_report
from lao.state import ledger, plans, recovery, runs
from lao.state.records import Claim
from lao.state.tables import RunRow
from tests.reports.history import lies
from tests.workflows.conftest import Plant
from workflows import control, reporting

Open = Callable[..., Plant]
GOOD = "# Parts\n\n- task: one | file: one.txt | content: 1 | test: test -s one.txt\n"
NAMES = ("LAO_QUALITY.md", "quality_report.json")


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def right(it: Plant, plan: str) -> None:
    """All files of the plan's report are there and nothing in them is wrong."""
    folder = files.folder_of(it.factory.settings.paths.state_dir, plan)
    for name in NAMES:
        assert not check_file(it.factory.store, folder / name).problems


def test_a_done_plan_has_its_report_and_a_clean_repository(plant: Open) -> None:
    """The last commit stays the one that the commands ran on, and git sees no new file."""
    it = plant()
    plan = it.submit("good", GOOD)
    it.turn()
    folder, store = it.root / "good", it.factory.store
    report = plan_report(store, plan)
    assert report.claim.text.startswith("done: 1 of 1 task completed, 1 of 1 command passes on the whole")
    assert [task.proof for task in report.tasks] == ["proved"] and not lies(store, report)
    assert git(folder, "rev-parse", "HEAD") == report.commit
    assert git(folder, "status", "--porcelain") == ""
    kept = files.folder_of(it.factory.settings.paths.state_dir, plan)
    for name in NAMES:
        assert (folder / name).read_bytes() == (kept / name).read_bytes()
    document = json.loads((folder / quality.FILE).read_text())
    rows = [row for row in ledger.validations_of(store, plan) if row["moment"] == "close"]
    assert document["quality"]["commands_passed"] == sum(row["exit_code"] == 0 for row in rows) == 1
    right(it, plan)


def test_a_kill_before_the_report_costs_nothing(plant: Open) -> None:
    """What is missing, half written or of an earlier end is made again, by whoever looks next, and only then."""
    it = plant()
    plan = it.submit("good", GOOD)
    it.turn()
    kept = files.folder_of(it.factory.settings.paths.state_dir, plan)
    before = {name: (kept / name).read_bytes() for name in NAMES}
    made: dict[str, str] = {}
    assert reporting.refresh(it.factory, made) == 0
    (kept / "made").unlink()  # a kill within: the stamp comes last
    (it.root / "good" / "LAO_QUALITY.md").unlink()
    assert reporting.refresh(it.factory, made) == 0, "this worker has seen it in place"
    assert reporting.refresh(it.factory, {}) == 1
    assert {name: (it.root / "good" / name).read_bytes() for name in NAMES} == before
    assert reporting.refresh(it.factory, {}) == 0


def test_a_file_of_the_same_name_stays_its_owners(plant: Open) -> None:
    """A user's own LAO_QUALITY.md is not overwritten, committed or not; the report is beside the state."""
    it = plant()
    folder = it.root / "good"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "LAO_QUALITY.md").write_text("mine\n")
    (folder / "quality_report.json").write_text('{"report_meta": "committed by hand"}\n')
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "mine")
    plan = it.submit("good", GOOD)
    it.turn()
    assert (folder / "LAO_QUALITY.md").read_text() == "mine\n"
    assert "by hand" in (folder / "quality_report.json").read_text()
    assert git(folder, "status", "--porcelain") == ""
    right(it, plan)


def test_a_failed_night_is_told_first(plant: Open) -> None:
    """The parked plan comes before the good one; what failed and why stands above everything else of its page."""
    it = plant(attempts={"candidates": 1, "repairs": 0})
    good = it.submit("good", GOOD)
    bad = it.submit("bad", "# Parts\n\n- task: bad | file: one.txt | content: 1 | test: test -s never.txt\n")
    it.turn()
    night = night_report(it.factory.store, 0, it.factory.store.now())
    assert [plan.id for plan in night.plans] == [bad, good]
    report = plan_report(it.factory.store, bad)
    assert report.state == "needs_human" and not lies(it.factory.store, report)
    page = (files.folder_of(it.factory.settings.paths.state_dir, bad) / "LAO_QUALITY.md").read_text()
    heads = [line for line in page.splitlines() if line.startswith("## ")]
    assert heads[:2] == ["## What failed and why", "## What to do next"]
    assert night.next_steps[0].command == f"lao replay {report.tasks[0].id}"
    right(it, bad)


def test_a_cancelled_plan_has_a_report_with_the_next_pass(plant: Open) -> None:
    """No phase ends a cancelled plan, so the reconciler writes its report."""
    it = plant()
    plan = it.submit("good", GOOD)
    it.turn_until_coding()
    control.cancel(it.factory, plans.get(it.factory.store, plan), None)
    assert reporting.refresh(it.factory, {}) == 1
    report = plan_report(it.factory.store, plan)
    assert report.state == "cancelled" and report.next_steps[-1].command.startswith("lao retry-failed")
    right(it, plan)


def test_a_crash_in_between_is_told(plant: Open) -> None:
    """A worker that died in a phase is counted, and the plan's report says so."""
    it = plant()
    plan = it.submit("good", GOOD)
    it.turn_until_coding()
    run = RunRow.get(RunRow.phase == Phase.CODE.value)
    assert isinstance(runs.claim(it.factory.store, run.id, "somebody who died", "test"), Claim)
    recovery.recover(it.factory.store, lambda _owner: False)
    it.turn()
    report = plan_report(it.factory.store, plan)
    assert report.state == "completed" and not lies(it.factory.store, report)
    assert "a worker died 1 time in 1 phase of it; what was done was kept" in [one.text for one in report.claims]
    right(it, plan)


def test_without_git_the_report_is_beside_the_state(plant: Open) -> None:
    """git.enabled false means no trace in the plan's folder; diffs are not measured there."""
    it = plant(git={"enabled": False})
    plan = it.submit("good", GOOD)
    it.turn()
    assert [path.name for path in (it.root / "good").iterdir()] == ["one.txt"]
    report = plan_report(it.factory.store, plan)
    assert report.tasks[0].added is None and not lies(it.factory.store, report)
    right(it, plan)


def test_a_disk_that_refuses_the_report_refuses_nothing_else(plant: Open) -> None:
    """The plan is done all the same; the report is made when there is room."""
    it = plant()
    blocker = it.factory.settings.paths.state_dir / "reports"
    blocker.write_text("in the way")
    plan = it.submit("good", GOOD)
    it.turn()
    assert [one["state"] for one in it.plans()] == ["completed"]
    blocker.unlink()
    assert reporting.refresh(it.factory, {}) == 1
    right(it, plan)


def test_a_changed_plan_takes_the_folder_over(plant: Open) -> None:
    """Of two plans that worked in one folder the last has its report there, whichever is written later."""
    it = plant()
    first = it.submit("good", GOOD)
    it.turn()
    second = it.submit("good", GOOD + "\nMore words.\n")
    it.turn()
    place = it.root / "good" / quality.FILE
    assert json.loads(place.read_text())["plan_id"] == second != first
    reporting.write(it.factory, first)
    assert json.loads(place.read_text())["plan_id"] == second
    right(it, first)
