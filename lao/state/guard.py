"""Refuses a state file that cannot be trusted, before it is written to. Owns the mark; repairs nothing.

The mark is a counter in the state that a small file beside it repeats, later and durably. A state file whose counter
is behind that witness has lost acknowledged work: its write-ahead log is missing or torn, or a copy was put in place.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

import peewee as pw

from lao.core.errors import BadInput, StateDamaged
from lao.state import backups
from lao.state.migrations import refuse_newer

BROKEN: Final = ("not a database", "malformed", "file is encrypted", "Could not decode to UTF-8")


def examine(path: Path) -> None:
    """Look at the file without changing it, or its write-ahead log.

    Raises:
        StateDamaged: it is no database, is damaged at the first look, or has lost acknowledged work.
        BadInput: it is a database of another program.
        Refused: it is of a newer schema.
        sqlite3.Error: it cannot be looked at now (locked, no permission).
    """
    mark = witness(path)  # before the file: the witness is written after it
    size, log = _size(path), _size(Path(f"{path}-wal"))
    if not size:
        _refuse_nothing(path, size, log, mark)
        return
    if _was_broken_off(path):
        return
    try:
        with backups.open_read_only(path) as db:
            names = {str(row[0]) for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            schema, found = backups.schema_of(db), backups.mark_of(db)
    except sqlite3.DatabaseError as error:
        raise damage(error, path) or error from error
    except ValueError as error:
        raise StateDamaged(f"{str(path)!r} has no readable schema ({error})", backups.advice(path)) from error
    if names and not schema:
        raise BadInput(
            f"{str(path)!r} is a database, but not a state file of LAO (tables: {', '.join(sorted(names)[:3])})",
            "point paths.database or --db to another file; nothing was changed",
        )
    refuse_newer(schema, str(path))
    _refuse_older(path, found, mark or 0)


def check(path: Path) -> None:
    """Read every page and row of the file (``PRAGMA quick_check``); called when a worker starts.

    A file that a first opening has left half-made is not looked at: nothing is in it, and only a writer can read it.

    Raises:
        StateDamaged: SQLite found something.
        sqlite3.Error: it cannot be looked at now (locked, no permission).
    """
    if _was_broken_off(path):
        return
    try:
        with backups.open_read_only(path) as db:
            found = [str(row[0]) for row in db.execute("PRAGMA quick_check(3)")]
    except sqlite3.DatabaseError as error:
        raise damage(error, path) or error from error
    if found != ["ok"]:
        text = "; ".join(" ".join(line.split()) for line in found)
        raise StateDamaged(f"{str(path)!r} is damaged ({text})", backups.advice(path))


def damage(error: BaseException, path: Path) -> StateDamaged | None:
    """The StateDamaged for an error of SQLite that says so, None for any other."""
    if isinstance(error, StateDamaged):
        return error
    if isinstance(error, (sqlite3.Error, pw.PeeweeException)) and any(text in str(error) for text in BROKEN):
        return StateDamaged(f"{str(path)!r} is not a usable SQLite database ({error})", backups.advice(path))
    return None


def witness(path: Path) -> int | None:
    """The mark that this project has seen, None when it has none; 0 when it cannot be read."""
    try:
        return int(backups.mark_file(path).read_text(encoding="ascii"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return 0


def raise_mark(db: sqlite3.Connection, path: Path) -> int:
    """Count on, in the open transaction of the caller; ``backups.write_mark`` follows after its commit.

    Args:
        db: of the very file at ``path``: tables are bound to the store that was opened last, which may be another.
    """
    mark = max(backups.mark_of(db), witness(path) or 0) + 1
    db.execute("REPLACE INTO lao_meta (key, value) VALUES ('mark', ?)", (str(mark),))
    return mark


def _refuse_nothing(path: Path, size: int | None, log: int | None, mark: int | None) -> None:
    """A file that is missing or empty is a new one, unless there was one before."""
    what = "missing" if size is None else "empty"
    if log:
        raise StateDamaged(
            f"state file {str(path)!r} is {what}, but its write-ahead log holds {log} bytes",
            f"put the file back beside its -wal if you have it; {backups.advice(path)}",
        )
    if mark is not None:
        raise StateDamaged(
            f"state file {str(path)!r} is {what}, though this project has had one",
            f"{backups.advice(path)}; to begin anew remove {str(backups.mark_file(path))!r} as well",
        )


def _refuse_older(path: Path, found: int, mark: int) -> None:
    if found < mark:
        raise StateDamaged(
            f"state file {str(path)!r} is older than this project's work (change {found}, {mark} was acknowledged): "
            "its -wal is missing or damaged, or an older copy was put in place",
            f"put the right -wal beside it if you have it; {backups.advice(path)}; "
            f"to go on with it as it is remove {str(backups.mark_file(path))!r}",
        )


def _was_broken_off(path: Path) -> bool:
    """Whether a first opening was, before the file was switched to WAL: SQLite undoes it when it is opened to write."""
    return bool(_size(Path(f"{path}-journal")))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
