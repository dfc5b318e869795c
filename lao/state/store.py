"""Opens the state file with the pragmas that durability needs, and asserts them. Owns connections and write locks."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peewee as pw

from lao.core.clock import Clock, SystemClock
from lao.core.errors import BadInput, DiskFull, LaoError, OutOfResources, Transient
from lao.core.folders import make_folders, sync_folder
from lao.state import backups, guard
from lao.state.acceptance_tables import ACCEPTANCE_TABLES
from lao.state.chat_tables import CHAT_TABLES
from lao.state.migrations import migrate
from lao.state.tables import TABLES

PRAGMAS = {"synchronous": 2, "foreign_keys": 1, "fullfsync": 1}
"""For every connection. With WAL, which stays with the file, FULL means that no acknowledged commit is lost by a power
cut; ``fullfsync`` acts on macOS only."""

ERRORS = (pw.PeeweeException, sqlite3.Error)
"""What SQLite says through a ``Store``, for callers that must not know peewee."""

BUSY_TIMEOUT_S = 30.0
LOCKED = "is locked by another process"
NEEDED_MB = 10
"""What the state may want at once: a write-ahead log up to its checkpoint, and the pages that go back into the file."""

OPEN_TIMEOUT_S, OPEN_POLL_S = 30.0, 0.02
"""Two processes that open a new file at once: switching it to WAL says "locked" without waiting, whatever the busy
timeout is, so opening is tried again."""


class Store:
    """One open state file. Threads get a connection each; close with ``close()`` in the thread that used it.

    Attributes:
        wrote: something was committed by this store since ``mark`` was called last.
    """

    def __init__(self, path: Path, clock: Clock | None = None, timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.path = path
        self.clock: Clock = clock or SystemClock()
        self.db: Any = pw.SqliteDatabase(str(path), pragmas=PRAGMAS, timeout=timeout_s)
        self.db.bind((*TABLES, *CHAT_TABLES, *ACCEPTANCE_TABLES))
        self.wrote = False

    def now(self) -> float:
        return self.clock.now()

    @contextmanager
    def write(self) -> Iterator[None]:
        """A short IMMEDIATE transaction; nested use joins the outer one.

        Raises:
            DiskFull, Transient (locked), StateDamaged, LaoError (any other SQLite error).
        """
        try:
            if self.db.in_transaction():
                yield
            else:
                with self.db.atomic("IMMEDIATE"):
                    yield
                self.wrote = True
        except (*ERRORS, MemoryError) as error:
            raise explain(error, self.path) from error

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Translates SQLite's errors for a block of reads."""
        try:
            yield
        except (*ERRORS, MemoryError) as error:
            raise explain(error, self.path) from error

    def mark(self) -> None:
        """Let the file beside the state witness all that is committed (``lao.state.guard``).

        Raises:
            LaoError: as ``write``; the state is as good as before.
        """
        with self.write():
            mark = guard.raise_mark(self.db.connection(), self.path)
        self.wrote = False
        try:
            backups.write_mark(self.path, mark)
        except OSError as error:
            raise explain(error, self.path) from error

    def marked(self) -> int:
        """The mark that is committed, 0 while there is none."""
        with self.reading():
            return backups.mark_of(self.db.connection())

    def version_of_data(self) -> int:
        """A number of this thread's connection that changes when any other connection has committed."""
        with self.reading():
            return int(self.db.execute_sql("PRAGMA data_version").fetchone()[0])

    def own_changes(self) -> int:
        """How many rows this thread's connection has changed since it was opened."""
        with self.reading():
            return int(self.db.connection().total_changes)

    def back_up(self) -> backups.Backup:
        """Write a backup of what is committed.

        Raises:
            DiskFull, LaoError: it could not be written; there is none then.
        """
        try:
            return backups.make(self.path, self.now())
        except (OSError, sqlite3.Error) as error:
            raise explain(error, backups.folder(self.path)) from error

    def check(self) -> None:
        """Read the whole file; workers do it when they start.

        Raises:
            StateDamaged: something is wrong with it.
        """
        try:
            guard.check(self.path)
        except sqlite3.Error as error:
            raise explain(error, self.path) from error

    def close(self) -> None:
        if not self.db.is_closed():
            self.db.close()


