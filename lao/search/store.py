"""The index's file: its tables, its opening, and its replacement when it is damaged. A cache; may be deleted any time.

Not part of the state (``lao.state``): nothing is lost with it, and nothing waits for it.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, TypeVar

log = logging.getLogger("lao")

NAME: Final = "index.db"
SCHEMA: Final = 1
"""Raised whenever tables, words or chunks are made in another way: an older file is made anew."""

_WAIT_S: Final = 30.0
_TABLES: Final = """
CREATE TABLE folders(id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE);
CREATE TABLE files(folder INTEGER NOT NULL, path INTEGER NOT NULL, content INTEGER, stamp TEXT NOT NULL,
  note TEXT NOT NULL, PRIMARY KEY(folder, path)) WITHOUT ROWID;
CREATE INDEX files_content ON files(content);
CREATE TABLE paths(id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);
CREATE VIRTUAL TABLE path_words USING fts5(words, tokenize='porter unicode61');
CREATE TABLE contents(id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, tags TEXT NOT NULL);
CREATE TABLE chunks(id INTEGER PRIMARY KEY, content INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL);
CREATE INDEX chunks_content ON chunks(content);
CREATE VIRTUAL TABLE chunk_words USING fts5(names, words, tokenize='porter unicode61');
CREATE TABLE vectors(model TEXT NOT NULL, chunk INTEGER NOT NULL, signs BLOB NOT NULL, vector BLOB NOT NULL,
  PRIMARY KEY(model, chunk));
"""

Answer = TypeVar("Answer")


class _Damaged(Exception):
    """The file is no index, or one of another version of LAO."""


class IndexFile:
    """The index of a project; one for all its workspaces and desks.

    Args:
        path: of the file; None keeps an index in memory, for one use.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def use(self, work: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """What ``work`` gives with a connection in autocommit mode. It may be called twice.

        A file that is damaged is made anew; where no file can be used (disk full, no permission), an index in memory
        stands in for it, and the log says why. Processes and threads may do this at once.
        """
        if self.path is None:
            return _in_memory(work)
        for last in (False, True):
            seen = _identity(self.path)
            try:
                with self._opened() as db:
                    return work(db)
            except (sqlite3.Error, _Damaged, OSError) as error:
                if last or not _is_damage(error):
                    log.warning("the index %s cannot be used, searching without it: %s", self.path, error)
                    return _in_memory(work)
                log.info("the index %s is made anew: %s", self.path, error)
            try:
                self._replace(seen)
            except OSError as error:
                log.warning("the index %s cannot be made anew, searching without it: %s", self.path, error)
                return _in_memory(work)
        raise AssertionError("unreachable")

    def forget(self) -> None:
        """Begin with an empty index. Raises OSError when the file cannot be removed."""
        if self.path is not None and self.path.exists():
            self._replace(_identity(self.path))

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """A connection to a sound file with tables. The lock keeps others from replacing the file meanwhile."""
        assert self.path is not None
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with _locked(self.path.with_suffix(".lock"), exclusive=False), closing(_connect(self.path)) as db:
            _prepare(db)
            yield db

    def _replace(self, seen: tuple[int, int] | None) -> None:
        """Remove the file, unless another process has done so since it was ``seen``."""
        assert self.path is not None
        with _locked(self.path.with_suffix(".lock"), exclusive=True):
            if _identity(self.path) == seen:
                for end in ("", "-wal", "-shm"):
                    self.path.with_name(self.path.name + end).unlink(missing_ok=True)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _in_memory(work: Callable[[sqlite3.Connection], Answer]) -> Answer:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        _prepare(db)
        return work(db)


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        return db
    except sqlite3.Error:
        db.close()
        raise


def _prepare(db: sqlite3.Connection) -> None:
    if db.execute("PRAGMA user_version").fetchone()[0] == SCHEMA:
        return
    with transaction(db):
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == SCHEMA:
            return  # another process was faster
        if version or db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
            raise _Damaged(f"its format is {version}, that of this version of LAO {SCHEMA}")
        for statement in _TABLES.split(";"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version={SCHEMA}")


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; waits for another writer."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _is_damage(error: Exception) -> bool:
    """Whether a new file would help: not when it is busy, cannot be written, or the disk is full."""
    if isinstance(error, sqlite3.OperationalError):
        told = str(error)
        return told.startswith(("no such", "disk I/O error", "malformed")) or "malformed" in told
    return isinstance(error, (sqlite3.DatabaseError, _Damaged)) and not isinstance(error, sqlite3.ProgrammingError)


@contextmanager
def _locked(path: Path, *, exclusive: bool) -> Iterator[None]:
    """Hold the lock; it ends with the process, however that ends. Where the system has no such locks, nobody waits."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def vector_sizes(path: Path, model: str) -> set[int]:
    """How many numbers the vectors of a model have that are kept; empty without an index. The file is only read.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    if not path.exists():
        return set()
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=2.0)) as db:
        rows = db.execute("SELECT DISTINCT length(vector) / 2 FROM vectors WHERE model = ?", (model,))
        return {int(size) for (size,) in rows}
