"""J1: lines that several phases append to one file: one commit each, no line lost, whoever is killed when."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lao.core.steps import DirectSteps
from lao.workspace.git import Repository
from lao.workspace.git_calls import Git
from lao.workspace.lines import LineCommit
from tests.workspace.plan_repository import DATE, commit, git, steps_in, through_json

LOG = "LOG"


def append(repo: Repository, step: str) -> str | None:
    return repo.commit_step(DirectSteps(), "commit", message="log", step_id=step, date=DATE, line=(LOG, f"{step}\n"))


def effect(root: Path, step: str) -> LineCommit:
    return LineCommit(Git(root), f"log\n\nLAO-Step: {step}\n", step, DATE, (LOG,), line=f"{step}\n")


def test_each_line_is_one_commit(repo: Repository, root: Path) -> None:
    """J1: also lines that are equal."""
    for step in ("one", "two", "two again", "two again"):
        assert append(repo, step)
    assert (root / LOG).read_text() == "one\ntwo\ntwo again\ntwo again\n"
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "show", "--format=", "--numstat", "HEAD").split() == ["1", "0", LOG]


@pytest.mark.parametrize("other", ["line", "file"])
@pytest.mark.parametrize("done", ["nothing", "commit", "branch"])
def test_a_line_that_was_interrupted_while_another_came(repo: Repository, root: Path, done: str, other: str) -> None:
    """Killed before its commit, before the branch moved, or before the folder had the line."""
    killed = effect(root, "killed")
    intent = through_json(killed.prepare())
    if done != "nothing":
        made = killed._write(intent)
        if done == "branch":
            git(root, "update-ref", "HEAD", made)
    if other == "line":
        append(repo, "other")
    else:
        (root / "file").write_text("1")
        assert commit(repo, "other", paths=("file",))
    assert (killed.probe(intent) or killed.apply(intent))["commit"]
    assert sorted((root / LOG).read_text().split()) == ["killed", *(["other"] if other == "line" else [])]
    assert (root / LOG).read_text() == git(root, "show", f"HEAD:{LOG}") + "\n"
    assert git(root, "status", "--porcelain") == ""
    assert sorted(steps_in(root)) == ["init", "killed", "other"]


def test_killed_while_the_folder_gets_its_line(repo: Repository, root: Path) -> None:
    """The half-written file beside it goes when the step is resumed."""
    step = effect(root, "killed")
    intent = through_json(step.prepare())
    git(root, "update-ref", "HEAD", step._write(intent))
    dead = subprocess.Popen(["true"])
    dead.wait()
    (root / f".lao-{dead.pid}-ab75a486e740.tmp").write_text("kil")
    assert step.probe(intent)
    assert git(root, "status", "--porcelain") == ""


def test_what_somebody_keeps_there_stays(repo: Repository, root: Path) -> None:
    """J1: a line that is not LAO's is neither lost nor committed."""
    append(repo, "one")
    with (root / LOG).open("a") as file:
        file.write("a note of mine\n")
    append(repo, "two")
    assert (root / LOG).read_text() == "one\na note of mine\ntwo\n"
    assert git(root, "show", f"HEAD:{LOG}") == "one\ntwo"
