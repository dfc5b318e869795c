"""Looks for projects below a folder, within bounds of depth, time and number. Adds nothing to the list."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lao.core.clock import Clock, SystemClock
from lao.core.errors import BadInput
from lao.durable.files import SKIPPED_FOLDERS
from lao.projects.registry import FILE, is_folder, resolved

DEPTH: Final = 5
SECONDS: Final = 10.0
FOUND_LIMIT: Final = 500


@dataclass(frozen=True)
class Found:
    """What a scan has seen.

    Attributes:
        projects: folders with a factory.yaml, the least deep first.
        folders: how many were looked into.
        unreadable: how many could not be.
        stopped: why it ended before it had seen all ("time", "number"), "" when it had.
    """

    projects: tuple[Path, ...]
    folders: int
    unreadable: int
    stopped: str


def scan(root: Path, *, depth: int = DEPTH, seconds: float = SECONDS, clock: Clock | None = None) -> Found:
    """Look for folders with a ``factory.yaml``: not into hidden folders, links, folders of tools, nor other projects.

    Args:
        depth: how many folders below ``root`` are gone down.
        seconds: after which it ends.

    Raises:
        BadInput: ``root`` is no folder.
    """
    clock = clock or SystemClock()
    top = resolved(root)
    if not is_folder(top):
        raise BadInput(f"{str(root)!r} is not a folder", "name a folder to look into: 'lao projects scan --root DIR'")
    until = clock.monotonic() + seconds
    found: list[Path] = []
    open_folders = deque([(top, 0)])
    seen, unreadable = 0, 0
    while open_folders:
        if clock.monotonic() >= until:
            return Found(tuple(found), seen, unreadable, "time")
        folder, level = open_folders.popleft()
        seen += 1
        try:
            with os.scandir(folder) as entries:
                names = sorted(_worth(entry) for entry in entries)
        except OSError:  # no right to look, or gone meanwhile: counted, and the rest is looked at
            unreadable += 1
            continue
        if FILE in names:
            found.append(folder)
            if len(found) >= FOUND_LIMIT:
                return Found(tuple(found), seen, unreadable, "number")
        if level < depth and (FILE not in names or folder == top):
            open_folders += [(folder / name[:-1], level + 1) for name in names if name.endswith("/")]
    return Found(tuple(found), seen, unreadable, "")


def _worth(entry: os.DirEntry[str]) -> str:
    """``"name/"`` of a folder to go into, ``factory.yaml``, "" for all else."""
    if entry.name == FILE:
        return FILE
    if entry.name.startswith(".") or entry.name in SKIPPED_FOLDERS:
        return ""
    try:
        return f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else ""
    except OSError:  # gone meanwhile
        return ""
