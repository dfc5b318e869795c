"""Promise: between the look at a path and its use no link can lead elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lao.core.errors import BadInput
from lao.durable import beneath
from lao.durable.beneath import BeneathWrite


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with ways out: a linked folder, a linked file, and a pipe."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("secret")
    root = tmp_path / "root"
    (root / "deep").mkdir(parents=True)
    (root / "deep/file").write_text("plain")
    (root / "deep/file").chmod(0o750)
    (root / "away").symlink_to(tmp_path / "outside")
    (root / "deep/link").symlink_to(tmp_path / "outside/secret")
    os.mkfifo(root / "pipe")
    return root


@pytest.mark.parametrize("path", ["away/secret", "deep/link", "deep/file/below", "pipe", "../outside/secret", "deep"])
def test_nothing_is_read_through_a_link(root: Path, path: str) -> None:
    """G3: links, pipes, folders and the way up are refused at the moment of use, and nothing blocks."""
    with pytest.raises(BadInput):
        beneath.read(root, path)


@pytest.mark.parametrize("path", ["away/new", "away/a/new", "deep/file/new", "../new"])
def test_nothing_is_written_through_a_link(root: Path, path: str) -> None:
    """G3: a folder that is a link now is not entered, nor are folders made behind it."""
    with pytest.raises(BadInput):
        beneath.write(root, path, b"x")
    assert sorted(p.name for p in (root.parent / "outside").iterdir()) == ["secret"]
    assert not (root.parent / "new").exists()


def test_files_are_read_and_replaced(root: Path) -> None:
    """Content, a bound, permission bits, new folders; a link in the place of the file is replaced, not followed."""
    assert beneath.read(root, "deep/file") == b"plain"
    assert beneath.read(root, "deep/file", most=2) == b"pla"
    assert beneath.read(root, "deep/none") is None
    assert beneath.read(root, "none/none") is None
    beneath.write(root, "deep/file", b"new")
    beneath.write(root, "a/b/c", b"x")
    beneath.write(root, "deep/link", b"own")
    assert (root / "deep/file").read_text() == "new"
    assert (root / "deep/file").stat().st_mode & 0o777 == 0o750
    assert (root / "a/b/c").read_text() == "x"
    assert not (root / "deep/link").is_symlink()
    assert (root.parent / "outside/secret").read_text() == "secret"
    assert not list(root.rglob(".lao-*.tmp"))


def test_an_edit_is_recorded_and_done_once(root: Path) -> None:
    """The effect of the journal: intent, write, look; done twice it is the same."""
    write = BeneathWrite(root, "deep/file", lambda old: (old or b"") + b"!")
    intent = write.prepare()
    assert write.probe(intent) is None
    assert write.apply(intent) == write.apply(intent) == write.probe(intent)
    assert (root / "deep/file").read_text() == "plain!"
    gone = BeneathWrite(root, "none/x", "y")
    assert gone.probe(gone.prepare()) is None


def test_a_failure_leaves_nothing(root: Path) -> None:
    """The old file stays and no temporary is left."""
    (root / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        beneath.write(root, "folder", b"x")
    assert not list(root.rglob(".lao-*.tmp"))
