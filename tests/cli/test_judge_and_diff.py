"""``lao diff``, ``lao accept`` and ``lao reject``: on real repositories made by the whole pipeline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES
from lao.state import facts, judgements, plans
from tests.workflows.conftest import Plant, identity, plant  # noqa: F401  # fixtures
from workflows import judging

Build = Callable[..., Plant]
TWO = """\
---
validation: test -e part_a.txt
---
# Parts

- task: part a | file: part_a.txt | content: one
- task: part b | file: deep/part_b.txt | content: two
"""


@pytest.fixture
def lao(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """Runs a command as a program of its own, for the project is open in this one."""
    for name in (*VARIABLES, *CONFIG_VARIABLES, FLAGS_VARIABLE):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str, code: int = 0) -> str:
        command = [sys.executable, "-m", "lao", *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == code, done
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    return call


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.rstrip("\n")


@pytest.fixture
def done(plant: Build, tmp_path: Path) -> tuple[Plant, str, Path]:  # noqa: F811
    """A completed plan of two tasks in a folder with a file of the user's: the project, its id, its folder."""
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "own.txt").write_text("mine\n")
    it = plant()
    plan_id = it.submit("parts", TWO)
    it.turn()
    assert it.plans()[0]["state"] == "completed"
    return it, plan_id, folder


def test_diff_shows_the_work_and_its_proof(done: tuple[Plant, str, Path], lao: Callable[..., str]) -> None:
    """I4: of a plan the whole, of a task its own; LAO's record and the user's files are no part of it."""
    _, plan_id, folder = done
    said = lao("diff", "parts")
    assert "test -e part_a.txt: passes" in said and "+one" in said and "+two" in said
    assert "own.txt" not in said and "LAO_" not in said
    view = json.loads(lao("diff", "#2", "--json"))
    assert [one["paths"] for one in view["commits"]] == [["deep/part_b.txt"]]
    assert view["plan"] == plan_id and "+two" in view["diff"] and "+one" not in view["diff"]
    assert "part_a.txt" in lao("diff", "parts", "--stat") and "+one" not in lao("diff", "parts", "--stat")
    assert git(folder, "status", "--porcelain", "part_a.txt") == ""


def test_diff_of_what_is_not_there(plant: Build, lao: Callable[..., str]) -> None:  # noqa: F811
    """I4: an unknown name, and a plan without git, are one message and exit code 42."""
    it = plant(git={"enabled": False})
    it.submit("parts", TWO)
    assert "no plan or task 'prts'" in lao("diff", "prts", code=42)
    assert "no git repository" in lao("diff", "parts", code=42)


def test_accept_wants_a_completed_plan(plant: Build, lao: Callable[..., str]) -> None:  # noqa: F811
    """I4: what is open or failed is not accepted by mistake; status shows the word; twice is said."""
    it = plant(attempts={"repairs": 0, "candidates": 1, "split": False, "idle": False})
    it.submit("bad", TWO.replace("part_a.txt\n---", "none_such\n---"))
    assert "is queued" in lao("accept", "bad", code=1)
    it.turn()
    assert "--anyway accepts it" in lao("accept", "bad", code=1)
    assert "is accepted" in lao("accept", "bad", "--anyway", "--note", "good enough")
    assert "already" in lao("accept", "bad", "--anyway")
    assert "accepted by a person" in lao("status")


def test_reject_takes_back_by_one_commit_and_keeps_the_rest(
    done: tuple[Plant, str, Path], lao: Callable[..., str]
) -> None:
    """I4: history only grows; the user's files and uncommitted work stay; the planner of the next version is told."""
    it, plan_id, folder = done
    before = git(folder, "rev-parse", "HEAD")
    (folder / "own.txt").write_text("mine, changed\n")
    view = json.loads(lao("reject", "parts", "--revert", "--note", "wrong colours", "--json"))
    assert view["reverted"]["paths"] == ["deep/part_b.txt", "part_a.txt"]
    assert git(folder, "rev-parse", "HEAD~1") == before
    assert not (folder / "part_a.txt").exists() and not (folder / "deep").exists()
    assert (folder / "own.txt").read_text() == "mine, changed\n"
    assert git(folder, "status", "--porcelain").split() == ["M", "own.txt"]
    assert "already" in lao("reject", "parts", "--revert", "--note", "wrong colours")
    assert git(folder, "rev-parse", "HEAD") == view["reverted"]["commit"]
    assert [fact.text for fact in facts.known(it.factory.store) if fact.origin == "person"] == [
        "Plan parts was rejected by a person: wrong colours"
    ]
    it.submit("parts", TWO + "\nIn blue.\n")
    newer = next(plan for plan in it.plans() if plan["supersedes"] == plan_id)
    assert "wrong colours" in judging.told_planner(it.factory, plans.get(it.factory.store, str(newer["id"])))


def test_reject_refuses_what_would_lose_work(done: tuple[Plant, str, Path], lao: Callable[..., str]) -> None:
    """I4: uncommitted changes in the plan's files, then somebody's commit to them: a message, nothing changed."""
    it, plan_id, folder = done
    (folder / "part_a.txt").write_text("one and a half\n")
    head = git(folder, "rev-parse", "HEAD")
    assert "uncommitted changes in part_a.txt" in lao("reject", "parts", "--revert", code=1)
    git(folder, "commit", "-qam", "half more")
    assert "half more" in lao("reject", "parts", "--revert", code=1)
    assert git(folder, "rev-parse", "HEAD~1") == head
    assert (folder / "part_a.txt").read_text() == "one and a half\n"
    assert judgements.latest(it.factory.store, plan_id) is None
    assert "is rejected" in lao("reject", "parts")


@pytest.mark.parametrize("point", ["after_intent", "before_finish"])
def test_a_killed_revert_is_finished_by_the_next(
    done: tuple[Plant, str, Path], lao: Callable[..., str], point: str
) -> None:
    """I4: killed after the commit and before the files, or before the row: one commit, the files gone, one word."""
    it, plan_id, folder = done
    before = git(folder, "rev-parse", "HEAD")
    root = it.factory.settings.paths.root
    environment = {**os.environ, "LAO_FAULT": f"{point}:kill"}
    killed = subprocess.run(
        [sys.executable, "-m", "lao", "reject", "parts", "--revert"], cwd=root, env=environment, check=False
    )
    assert killed.returncode == -9
    lao("reject", "parts", "--revert")
    assert git(folder, "rev-parse", "HEAD~1") == before
    assert not (folder / "part_a.txt").exists()
    assert git(folder, "status", "--porcelain") == ""
    found = judgements.latest(it.factory.store, plan_id)
    assert found is not None and found.reverted and found.commit == git(folder, "rev-parse", "HEAD")


@pytest.mark.parametrize("command", ["accept", "reject", "diff"])
def test_an_empty_project_has_no_plan(lao: Callable[..., str], command: str) -> None:
    """I4: one message with exit code 42."""
    assert "no plan" in lao(command, "shop", code=42)


def test_a_note_with_a_secret_is_refused(done: tuple[Plant, str, Path], lao: Callable[..., str]) -> None:
    """I4: notes are shown to models."""
    assert "secret" in lao("reject", "parts", "--note", "password: hunter22!", code=42)
