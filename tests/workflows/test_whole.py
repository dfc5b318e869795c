"""A plan's commands run on the whole beside its last reviews; its close takes over what holds for the same files."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lao.core.errors import AttemptFailed, BadInput, LaoError, NeedsHuman, Terminal
from lao.core.states import TERMINAL_PLANS, PlanState, RunState
from lao.state import ledger, plans, queries, runs
from lao.state.records import Claim
from lao.state.tables import RunRow, StepRow
from tests.workflows.conftest import Plant
from workflows import failures, queues
from workflows.reconciler import reconcile
from workflows.wake import wake

Open = Callable[..., Plant]
TEXT = {role: {"key": f"sim-{role}", "supports_tools": False} for role in ("planner", "coder", "reviewer")}
NAMES = ("one", "two", "three")


def plan_of(log: Path, *more: str, chained: bool = False) -> str:
    """Three tasks whose checks note the run that they are made for."""
    after = {"two": " | after: one", "three": " | after: two"} if chained else {}
    check = "test -s {0}.txt && echo $LAO_RUN {0} >> " + str(log)
    lines = [f"- task: {n} | file: {n}.txt | content: {n}{after.get(n, '')} | test: {check.format(n)}" for n in NAMES]
    return "# Parts\n\n" + "\n".join([*lines, *more]) + "\n"


def ran_in(log: Path, *phases: str) -> list[str]:
    """ "phase name" of each time that a check really ran in one of the phases."""
    noted = [line.split() for line in log.read_text().splitlines()]
    found = [(RunRow.get_by_id(int(marker.split(".")[1])), name) for marker, name in noted]
    return sorted(f"{run.phase} {name}" for run, name in found if run.phase in phases)


def runs_of(phase: str) -> list[Any]:
    return list(RunRow.select().where(RunRow.phase == phase).order_by(RunRow.id))


def turn_until(plant: Plant, there: Callable[[], bool]) -> None:
    """Message by message, of the cpu queue first, until something is so."""
    for _ in range(300):
        if there():
            return
        any(plant._one(huey) for huey in (queues.cpu, queues.gpu))
    raise AssertionError("it never came about")


def is_ready(phase: str) -> Callable[[], bool]:
    return lambda: any(run.state == "ready" for run in runs_of(phase))


def is_over(plant: Plant) -> Callable[[], bool]:
    return lambda: all(PlanState(str(plan["state"])) in TERMINAL_PLANS for plan in plant.plans())


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


def test_the_close_finds_all_done(plant: Open, tmp_path: Path) -> None:
    """Each check runs once on the whole, before the last review has ended; the reviews' own commits do not matter."""
    it, log = plant(models=TEXT), tmp_path / "log"
    plan_id = it.submit("parts", plan_of(log))
    it.turn()
    assert it.plans()[0]["state"] == "completed"
    assert ran_in(log, "whole", "close") == ["whole one", "whole three", "whole two"]
    (whole,), (close,) = runs_of("whole"), runs_of("close")
    assert whole.finished_at < max(review.started_at for review in runs_of("review"))
    kept = [e for e in ledger.validations_of(it.factory.store, plan_id) if e["moment"] == "close"]
    assert [(e["exit_code"], e["commit"]) for e in kept] == [(0, git(it.root / "parts", "rev-parse", "HEAD"))] * 3
    assert len(whole.result["results"]) == 3
    assert close.state == "done"


def test_other_files_than_were_judged_are_judged_anew(plant: Open, tmp_path: Path) -> None:
    """Whatever but LAO's own log is committed after the early run, its results count no more."""
    it, log = plant(models=TEXT), tmp_path / "log"
    it.submit("parts", plan_of(log))
    turn_until(it, is_ready("close"))
    (it.root / "parts" / "more.txt").write_text("from elsewhere\n")
    git(it.root / "parts", "add", "more.txt")
    git(it.root / "parts", "commit", "-qm", "more")
    it.turn()
    assert it.plans()[0]["state"] == "completed"
    assert ran_in(log, "close") == ["close one", "close three", "close two"]


