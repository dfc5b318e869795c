"""``lao doctor``, group State: the state file, its schema, its backups and its log. Only reads."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from lao.cli.doctor.rows import Check
from lao.cli.doctor.scene import Scene

LARGE_LOG_MB: Final = 64
OLD_BACKUP_S: Final = 3 * 24 * 3600.0
_MB: Final = 1_000_000


def examine(scene: Scene) -> list[Check]:
    """The rows ``file``, ``schema``, ``integrity``, ``backup`` and ``log``."""
    return _file(scene.settings.paths.database)


def _file(path: Path) -> list[Check]:
    from lao.core.errors import LaoError, Refused
    from lao.state import guard
    from lao.state.store import explain

    try:
        guard.examine(path)
    except Refused as error:
        return [Check("schema", "fail", error.message, error.hint)]
    except (LaoError, sqlite3.Error, OSError) as error:
        problem = explain(error, path)
        return [Check("file", "fail", problem.message, problem.hint)]
    if not path.exists():
        return [Check("file", "ok", f"{path} is not there yet; the first plan makes it")]
    size = path.stat().st_size / _MB
    return [Check("file", "ok", f"{path}, {size:.1f} MB"), *_inside(path), _backup(path), _log(path)]


def _inside(path: Path) -> list[Check]:
    from lao.state import backups
    from lao.state.migrations import MIGRATIONS
    from lao.state.store import explain

    try:
        with backups.open_read_only(path) as db:
            schema = backups.schema_of(db)
            found = [str(row[0]) for row in db.execute("PRAGMA integrity_check(3)")]
            orphans = len(db.execute("PRAGMA foreign_key_check").fetchall())
    except sqlite3.Error as error:
        problem = explain(error, path)
        return [Check("integrity", "fail", problem.message, problem.hint)]
    old = schema < len(MIGRATIONS)
    note = f", upgraded to {len(MIGRATIONS)} by the next command (a backup is made first)" if old else ""
    checks = [Check("schema", "ok", f"{schema}{note}")]
    if found == ["ok"] and not orphans:
        return [*checks, Check("integrity", "ok", "every page, row, index and reference is in order")]
    text = "; ".join(" ".join(line.split()) for line in found if line != "ok")
    text += f"{'; ' if text else ''}{orphans} rows refer to nothing" if orphans else ""
    return [*checks, Check("integrity", "fail", text, backups.advice(path))]


def _backup(path: Path) -> Check:
    import time

    from lao.state import backups

    there = backups.every(path)
    good = backups.newest_good(path)
    if good is None:
        remedy = "the cpu worker makes one when nothing is left to do; keep 'lao run' up until then"
        if there:
            return Check("backup", "fail", f"none of {len(there)} backups is good", "check the disk; " + remedy)
        return Check("backup", "warn", "there is none yet", remedy)
    text = f"{good.path} ({good.when}), {len(there)} in all"
    if good != there[0]:
        return Check("backup", "warn", f"{there[0].path} is damaged; the newest good one is {text}", "check the disk")
    if time.time() - good.at > OLD_BACKUP_S:
        return Check("backup", "warn", text, "older than three days: it is made while workers run and nothing is left")
    return Check("backup", "ok", text)


def _log(path: Path) -> Check:
    log = Path(f"{path}-wal")
    size = log.stat().st_size / _MB if log.exists() else 0.0
    if size > LARGE_LOG_MB:
        remedy = "something keeps the state open for reading: end programs such as sqlite3 that look into it"
        return Check("log", "warn", f"the write-ahead log is {size:.0f} MB", remedy)
    return Check("log", "ok", f"the write-ahead log is {size:.1f} MB")
