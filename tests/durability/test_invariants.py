"""The checker itself: a finished run passes, and each way in which a promise can be broken is told."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.durability.factory_run import Project, plan_text, project
from tests.durability.invariants import check

pytestmark = pytest.mark.durability

TASKS = 2
CALLS = 1 + 3 * TASKS


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose plan has been worked on without any fault."""
    with project(tmp_path_factory.mktemp("done")) as factory:
        (factory.root / "plans" / "parts.md").write_text(plan_text(TASKS, check="test -s part_{n}.txt"))
        assert factory.lao("run", "--single-run", "--plain").returncode == 0
        yield factory


def found(factory: Project) -> str:
    return "\n".join(check(factory, plan="parts", tasks=TASKS, per_plan=TASKS, kills=0, expected_calls=CALLS))


def git(factory: Project, *arguments: str) -> None:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=factory.root / "parts", check=True, capture_output=True)


def sql(statement: str) -> Callable[[Project], None]:
    def change(factory: Project) -> None:
        with closing(sqlite3.connect(factory.root / ".lao" / "state.db")) as db, db:
            db.execute(statement)

    return change


def _again(factory: Project) -> None:
    body = subprocess.run(
        ["git", "log", "-1", "--format=%B"], cwd=factory.root / "parts", check=True, capture_output=True, text=True
    ).stdout
    git(factory, "commit", "--allow-empty", "-q", "-m", body)


BREAKS: dict[str, tuple[Callable[[Project], None], Callable[[Project], None], str]] = {
    "a file is lost": (
        lambda f: (f.root / "parts" / "part_1.txt").unlink(),
        lambda f: git(f, "checkout", "--", "part_1.txt"),
        "part_1.txt contains None",
    ),
    "a step is committed twice": (_again, lambda f: git(f, "reset", "--hard", "-q", "HEAD~1"), "2 commits for step"),
    "the index is behind": (
        lambda f: git(f, "rm", "--cached", "-q", "part_1.txt"),
        lambda f: git(f, "reset", "-q"),
        "work tree is not clean",
    ),
    "a lock is left": (
        lambda f: (f.root / "parts/.git/HEAD.lock").write_text("") and None,
        lambda f: (f.root / "parts/.git/HEAD.lock").unlink(),
        "left over: HEAD.lock",
    ),
    "a name is left": (
        lambda f: git(f, "update-ref", "refs/lao/task-1", "HEAD"),
        lambda f: git(f, "update-ref", "-d", "refs/lao/task-1"),
        "left over: refs/lao/task-1",
    ),
    "a run is open": (
        sql("UPDATE lao_run SET state='running' WHERE id=1"),
        sql("UPDATE lao_run SET state='done' WHERE id=1"),
        "run left open",
    ),
    "an attempt is counted twice": (
        sql("UPDATE lao_task SET attempts=attempts+1 WHERE id=1"),
        sql("UPDATE lao_task SET attempts=attempts-1 WHERE id=1"),
        "counts 2 attempts",
    ),
    "a task is not done": (
        sql("UPDATE lao_task SET state='failed' WHERE id=1"),
        sql("UPDATE lao_task SET state='completed' WHERE id=1"),
        "task 1 is failed",
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_what_is_broken_is_told(done: Project, name: str) -> None:
    """One thing of a finished run is broken, and mended again."""
    damage, mend, words = BREAKS[name]
    assert found(done) == ""
    damage(done)
    assert words in found(done)
    mend(done)
    assert found(done) == ""


def test_a_process_that_is_left_is_told(done: Project) -> None:
    """By the marker of the project's commands."""
    owner = hashlib.sha256(str(done.root / ".lao" / "state.db").encode()).hexdigest()[:12]
    left = subprocess.Popen(["sleep", "60"], env={**os.environ, "LAO_RUN": f"{owner}.1."})
    try:
        assert f"process {left.pid} is left" in found(done)
    finally:
        left.kill()
        left.wait()


def test_a_call_too_much_is_told(done: Project) -> None:
    """One more than the plan needs, and none of them lost to a kill."""
    expected = CALLS - 1
    told = check(done, plan="parts", tasks=TASKS, per_plan=TASKS, kills=0, expected_calls=expected)
    assert any(f"{CALLS} model calls where {expected} are explained" in line for line in told)


def test_a_lost_object_is_told(done: Project) -> None:
    """git fsck sees a commit that is not whole."""
    objects = done.root / "parts" / ".git" / "objects"
    loose = next(path for path in sorted(objects.glob("??/*")))
    text = loose.read_bytes()
    loose.chmod(0o644)
    loose.unlink()
    try:
        assert "git fsck" in found(done)
    finally:
        loose.write_bytes(text)