def test_a_broken_file_after_the_early_run_fails_the_plan(plant: Open, tmp_path: Path) -> None:
    """A false "completed" is the worst: what passed before on other files proves nothing."""
    it, log = plant(models=TEXT), tmp_path / "log"
    it.submit("parts", plan_of(log))
    turn_until(it, is_ready("close"))
    git(it.root / "parts", "rm", "-q", "two.txt")
    git(it.root / "parts", "commit", "-qm", "less")
    it.turn()
    (plan,) = it.plans()
    assert plan["state"] == "failed"
    assert "on the whole" in str(plan["reason"])


def rejecting_once() -> dict[str, object]:
    """The reviewer sends the task of extra.txt back, and the coder does better."""
    said = "extra.txt is not what was asked"
    finding = {"severity": "critical", "message": said, "file": "extra.txt", "line": 1, "command": "", "hint": ""}
    finding["criterion"] = "Write extra.txt with the first"
    verdict = {"verdict": "REJECTED", "summary": said, "findings": [finding]}
    rules = [
        {"match": {"role": "reviewer", "contains": "extra.txt"}, "answer": {"json": verdict}, "times": 1},
        {"match": {"role": "coder", "contains": said}, "answer": {"text": "FILE: extra.txt\n```\nbetter\n```\n"}},
    ]
    return {"responses": rules}


EXTRA = "- task: extra | file: extra.txt | content: first"


def test_a_rework_is_checked_on_the_whole_again(plant: Open, tmp_path: Path) -> None:
    """After a rejection there is a second early run, on the new files; the close takes over from that."""
    it, log = plant(rejecting_once(), models=TEXT), tmp_path / "log"
    it.submit("parts", plan_of(log, EXTRA))
    turn_until(it, is_over(it))
    assert (it.root / "parts" / "extra.txt").read_text() == "better\n"
    assert it.plans()[0]["state"] == "completed"
    first, second = runs_of("whole")
    assert (first.state, second.state) == ("done", "done")
    assert first.result["tree"] != second.result["tree"]
    assert ran_in(log, "whole", "close") == sorted(f"whole {n}" for n in NAMES * 2)


def test_what_is_worked_on_again_is_not_checked_yet(plant: Open, tmp_path: Path) -> None:
    """A rejection before the early run has begun: it ends at once, and comes again after the rework."""
    it, log = plant(rejecting_once(), models=TEXT), tmp_path / "log"
    it.submit("parts", plan_of(log, EXTRA))
    turn_until(it, is_ready("whole"))
    while not is_ready("code")():
        assert it._one(queues.gpu)
    assert it._one(queues.cpu)
    assert [(run.state, run.result) for run in runs_of("whole")] == [("done", {"tree": None, "results": []})]
    turn_until(it, is_over(it))
    assert it.plans()[0]["state"] == "completed"
    assert ran_in(log, "whole", "close") == ["whole one", "whole three", "whole two"]


def test_what_changes_while_it_is_checked_is_checked_again(plant: Open, tmp_path: Path) -> None:
    """An early run that ends on files which are no longer there is followed by another one."""
    it, log, flag = plant(models=TEXT, sandbox={"backend": "none"}), tmp_path / "log", tmp_path / "flag"
    change = f"test -e {flag} || {{ touch {flag} more; git add more; git commit -qm more; }}"
    command = f"test -s last.txt && case $LAO_RUN in *.*.*.*) cd {it.root / 'parts'}; {change};; esac"
    it.submit("parts", plan_of(log, f"- task: last | file: last.txt | content: x | test: {command}"))
    turn_until(it, is_over(it))
    assert it.plans()[0]["state"] == "completed"
    assert git(it.root / "parts", "log", "--format=%s", "--", "more") == "more"
    assert [run.state for run in runs_of("whole")] == ["done", "done"]
    assert ran_in(log, "whole", "close") == sorted(f"whole {n}" for n in NAMES * 2)


