"""Folders and names that last: what a power cut may take is only what no sync has covered."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def user_home() -> Path:
    """The user's home; where the system knows none, a path that is no folder, so that nothing is found there."""
    return Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home raises where there is none


def make_folders(folder: Path) -> None:
    """Create ``folder`` with its parents and make each new directory entry durable.

    Raises:
        OSError: what the system says.
    """
    missing: list[Path] = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        sync_folder(new.parent)


def sync_folder(folder: Path) -> None:
    """fsync a directory; silently nothing where the system has no such call (Windows)."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(file: Path) -> None:
    """fsync a file's content, whoever wrote it; nothing when there is no such file.

    Raises:
        OSError: it is not synced. A fresh copy is in its place then: the system may take for written what it could not
            write (https://lwn.net/Articles/752063), so that the next sync of the same file would mean nothing.
    """
    try:
        handle = os.open(file, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    except FileNotFoundError:
        return
    try:
        os.fsync(handle)
    except OSError:
        _write_anew(file)
        raise
    finally:
        os.close(handle)


def _write_anew(file: Path) -> None:
    copy = file.with_name(f"tmp_obj_{os.getpid()}")  # git clears such names away
    try:
        shutil.copy2(file, copy)
        copy.replace(file)
    finally:
        copy.unlink(missing_ok=True)


def sync_tree(folder: Path) -> None:
    """fsync all files and folders of a small tree; links are not followed."""
    for place, _, names in os.walk(folder):
        for name in names:
            file = Path(place) / name
            if not file.is_symlink():
                sync_file(file)
        sync_folder(Path(place))
