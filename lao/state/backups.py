"""Backups of the state file: made whole, found, checked, thinned out, put back. Does not decide when."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lao.core.errors import BadInput, LaoError
from lao.core.folders import make_folders, sync_file, sync_folder

KEPT: Final = 7
_NAME: Final = re.compile(r"^(?P<stem>.+)-(?P<schema>\d+)-(?P<time>\d{8}T\d{6}Z)\.db$")
_TIME: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, order=True)
class Backup:
    """One backup; the later one is the greater.

    Attributes:
        at: when it was made, seconds since the epoch, as its name says.
    """

    at: float
    schema: int
    path: Path

    @property
    def when(self) -> str:
        return dt.datetime.fromtimestamp(self.at, dt.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def folder(state: Path) -> Path:
    """Where the backups of this state file are."""
    return state.with_name("backups")


def every(state: Path) -> tuple[Backup, ...]:
    """The backups of this state file, the newest first; whether they are any good is not looked at."""
    found = []
    with contextlib.suppress(OSError):
        for entry in folder(state).iterdir():
            match = _NAME.match(entry.name)
            if match and match["stem"] == state.stem:
                with contextlib.suppress(ValueError):
                    found.append(Backup(_seconds(match["time"]), int(match["schema"]), entry))
    return tuple(sorted(found, reverse=True))


def newest_good(state: Path) -> Backup | None:
    """The newest backup that SQLite finds nothing wrong with."""
    return next((backup for backup in every(state) if problem_of(backup.path) is None), None)


def problem_of(path: Path) -> str | None:
    """What is wrong with a file as a state database, None for nothing. It is only read."""
    try:
        with open_read_only(path) as db:
            found = [str(row[0]) for row in db.execute("PRAGMA quick_check(1)")]
            if found != ["ok"]:
                return found[0] if found else "the check said nothing"
            return None if schema_of(db) else "it is no state file of LAO"
    except (sqlite3.Error, OSError) as error:
        return str(error)


@contextlib.contextmanager
def open_read_only(path: Path, timeout_s: float = 5.0) -> Iterator[sqlite3.Connection]:
    """A connection that cannot change the database nor fold its write-ahead log into it when it is closed."""
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=timeout_s, isolation_level=None)
    try:
        yield db
    finally:
        db.close()


def schema_of(db: sqlite3.Connection) -> int:
    """The schema of a state file, 0 when it is none. Raises sqlite3.Error."""
    return _number(db, "schema")


def mark_of(db: sqlite3.Connection) -> int:
    """The mark in a state file (``lao.state.guard``), 0 when there is none. Raises sqlite3.Error."""
    return _number(db, "mark")


def marked(backup: Backup) -> int | None:
    """The mark in a backup, None when it cannot be read."""
    try:
        with open_read_only(backup.path) as db:
            return mark_of(db)
    except (sqlite3.Error, ValueError):
        return None


def _number(db: sqlite3.Connection, key: str) -> int:
    if not db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'lao_meta'").fetchone():
        return 0
    row = db.execute("SELECT value FROM lao_meta WHERE key = ?", (key,)).fetchone()
    return int(row[0]) if row else 0


def make(state: Path, now: float) -> Backup:
    """Write a backup of what is committed now: whole or not at all, on the disk when this returns.

    Writers are not held up. Older backups are thinned out: the last seven stay, and the last one of each schema.

    Raises:
        sqlite3.Error, OSError: it could not be written (``lao.state.store.explain`` puts it in words).
        BadInput: what was written is not good.
    """
    place = folder(state)
    make_folders(place)
    temporary = place / f".{state.stem}-{os.getpid()}.tmp"
    temporary.unlink(missing_ok=True)
    try:
        with open_read_only(state, 30.0) as db:
            db.execute("VACUUM INTO ?", (str(temporary),))
        with open_read_only(temporary) as db:
            schema = schema_of(db)
        problem = problem_of(temporary)
        if problem is not None:
            raise BadInput(
                f"the backup of {str(state)!r} came out damaged ({problem})", "check the disk and its cables"
            )
        temporary.chmod(0o600)
        at = _after_all(state, now)
        final = place / f"{state.stem}-{schema}-{dt.datetime.fromtimestamp(at, dt.timezone.utc):{_TIME}}.db"
        put(temporary, final)
    finally:
        for leftover in (temporary, *(Path(f"{temporary}-{part}") for part in ("wal", "shm", "journal"))):
            leftover.unlink(missing_ok=True)
    thin_out(state)
    return Backup(float(int(at)), schema, final)


def _after_all(state: Path, now: float) -> float:
    """``now``, but later than every backup that there is: one made while the clock was ahead must not stay the newest,
    to be restored first and thinned out last."""
    newest = next(iter(every(state)), None)
    return now if newest is None else max(now, newest.at + 1)


def thin_out(state: Path) -> None:
    """Remove all backups but the last seven and the last one of each schema."""
    there = every(state)
    last = {backup.schema: backup for backup in reversed(there)}
    for backup in there[KEPT:]:
        if last[backup.schema] != backup:
            backup.path.unlink(missing_ok=True)


def put(temporary: Path, final: Path) -> None:
    """Make a finished file durable under its name. Raises OSError."""
    sync_file(temporary)
    temporary.replace(final)
    sync_folder(final.parent)


def advice(state: Path) -> str:
    """The sentence that says how to go on after damage: the newest good backup and the command."""
    backup = newest_good(state)
    if backup is None:
        return (
            f"there is no good backup in {str(folder(state))!r}; copy the file away, then try "
            f"'sqlite3 {state.name} .recover', or move it away with its -wal and -mark to begin anew"
        )
    return (
        f"the newest good backup is {str(backup.path)!r} ({backup.when}); "
        f"'lao restore' puts it in place and keeps this file aside"
    )


def restore(state: Path, backup: Path, schemas: int, now: float) -> Path | None:
    """Put a backup in the place of the state file, which is kept aside. Nobody may have the state open.

    A kill in the middle leaves no state file and the mark, so that the next start refuses and says what to do.

    Args:
        schemas: the newest schema that this LAO knows.

    Returns: where the file that was there is now, None when there was none.

    Raises:
        BadInput: the backup is no good.
        LaoError: the system would not do it.
    """
    problem = problem_of(backup) if backup.is_file() else "there is no such file"
    if problem is not None:
        raise BadInput(f"{str(backup)!r} cannot be restored: {problem}", f"see {str(folder(state))!r} for others")
    with open_read_only(backup) as db:
        schema, mark = schema_of(db), mark_of(db)
    if schema > schemas:
        raise BadInput(f"{str(backup)!r} has schema {schema}, this LAO knows {schemas}", "upgrade LAO, or take another")
    temporary = state.with_name(f".{state.name}.restoring")
    aside = state.with_name(f"{state.name}.aside-{dt.datetime.fromtimestamp(now, dt.timezone.utc):{_TIME}}")
    try:
        make_folders(state.parent)
        temporary.unlink(missing_ok=True)
        with open_read_only(backup) as db:  # also a backup with a write-ahead log of its own comes whole
            db.execute("VACUUM INTO ?", (str(temporary),))
        temporary.chmod(0o600)
        sync_file(temporary)
        moved = _set_aside(state, aside)
        write_mark(state, mark)
        put(temporary, state)
    except (OSError, sqlite3.Error, shutil.Error) as error:
        raise LaoError(
            f"could not restore {str(state)!r}: {error}", "nothing was deleted; mend that, then 'lao restore' again"
        ) from error
    return aside if moved else None


def _set_aside(state: Path, aside: Path) -> bool:
    """Move the file away first and its logs after it: until the end there is a log without a file, which is refused."""
    moved = False
    for part in ("", "-wal", "-journal", "-shm"):
        source = Path(f"{state}{part}")
        if source.exists():
            source.rename(f"{aside}{part}")
            moved = True
    sync_folder(state.parent)
    return moved


def mark_file(state: Path) -> Path:
    """The witness beside the state file."""
    return Path(f"{state}-mark")


def write_mark(state: Path, mark: int) -> None:
    """Make the witness say ``mark``, durably. Raises OSError."""
    final = mark_file(state)
    temporary = final.with_name(f".{final.name}-{os.getpid()}-{os.urandom(4).hex()}.tmp")
    try:
        temporary.write_text(f"{mark}\n", encoding="ascii")
        put(temporary, final)
    finally:
        temporary.unlink(missing_ok=True)


def _seconds(text: str) -> float:
    return dt.datetime.strptime(text, _TIME).replace(tzinfo=dt.timezone.utc).timestamp()