def test_what_only_fails_on_the_whole_fails_the_plan(plant: Open, tmp_path: Path) -> None:
    """Each task's check passes on its own commit; together they do not, and the close says so by a run of its own."""
    it, log = plant(models=TEXT), tmp_path / "log"
    broken = f"test -s early.txt && echo $LAO_RUN early >> {log} && test ! -e three.txt"
    early = f"- task: early | file: early.txt | content: x | test: {broken}"
    plan_id = it.submit("parts", "# Parts\n\n" + early + "\n" + plan_of(log).partition("\n\n")[2])
    it.turn()
    (plan,) = it.plans()
    assert (plan["state"], plan["tasks"]["completed"]) == ("failed", 4)
    assert "on the whole" in str(plan["reason"])
    assert "close early" in ran_in(log, "close")
    assert not any(name in line for line in ran_in(log, "close") for name in ("two", "three"))
    (whole,) = runs_of("whole")
    assert [r["exit_code"] for r in whole.result["results"]].count(0) == 3
    for ready in plans.retry(it.factory.store, plan_id)[1]:
        wake(it.factory.store, ready)
    it.turn()
    assert {"close one", "close two", "close three"} <= set(ran_in(log, "close")), "who tries again wants it anew"


@pytest.mark.parametrize("release", ["reviewed", "verified"])
def test_a_chain_is_checked_beside_its_last_reviews(plant: Open, tmp_path: Path, release: str) -> None:
    """Whatever the release, the early run waits for the last verification, and the close runs nothing."""
    it, log = plant(models=TEXT, orchestration={"release": release}), tmp_path / "log"
    it.submit("chain", plan_of(log, chained=True))
    turn_until(it, is_over(it))
    assert it.plans()[0]["state"] == "completed"
    assert ran_in(log, "whole", "close") == ["whole one", "whole three", "whole two"]


def held(it: Plant, owner: str | None = None) -> Claim:
    """The early run, begun by ``owner`` (this process), while the reviews end and the close comes to wait for it."""
    turn_until(it, is_ready("whole"))
    claim = runs.claim(it.factory.store, runs_of("whole")[0].id, owner or it.factory.owner.to_text(), "test")
    assert isinstance(claim, Claim)
    turn_until(it, lambda: bool(runs_of("close")))
    assert [run.state for run in runs_of("close")] == ["blocked"]
    assert queries.running_view(it.factory.store)[0]["phase"] == "whole"
    return claim


ERRORS = [Terminal("no"), NeedsHuman("no"), BadInput("no"), AttemptFailed("no")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: type(e).__name__)
def test_an_early_run_that_fails_leaves_all_to_the_close(plant: Open, tmp_path: Path, error: LaoError) -> None:
    """The close waits for it and for no longer; nothing else becomes of the failure."""
    it, log = plant(models=TEXT), tmp_path / "log"
    it.submit("parts", plan_of(log))
    for ready in failures.end_run(it.factory, held(it), error):
        wake(it.factory.store, ready)
    it.turn()
    assert it.plans()[0]["state"] == "completed"
    assert ran_in(log, "whole", "close") == ["close one", "close three", "close two"]
    assert runs_of("whole")[0].state == "failed"


