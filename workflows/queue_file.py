"""The queue's file when it is damaged: it holds nothing but wake-ups, so it is moved aside and the reconciler wakes all
work again. Does not read messages."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import Final

from lao.core.errors import Refused
from lao.durable.owners import FileLock
from lao.state.backups import open_read_only

log = logging.getLogger("lao")

PASSING: Final = ("locked", "busy", "is full", "I/O error", "readonly", "unable to open")
"""What SQLite says of the moment and not of the file."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether this error of SQLite says that the file is not as Huey and LAO made it."""
    told = type(error) in (sqlite3.DatabaseError, sqlite3.OperationalError)
    return told and not any(words in str(error) for words in PASSING)


def problem_of(path: Path) -> str:
    """What SQLite finds wrong with the file, "" for nothing, or where it cannot be looked at now. It is only read."""
    if not path.exists():
        return ""
    try:
        with open_read_only(path) as db:
            found = [str(row[0]) for row in db.execute("PRAGMA quick_check(1)")]
    except sqlite3.Error as error:
        return str(error) if is_damage(error) else ""
    return "" if found == ["ok"] else found[0]


def inode(path: Path) -> int:
    """Which file is there now, 0 for none."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


def set_aside(path: Path, reason: str, opened: int | None = None) -> bool:
    """Move the queue's file away with its log, in place of what was moved there before; False when somebody else did.

    Who has it open notices at its next use that another file is there, and opens that (``QueueStorage``).

    Args:
        opened: the file that was found damaged; another one that is there by now is left alone.

    Raises:
        OSError: the system would not do it.
    """
    try:
        with FileLock(path.with_name("queue.lock"), "the queue's file"):
            there = inode(path)
            if not there or (opened is not None and there != opened):
                return False
            aside = path.with_name(f"{path.name}.damaged")
            for part in ("-wal", "-shm", ""):  # the log first: without it nobody takes it for another file's
                source = Path(f"{path}{part}")
                if source.exists():
                    source.replace(f"{aside}{part}")
    except Refused:
        return False
    log.warning("the queue's file was damaged (%s) and is now %r; all work is woken again", reason, str(aside))
    return True