def open_store(
    path: Path, clock: Clock | None = None, timeout_s: float = BUSY_TIMEOUT_S, *, whole: bool = False
) -> Store:
    """Open (and create or migrate) the state file.

    Args:
        timeout_s: how long a statement waits for a lock.
        whole: read the whole file first, as whoever works on it should: once it is open, damage that is found only then
            has been written to, if only by closing it.

    Raises:
        BadInput: the folder cannot be written, or the file is a database of another program.
        StateDamaged: the file is damaged or has lost acknowledged work (``lao.state.guard``); nothing was changed.
        Refused: the file is of a newer schema; nothing was changed.
    """
    store = Store(path, clock, timeout_s)
    deadline = store.clock.monotonic() + OPEN_TIMEOUT_S
    while True:
        try:
            _admit(path, whole=whole)
            return _prepared(store)
        except Transient as error:
            if isinstance(error, DiskFull) or store.clock.monotonic() >= deadline:
                raise
            store.clock.wait(OPEN_POLL_S)


def _admit(path: Path, *, whole: bool) -> None:
    """Only a file that can be trusted, or a new one, is opened for writing."""
    try:
        make_folders(path.parent)
        guard.examine(path)
        if whole and path.exists():
            guard.check(path)
        if not path.exists():
            sync_folder(path.parent.parent)  # whoever has made the folder; SQLite syncs the names in it
            path.touch(mode=0o600)
    except (OSError, sqlite3.Error) as error:
        raise explain(error, path) from error


def _prepared(store: Store) -> Store:
    """The store with its pragmas and its schema; closed again when that fails."""
    try:
        store.db.execute_sql("PRAGMA journal_mode = wal")
        _assert_pragmas(store.db)
        migrate(store.db, str(store.path), store.back_up)
    except ERRORS as error:
        store.close()
        raise explain(error, store.path) from error
    except LaoError:
        store.close()
        raise
    return store


def _assert_pragmas(db: Any) -> None:
    for name, wanted in (("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1)):
        value = db.execute_sql(f"PRAGMA {name}").fetchone()[0]
        if value != wanted:
            raise LaoError(
                f"SQLite did not accept {name}={wanted!r} (it says {value!r})",
                "keep the state file on a local disk: WAL does not work on network file systems",
            )


def explain(error: BaseException, path: Path) -> LaoError:
    """The LaoError that says what happened to the state file and what to do."""
    if isinstance(error, LaoError):
        return error
    text = str(error)
    if "cannot rollback" in text and error.__context__ is not None:
        return explain(error.__context__, path)  # SQLite had rolled back by itself; the first error is the cause
    if "disk is full" in text or getattr(error, "errno", None) == errno.ENOSPC:
        return DiskFull(
            f"disk full: no space left to write {str(path)!r}, at least {NEEDED_MB} MB needed",
            "free some space; LAO goes on by itself",
        )
    broken = "I/O error" in text or getattr(error, "errno", None) == errno.EIO
    if isinstance(error, MemoryError) or broken or ("unable to open" in text and _is_reachable(path)):
        what = "disk I/O error" if broken else text or "out of memory"
        return OutOfResources(
            f"the system does not let LAO use the state file {str(path)!r} ({what})",
            "look at the limits (ulimit -a) and the disk (dmesg); LAO goes on by itself",
        )
    if "locked" in text or "busy" in text:
        return Transient(f"state file {str(path)!r} {LOCKED}", "see 'lao status' for the workers")
    damaged = guard.damage(error, path)
    if damaged is not None:
        return damaged
    if isinstance(error, OSError) or "readonly" in text or "unable to open" in text:
        return BadInput(
            f"cannot write the state file {str(path)!r} ({text})", "check the permissions of its folder, or use --db"
        )
    return LaoError(f"the state file {str(path)!r} reported: {text}", "run 'lao status'; if it stays, report it")


def _is_reachable(path: Path) -> bool:
    """Whether the file is there and may be written: then it is not its place that keeps it from being opened."""
    return path.exists() and os.access(path, os.R_OK | os.W_OK) and os.access(path.parent, os.W_OK)