def test_an_early_run_does_not_wait_for_better_times(
    plant: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, a lock: whoever needs the results gathers them; the close is not kept waiting for another try."""
    real, full = shutil.which("git"), tmp_path / "full"
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    said = f'case "$*" in *ls-tree*) [ -e {full} ] && echo "No space left on device" >&2 && exit 128;; esac'
    wrapper.write_text(f'#!/bin/sh\n{said}\nexec {real} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    it, log = plant(models=TEXT), tmp_path / "log"
    it.submit("parts", plan_of(log))
    full.touch()
    turn_until(it, lambda: any(run.state == "done" for run in runs_of("whole")))
    full.unlink()
    it.turn()
    assert it.plans()[0]["state"] == "completed"
    assert ran_in(log, "whole", "close") == ["close one", "close three", "close two"]


@pytest.mark.parametrize("strikes", [0, 9], ids=["runs again", "set aside"])
def test_an_early_run_whose_worker_dies_does_not_hang_the_plan(plant: Open, tmp_path: Path, strikes: int) -> None:
    """It runs again; after too many crashes it is set aside and the close does it all."""
    it, log = plant(models=TEXT), tmp_path / "log"
    it.submit("parts", plan_of(log))
    child = subprocess.Popen(["true"])
    child.wait()
    dead = it.factory.owner.to_text().replace(str(os.getpid()), str(child.pid))
    run_id = held(it, dead).run.id
    RunRow.update(strikes=strikes).where(RunRow.id == run_id).execute()
    reconcile(it.factory)
    it.turn()
    assert it.plans()[0]["state"] == "completed"
    where = "close" if strikes else "whole"
    assert ran_in(log, "whole", "close") == [f"{where} one", f"{where} three", f"{where} two"]


def test_an_early_run_that_has_not_begun_is_not_waited_for(plant: Open, tmp_path: Path) -> None:
    """When the reviews were faster than the cpu queue, the close does it all."""
    it, log = plant(models=TEXT), tmp_path / "log"
    it.submit("parts", plan_of(log))
    turn_until(it, is_ready("whole"))
    while not runs_of("close"):
        assert it._one(queues.gpu)
    assert [run.state for run in runs_of("whole")] == ["skipped"]
    it.turn()
    assert it.plans()[0]["state"] == "completed"
    assert ran_in(log, "whole", "close") == ["close one", "close three", "close two"]


def test_where_nothing_is_gained_there_is_no_early_run(plant: Open, tmp_path: Path) -> None:
    """One task, or no command at all."""
    it, log = plant(models=TEXT), tmp_path / "log"
    it.submit("single", "\n".join(plan_of(log).splitlines()[:3]))
    it.submit("bare", "# Bare\n\n- task: a | file: a.txt | content: a\n- task: b | file: b.txt | content: b\n")
    it.turn()
    assert [plan["state"] for plan in it.plans()] == ["completed", "completed"]
    assert ran_in(log, "whole", "close") == ["close one"]
    assert runs_of("whole") == []


@pytest.mark.parametrize("at_most", [1, 3])
def test_without_git_the_close_runs_all_in_the_live_folder(plant: Open, tmp_path: Path, at_most: int) -> None:
    """There is no checkout to run them on beside the reviews, nor beside one another."""
    it = plant(models=TEXT, git={"enabled": False}, orchestration={"parallel_checks": at_most})
    it.submit("parts", plan_of(tmp_path / "log", "", "Test: `pwd >> ../places`"))
    it.turn()
    assert it.plans()[0]["state"] == "completed"
    assert len(ran_in(tmp_path / "log", "close")) == 3
    assert runs_of("whole") == []
    labels = StepRow.select().where(StepRow.run == runs_of("close")[0], StepRow.kind == "repeatable")
    assert {step.label.partition(":")[0] for step in labels} == {"check"}
    assert set((it.root / "places").read_text().split()) == {str((it.root / "parts").resolve())}


@pytest.mark.parametrize("at_most", [1, 2])
def test_commands_that_need_one_another_pass(plant: Open, tmp_path: Path, at_most: int) -> None:
    """A test of what the plan's build makes passes with any number at a time."""
    it, log = plant(models=TEXT, orchestration={"parallel_checks": at_most}), tmp_path / "log"
    front = "---\nvalidation:\n  build: cat *.txt > built\n  test: test -s built\n---\n"
    it.submit("parts", front + plan_of(log))
    it.turn()
    assert it.plans()[0]["state"] == "completed"
    assert ran_in(log, "close") == []


def test_tasks_set_back_while_the_close_waits_are_not_passed_over(plant: Open, tmp_path: Path) -> None:
    """``retry-failed`` in the moment before the close: that close ends nothing, the next one judges what comes out."""
    it = plant(models=TEXT, attempts={"candidates": 1, "idle": False}, orchestration={"retry_cap_validation": 1})
    plan_id = it.submit(
        "parts", plan_of(tmp_path / "log", "- task: bad | file: bad.txt | content: x | test: test -e nothing")
    )
    turn_until(it, is_ready("close"))
    assert plans.retry(it.factory.store, plan_id)[0] == 1
    it.turn()
    assert [run.state for run in runs_of("close")] == [RunState.DONE.value] * 2
    assert it.plans()[0]["state"] == "needs_human"
    assert "1 of 4 tasks" in str(it.plans()[0]["reason"])
