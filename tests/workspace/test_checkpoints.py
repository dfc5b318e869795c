"""Checkpoints of a work folder, with git and without: exact, invisible to the user, repeatable."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lao.workspace import checkpoints, folder_copy
from lao.workspace.folder_copy import FolderCopy
from lao.workspace.git_calls import Git


def _git(root: Path, *args: str) -> str:
    identity = ("-c", "user.name=u", "-c", "user.email=u@example.org")
    return subprocess.run(["git", *identity, *args], cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    _git(folder, "init", "-q", "-b", "main")
    (folder / "a.py").write_text("a = 1\n")
    (folder / "old.py").write_text("old\n")
    (folder / ".gitignore").write_text("*.log\n")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", "first")
    return folder


def _state(root: Path) -> dict[str, bytes]:
    return {
        p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file() and ".git/" not in str(p)
    }


def test_restore_brings_back_changed_new_and_deleted_files(root: Path) -> None:
    """After a restore the folder is byte for byte what it was, with the user's uncommitted work in it."""
    (root / "a.py").write_text("a = 2  # the user's, not committed\n")
    (root / "mine.txt").write_text("untracked\n")
    before = _state(root)
    saved = checkpoints.save(Git(root))[0]
    (root / "a.py").write_text("broken(\n")
    (root / "old.py").unlink()
    (root / "pkg").mkdir()
    (root / "pkg" / "new.py").write_text("new\n")
    (root / "mine.txt").unlink()
    changed = checkpoints.restore(Git(root), saved)
    assert changed == ("a.py", "mine.txt", "old.py", "pkg/new.py")
    assert _state(root) == before
    assert not (root / "pkg").exists()
    assert checkpoints.restore(Git(root), saved) == ()


def test_a_checkpoint_leaves_index_and_branch_alone(root: Path) -> None:
    """What the user has staged stays staged, and no branch moves."""
    (root / "a.py").write_text("a = 3\n")
    _git(root, "add", "a.py")
    (root / "a.py").write_text("a = 4\n")
    status, log = _git(root, "status", "--porcelain"), _git(root, "log", "--format=%H", "--branches")
    saved = checkpoints.save(Git(root))[0]
    (root / "a.py").write_text("a = 5\n")
    checkpoints.restore(Git(root), saved)
    assert _git(root, "status", "--porcelain") == status
    assert _git(root, "log", "--format=%H", "--branches") == log
    assert not list((root / ".git").glob("lao-checkpoint-*"))


def test_ignored_files_are_no_part_of_a_checkpoint(root: Path) -> None:
    """What git ignores is neither kept nor taken away."""
    saved = checkpoints.save(Git(root))[0]
    (root / "run.log").write_text("a log\n")
    assert checkpoints.restore(Git(root), saved) == ()
    assert (root / "run.log").exists()


def test_equal_folders_have_equal_trees_and_a_clean_one_is_head(root: Path) -> None:
    """A clean folder's checkpoint is HEAD itself; the same content gives the same tree."""
    git = Git(root)
    assert checkpoints.save(git)[0] == _git(root, "rev-parse", "HEAD").strip()
    (root / "a.py").write_text("a = 7\n")
    first = checkpoints.save(git)[0]
    (root / "a.py").write_text("a = 8\n")
    second = checkpoints.save(git)[0]
    (root / "a.py").write_text("a = 7\n")
    assert checkpoints.save(git)[1] == checkpoints.tree_of(git, first)
    assert checkpoints.tree_of(git, second) != checkpoints.tree_of(git, first)


def test_a_file_that_became_a_folder_comes_back(root: Path) -> None:
    """A path may have changed its kind."""
    git = Git(root)
    saved = checkpoints.save(git)[0]
    (root / "old.py").unlink()
    (root / "old.py").mkdir()
    (root / "old.py" / "x.py").write_text("x\n")
    checkpoints.restore(git, saved)
    assert (root / "old.py").read_text() == "old\n"


def test_replacing_does_what_restoring_does(root: Path) -> None:
    """Links, executable files, a file for a folder and a folder for a file; nothing of it is left in .git."""
    git = Git(root)
    (root / "run.sh").write_text("#!/bin/sh\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("a.py")
    (root / "deep" / "er").mkdir(parents=True)
    (root / "deep" / "er" / "file").write_text("deep\n")
    before = _state(root)
    saved = checkpoints.save(git)[0]
    (root / "run.sh").unlink()
    (root / "link").unlink()
    (root / "deep" / "er" / "file").unlink()
    (root / "deep" / "er").rmdir()
    (root / "deep" / "er").write_text("a file now\n")
    (root / "old.py").unlink()
    (root / "old.py").mkdir()
    (root / "old.py" / "x.py").write_text("x\n")
    assert checkpoints.replace(git, saved) == (
        "deep/er",
        "deep/er/file",
        "link",
        "old.py",
        "old.py/x.py",
        "run.sh",
    )
    assert _state(root) == before
    assert (root / "link").is_symlink()
    assert (root / "run.sh").stat().st_mode & 0o111
    assert checkpoints.replace(git, saved) == ()
    assert not list((root / ".git").glob("lao-checkpoint-*"))


def test_what_a_killed_replacement_left_is_cleared(root: Path) -> None:
    """The folder with the new files goes when its process is dead."""
    left = root / ".git" / "lao-checkpoint-99999999-abcd.files"
    left.mkdir()
    (left / "a.py").write_text("half")
    checkpoints.clean_indexes(Git(root))
    assert not left.exists()


def test_a_checkpoint_before_the_first_commit(tmp_path: Path) -> None:
    """A repository without any commit can be restored too."""
    _git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a.txt").write_text("a\n")
    git = Git(tmp_path)
    saved = checkpoints.save(git)[0]
    (tmp_path / "a.txt").write_text("b\n")
    assert checkpoints.restore(git, saved) == ("a.txt",)
    assert (tmp_path / "a.txt").read_text() == "a\n"
    assert _git(tmp_path, "for-each-ref") == ""


def test_a_folder_copy_is_the_way_back_without_git(tmp_path: Path) -> None:
    """Without git: the same, from a copy."""
    root, place = tmp_path / "work", tmp_path / "state" / "copy"
    (root / "pkg").mkdir(parents=True)
    (root / "a.py").write_text("a = 1\n")
    (root / "pkg" / "b.bin").write_bytes(b"\x00\x01")
    before = _state(root)
    copy = FolderCopy(root, place)
    copy.save()
    (root / "a.py").unlink()
    (root / "pkg" / "b.bin").write_bytes(b"\x02")
    (root / "new.py").write_text("new\n")
    assert copy.changed() == ("a.py", "new.py", "pkg/b.bin")
    assert copy.restore() == ("a.py", "new.py", "pkg/b.bin")
    assert _state(root) == before
    assert copy.restore() == ()
    copy.drop()
    assert not place.exists()


def test_a_file_that_is_too_large_to_copy_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git a large file is neither copied nor taken for a new one."""
    root = tmp_path / "work"
    root.mkdir()
    (root / "data.bin").write_bytes(b"x" * 100)
    (root / "a.py").write_text("a = 1\n")
    monkeypatch.setattr(folder_copy, "LARGEST", 50)
    copy = FolderCopy(root, tmp_path / "copy")
    copy.save()
    (root / "data.bin").write_bytes(b"y" * 100)
    (root / "a.py").write_text("a = 2\n")
    assert copy.restore() == ("a.py",)
    assert (root / "data.bin").read_bytes() == b"y" * 100
