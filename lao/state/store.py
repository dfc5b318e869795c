"""Opens the state file with the pragmas that durability needs, and asserts them. Owns connections and write locks."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import peewee as pw

from lao.core.clock import Clock, SystemClock
from lao.core.errors import BadInput, DiskFull, LaoError, Transient
from lao.core.folders import make_folders, sync_folder
from lao.state.migrations import migrate
from lao.state.tables import TABLES

PRAGMAS = {"synchronous": 2, "foreign_keys": 1, "fullfsync": 1}
"""For every connection. With WAL, which stays with the file, FULL means that no acknowledged commit is lost by a power
cut; ``fullfsync`` acts on macOS only."""

BUSY_TIMEOUT_S = 30.0
OPEN_TIMEOUT_S, OPEN_POLL_S = 30.0, 0.02
"""Two processes that open a new file at once: switching it to WAL says "locked" without waiting, whatever the busy
timeout is, so opening is tried again."""


class Store:
    """One open state file. Threads get a connection each; close with ``close()`` in the thread that used it."""

    def __init__(self, path: Path, clock: Clock | None = None, timeout_s: float = BUSY_TIMEOUT_S) -> None:
        self.path = path
        self.clock: Clock = clock or SystemClock()
        self.db: Any = pw.SqliteDatabase(str(path), pragmas=PRAGMAS, timeout=timeout_s)
        self.db.bind(TABLES)

    def now(self) -> float:
        return self.clock.now()

    @contextmanager
    def write(self) -> Iterator[None]:
        """A short IMMEDIATE transaction; nested use joins the outer one.

        Raises:
            DiskFull, Transient (locked), BadInput (not a database), LaoError (any other SQLite error).
        """
        try:
            if self.db.in_transaction():
                yield
            else:
                with self.db.atomic("IMMEDIATE"):
                    yield
        except (pw.PeeweeException, sqlite3.Error) as error:
            raise explain(error, self.path) from error

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Translates SQLite's errors for a block of reads."""
        try:
            yield
        except (pw.PeeweeException, sqlite3.Error) as error:
            raise explain(error, self.path) from error

    def close(self) -> None:
        if not self.db.is_closed():
            self.db.close()


def open_store(path: Path, clock: Clock | None = None, timeout_s: float = BUSY_TIMEOUT_S) -> Store:
    """Open (and create or migrate) the state file.

    Args:
        timeout_s: how long a statement waits for a lock.

    Raises:
        BadInput: the folder cannot be written, or the file is no SQLite database.
        Refused: the file is of a newer schema.
    """
    try:
        make_folders(path.parent)
        if not path.exists():
            sync_folder(path.parent.parent)  # whoever has made the folder; SQLite syncs the names in it
            path.touch(mode=0o600)
    except OSError as error:
        raise explain(error, path) from error
    store = Store(path, clock, timeout_s)
    deadline = store.clock.monotonic() + OPEN_TIMEOUT_S
    while True:
        try:
            return _prepared(store)
        except Transient as error:
            if isinstance(error, DiskFull) or store.clock.monotonic() >= deadline:
                raise
            store.clock.wait(OPEN_POLL_S)


def _prepared(store: Store) -> Store:
    """The store with its pragmas and its schema; closed again when that fails."""
    try:
        store.db.execute_sql("PRAGMA journal_mode = wal")
        _assert_pragmas(store.db)
        migrate(store.db, str(store.path))
    except (pw.PeeweeException, sqlite3.Error) as error:
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
    if "disk is full" in text or getattr(error, "errno", None) == 28:
        return DiskFull(f"no space left while writing {str(path)!r}", "free some space; LAO goes on by itself")
    if "locked" in text or "busy" in text:
        return Transient(f"state file {str(path)!r} is locked by another process", "see 'lao status' for the workers")
    if "not a database" in text or "malformed" in text:
        return BadInput(
            f"{str(path)!r} is not a usable SQLite database ({text})",
            "restore a backup or move the file away; plans in the plans folder are taken in again",
        )
    if isinstance(error, OSError) or "readonly" in text or "unable to open" in text:
        return BadInput(
            f"cannot write the state file {str(path)!r} ({text})", "check the permissions of its folder, or use --db"
        )
    return LaoError(f"the state file {str(path)!r} reported: {text}", "run 'lao status'; if it stays, report it")
