"""Space on a disk: when it counts as full, and whether there is enough of it to begin something."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from lao.core.errors import DiskFull

_MB: Final = 1024 * 1024
FULL_MB: Final = 1.0
"""With less than this a failure of git or of a command says nothing about the work: MB."""


def free_mb(folder: Path) -> float:
    """What can still be written where ``folder`` is, or will be: MB; infinite when the system does not say."""
    for place in (folder, *folder.absolute().parents):
        try:
            return shutil.disk_usage(place).free / _MB
        except FileNotFoundError:
            continue
        except OSError:
            break
    return float("inf")


def is_full(folder: Path) -> bool:
    return free_mb(folder) < FULL_MB


def require(folder: Path, least_mb: float) -> None:
    """Raise DiskFull when less than ``least_mb`` MB is free there."""
    free = free_mb(folder)
    if free < least_mb:
        raise DiskFull(
            f"disk full: {free:.0f} MB free in {str(folder)!r}, {least_mb:.0f} MB needed",
            "free some space; LAO goes on by itself (the limit: orchestration.min_free_disk_mb)",
        )
