"""Promises of lao.durable.files: no torn file, no lost mode, an edit that can be redone."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lao.core.errors import DiskFull
from lao.durable.files import FileWrite, clean_temporaries, create_whole, sha256_of, walk_files, write_atomic


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    """Line ends and non-ASCII text arrive byte for byte, also in folders that did not exist."""
    target = tmp_path / "a" / "b" / "f.txt"
    write_atomic(target, "é\r\nx\n")
    assert target.read_bytes() == "é\r\nx\n".encode()
    assert [p.name for p in target.parent.iterdir()] == ["f.txt"]


def test_mode_is_kept_and_new_files_obey_the_umask(tmp_path: Path) -> None:
    """An executable stays executable; a new file gets the user's default mode, not a temporary file's 0600."""
    script = tmp_path / "run.sh"
    script.write_text("old")
    script.chmod(0o750)
    write_atomic(script, "new")
    assert script.stat().st_mode & 0o777 == 0o750
    old = os.umask(0o027)
    try:
        write_atomic(tmp_path / "new", "x")
    finally:
        os.umask(old)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """No space: DiskFull names the megabytes, the old content stays, no temporary file is left."""
    target = tmp_path / "f"
    target.write_text("old")

    def full(_: int) -> None:
        raise OSError(code, "no space")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match=r"2\.0 MB needed"):
        write_atomic(target, b"x" * 2 * 1024 * 1024)
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_other_failures_pass_as_they_are(tmp_path: Path) -> None:
    """A parent that is a file is the system's own error, and nothing is changed."""
    (tmp_path / "f").write_text("x")
    with pytest.raises(OSError, match="f"):
        write_atomic(tmp_path / "f" / "g", "y")
    assert (tmp_path / "f").read_text() == "x"


def test_hash_of_a_missing_file_is_none(tmp_path: Path) -> None:
    """None means no regular file there; folders count as none."""
    (tmp_path / "f").write_bytes(b"abc")
    assert sha256_of(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "none") is None
    assert sha256_of(tmp_path) is None
    assert sha256_of(tmp_path / "f" / "below") is None


def test_effect_is_probed_after_a_crash(tmp_path: Path) -> None:
    """Before apply the probe knows nothing; afterwards it gives apply's own result, and a redo changes nothing."""
    effect = FileWrite(tmp_path, "d/f.txt", "new\n")
    intent = effect.prepare()
    assert intent["path"] == "d/f.txt"
    assert not (tmp_path / "d").exists()
    assert effect.probe(intent) is None
    result = effect.apply(intent)
    stamp = (tmp_path / "d/f.txt").stat().st_mtime_ns
    assert effect.apply(intent) == result == effect.probe(intent)
    assert (tmp_path / "d/f.txt").stat().st_mtime_ns == stamp
    assert result["before"] is None


def test_effect_redo_uses_the_recorded_content(tmp_path: Path) -> None:
    """What was recorded is written, even when the function would now compute something else."""
    (tmp_path / "f").write_text("1")
    effect = FileWrite(tmp_path, "f", lambda before: (before or b"") + b"+")
    intent = effect.prepare()
    (tmp_path / "f").write_text("torn")
    effect.apply(intent)
    assert (tmp_path / "f").read_text() == "1+"


def test_effect_takes_bytes(tmp_path: Path) -> None:
    """Content that is not UTF-8 survives the journal's JSON."""
    effect = FileWrite(tmp_path, "f", b"\xff\x00")
    effect.apply(effect.prepare())
    assert (tmp_path / "f").read_bytes() == b"\xff\x00"


def test_probe_removes_what_the_dead_writer_left(tmp_path: Path) -> None:
    """A temporary file of a killed writer goes away on resume; one of a live writer stays."""
    (tmp_path / f".lao-{dead_pid()}-ab12.tmp").write_text("half")
    live = tmp_path / f".lao-{os.getpid()}-ab12.tmp"
    live.write_text("half")
    effect = FileWrite(tmp_path, "f", "x")
    effect.probe(effect.prepare())
    assert list(tmp_path.iterdir()) == [live]
    assert clean_temporaries(tmp_path) == 0


def test_walk_is_sorted_bounded_and_skips_tool_folders(tmp_path: Path) -> None:
    """The same listing every time, without dependencies, caches, links or LAO's own folders."""
    for name in ("b.py", "a/z.py", "node_modules/x.js", ".git/config", ".lao/state.db", "a/__pycache__/z.pyc"):
        write_atomic(tmp_path / name, "")
    (tmp_path / "link").symlink_to("/etc")
    (tmp_path / "file-link").symlink_to("b.py")
    assert list(walk_files(tmp_path)) == ["b.py", "a/z.py"]
    assert list(walk_files(tmp_path, limit=1)) == ["b.py"]


@pytest.mark.parametrize("code", [None, errno.EPERM], ids=["links", "no links"])
def test_a_new_file_is_whole_and_an_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None
) -> None:
    """Created with all its text, never over another one, also without hard links; nothing else is left."""

    def refused(source: Path, target: Path) -> None:
        raise OSError(code, os.strerror(code or 0))

    if code is not None:
        monkeypatch.setattr(os, "link", refused)
    assert create_whole(tmp_path / "new", "äb\n")
    assert not create_whole(tmp_path / "new", "other")
    assert (tmp_path / "new").read_bytes() == "äb\n".encode()
    assert [p.name for p in tmp_path.iterdir()] == ["new"]


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the creation somebody else may create it: theirs stays."""
    link = os.link

    def slow(source: Path, target: Path) -> None:
        Path(target).write_text("theirs")
        link(source, target)

    monkeypatch.setattr(os, "link", slow)
    assert not create_whole(tmp_path / "new", "ours")
    assert (tmp_path / "new").read_text() == "theirs"
    assert [p.name for p in tmp_path.iterdir()] == ["new"]
