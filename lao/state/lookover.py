"""What ``lao doctor`` asks of the state's rows: one read-only look, without the store, which would open it to write."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from lao.core.states import TERMINAL_PLANS, RunState
from lao.core.words import Json
from lao.state import backups, outbox


@dataclass(frozen=True)
class Registered:
    """A worker that has registered itself. ``owner`` as of ``lao.durable.owners``; ``since``: Unix time."""

    queue: str
    owner: str
    pid: int
    since: float


@dataclass(frozen=True)
class Lookover:
    """The state at a glance. Times are Unix times.

    Attributes:
        letters: unreadable messages that were kept, (queue, error, at), the newest first, at most 20.
        waiting: runs of plans that are not paused and could begin now, by the time since when, the oldest first.
        held: runs under way, (run, owner).
        latest: the greatest time in any row, 0.0 for none.
        workspaces: the folders of plans that are not over.
        messages: how those to the person stand, as ``outbox.view``.
    """

    letters: tuple[tuple[str, str, float], ...]
    waiting: tuple[float, ...]
    held: tuple[tuple[int, str], ...]
    workers: tuple[Registered, ...]
    latest: float
    workspaces: tuple[Path, ...]
    messages: dict[str, Json] | None


def look(path: Path) -> Lookover | None:
    """Read the state file; None when there is none.

    Raises:
        sqlite3.Error: it cannot be read, or is of another schema.
    """
    if not path.exists() or not path.stat().st_size:
        return None
    with backups.open_read_only(path, timeout_s=2.0) as db:
        return _look(db)


def _look(db: sqlite3.Connection) -> Lookover:
    over = tuple(state.value for state in TERMINAL_PLANS)
    marks = ",".join("?" * len(over))
    letters = db.execute("SELECT queue, error, at FROM lao_deadletter ORDER BY id DESC LIMIT 20").fetchall()
    waiting = db.execute(
        f"SELECT max(r.created_at, r.not_before) FROM lao_run r JOIN lao_plan p ON p.id = r.plan_id "
        f"WHERE r.state = ? AND r.not_before <= ? AND p.state NOT IN ({marks}) "
        "AND (p.state != 'queued' OR json_extract(p.options, '$.depends_on') IS NULL) "
        "AND NOT EXISTS (SELECT 1 FROM lao_meta m WHERE m.key IN ('paused', 'paused:' || p.id)) ORDER BY 1",
        (RunState.READY.value, time.time(), *over),
    ).fetchall()
    held = db.execute("SELECT id, owner FROM lao_run WHERE state = ? ORDER BY id", (RunState.RUNNING.value,)).fetchall()
    workers = db.execute("SELECT queue, owner, pid, started_at FROM lao_worker ORDER BY queue").fetchall()
    folders = db.execute(f"SELECT workspace FROM lao_plan WHERE state NOT IN ({marks})", over).fetchall()
    (latest,) = db.execute(
        "SELECT max(coalesce((SELECT max(updated_at) FROM lao_plan), 0), "
        "coalesce((SELECT max(at) FROM lao_modelevent), 0), "
        "coalesce((SELECT max(max(created_at, coalesce(finished_at, 0))) FROM lao_run), 0))"
    ).fetchone()
    box = db.execute("SELECT value FROM lao_meta WHERE key = ?", (outbox.KEY,)).fetchone()
    return Lookover(
        tuple((str(queue), str(error), float(at)) for queue, error, at in letters),
        tuple(float(at) for (at,) in waiting),
        tuple((int(run), str(owner)) for run, owner in held),
        tuple(Registered(str(q), str(owner), int(pid), float(at)) for q, owner, pid, at in workers),
        float(latest),
        tuple(sorted({Path(str(folder)) for (folder,) in folders})),
        outbox.shown(str(box[0])) if box else None,
    )
