"""Promises of durable files and folders that no power cut needs to show."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from lao.core.folders import sync_file


def test_what_could_not_be_synced_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """T9: after a failed fsync the system may say yes to the next one though nothing was written; so a fresh copy,
    which it still has to write, is in the file's place, with the same content, mode and time. Nothing else is left."""
    file = tmp_path / "object"
    file.write_bytes(b"content")
    file.chmod(0o444)
    before = file.stat()

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="Input/output error"):
        patch.setattr(os, "fsync", broken)
        sync_file(file)
    after = file.stat()
    assert after.st_ino != before.st_ino
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)
    assert file.read_bytes() == b"content"
    assert list(tmp_path.iterdir()) == [file]
    sync_file(file)
    assert file.stat().st_ino == after.st_ino
