"""Promises of snapshots: exactly the commit, no trace in the plan's repository."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lao.core.errors import Terminal
from lao.workspace.git import Repository
from tests.workspace.plan_repository import commit, git


@contextmanager
def _unchanged(root: Path) -> Iterator[None]:
    def state() -> list[str]:
        return [git(root, *a) for a in (("status", "--porcelain"), ("worktree", "list"), ("for-each-ref",))]

    before, index = state(), (root / ".git/index").read_bytes()
    yield
    assert (state(), (root / ".git/index").read_bytes()) == (before, index)


def test_snapshot_is_exactly_the_commit(root: Path, repo: Repository) -> None:
    """Checks run on what was committed, not on what the coder does meanwhile; no trace is left."""
    (root / "run.sh").write_text("#!/bin/sh\necho committed\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("run.sh")
    made = commit(repo, "s1")
    assert made is not None
    (root / "run.sh").write_text("half-")
    (root / "untracked").write_text("x")
    (root / "node_modules/dep").mkdir(parents=True)
    git(root, "status")
    with _unchanged(root), repo.snapshot(made) as folder:
        assert folder.is_relative_to(root.parent / ".lao/snapshots")
        assert sorted(p.name for p in folder.iterdir()) == [".git", ".gitignore", "link", "node_modules", "run.sh"]
        done = subprocess.run(["./run.sh"], cwd=folder, capture_output=True, text=True, check=True)
        assert done.stdout == "committed\n"
        assert (folder / "link").is_symlink()
        assert (folder / "node_modules/dep").is_dir()
        assert git(folder, "status", "--porcelain") == ""
        assert git(folder, "log", "-1", "--format=%H") == made
        (folder / "written-by-test").write_text("x")
    assert (root / "node_modules/dep").is_dir()
    assert list((root.parent / ".lao/snapshots").iterdir()) == []


def test_snapshots_of_dead_runs_are_removed(root: Path, repo: Repository) -> None:
    """What a killed worker left goes away; the snapshot of a live one stays, and borrowed folders are not emptied."""
    head = repo.head()
    assert head is not None
    (root / "node_modules").mkdir()
    (root / "node_modules/x").write_text("x")
    with repo.snapshot(head) as folder:
        dead = folder.parent.parent / "99999999-dead"
        dead.mkdir()
        (dead / "owner").write_text("boot:1:1.00:host")
        (dead / "node_modules").symlink_to(root / "node_modules")
        fresh = folder.parent.parent / f"{os.getpid()}-fresh"
        fresh.mkdir()
        assert repo.clean_snapshots() == 1
        assert folder.exists()
        assert fresh.exists()
    assert (root / "node_modules/x").exists()


def test_snapshot_of_an_unknown_commit(root: Path, repo: Repository) -> None:
    """A commit that does not exist is an error, and the half-made folder is gone."""
    with pytest.raises(Terminal), repo.snapshot("0" * 39 + "1"):
        pass
    assert list((root.parent / ".lao/snapshots").iterdir()) == []


def test_what_git_ignores_is_there_too_without_caches(root: Path, repo: Repository) -> None:
    """D7: data and settings that the user keeps beside the code are seen by the commands; caches are not."""
    (root / ".gitignore").write_text("data/\n*.local\n__pycache__/\n")
    (root / "pkg" / "data").mkdir(parents=True)
    (root / "pkg" / "data" / "table.csv").write_text("1\n")
    (root / "pkg" / "__pycache__").mkdir()
    (root / "pkg" / "__pycache__" / "a.pyc").write_bytes(b"")
    (root / "settings.local").write_text("x\n")
    (root / "pkg" / "code.py").write_text("x = 1\n")
    made = commit(repo, "s1")
    assert made is not None
    with _unchanged(root), repo.snapshot(made) as folder:
        assert (folder / "pkg" / "data" / "table.csv").read_text() == "1\n"
        assert (folder / "settings.local").read_text() == "x\n"
        assert not (folder / "pkg" / "__pycache__").exists()
        assert git(folder, "status", "--porcelain") == ""
    assert (root / "pkg" / "data" / "table.csv").exists()
