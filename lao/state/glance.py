"""What a project's state says at a glance, for whoever looks at many projects. Opens no store and leaves no trace.

A ``Store`` would create and migrate the file, and binds the tables to it, which another project's may be bound to.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lao.core.errors import StateDamaged, Transient
from lao.core.states import PILOT_PLAN, TERMINAL_PLANS, PlanState, RunState, TaskState
from lao.state import backups, guard
from lao.state.migrations import refuse_newer
from lao.state.store import explain

BUSY_S: Final = 1.0
_ROUNDS: Final = 3
_OVER: Final = tuple(sorted(state.value for state in TERMINAL_PLANS))
_OPEN_RUNS: Final = (RunState.READY.value, RunState.RUNNING.value)
_GIVEN_UP: Final = (PlanState.CANCELLED.value, PlanState.COMPLETED.value)


@dataclass(frozen=True)
class Glance:
    """One look at a state.

    Attributes:
        plans: how many are in which state, by its name.
        failed: names of plans that failed and that no later version has replaced.
        parked_plans: names of plans that need a person and have no task that does.
        parked: (plan's name, task's number, its title) of tasks that need a person.
        questions: open questions of models.
        waiting: runs that are at work or could be, but for those that are paused.
        workers: (queue, owner, pid) as they registered; what was killed is among them.
        rejected: plan files that could not be taken.
        paused: nothing at all is begun.
    """

    plans: Mapping[str, int] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    parked_plans: tuple[str, ...] = ()
    parked: tuple[tuple[str, int, str], ...] = ()
    questions: int = 0
    waiting: int = 0
    workers: tuple[tuple[str, str, int], ...] = ()
    rejected: int = 0
    paused: bool = False


def glance(path: Path) -> Glance:
    """Read the state file of any project; nothing at all when there is none.

    Raises:
        StateDamaged: it cannot be trusted. BadInput: it is another program's, or may not be read.
        Refused: it is a newer LAO's. Transient: it is locked.
    """
    try:
        if not path.exists() or not path.stat().st_size:
            guard.examine(path)
            return Glance()
        for _ in range(_ROUNDS):
            before = _look(path)
            found = _read(path, alone=before.log == 0)
            if before.log or _look(path) == before:
                return found
    except (OSError, sqlite3.Error) as error:
        raise explain(error, path) from error
    except (ValueError, TypeError) as error:  # text that is none, a number that is none: nobody but a disk writes those
        raise StateDamaged(f"{str(path)!r} holds what LAO does not write ({error})", backups.advice(path)) from error
    raise Transient(f"state file {str(path)!r} changes all the time", "look again in a moment")


@dataclass(frozen=True)
class _Look:
    log: int
    changed: int
    size: int


def _look(path: Path) -> _Look:
    log = Path(f"{path}-wal")
    status = path.stat()
    return _Look(log.stat().st_size if log.exists() else 0, status.st_mtime_ns, status.st_size)


@contextlib.contextmanager
def _opened(path: Path, *, alone: bool) -> Iterator[sqlite3.Connection]:
    """A connection that writes nothing. Where there is no write-ahead log, SQLite would make one just to read, which
    ``immutable`` forbids; the caller looks whether somebody wrote meanwhile."""
    if not alone:
        with backups.open_read_only(path, BUSY_S) as db:
            yield db
        return
    db = sqlite3.connect(f"{path.resolve().as_uri()}?immutable=1", uri=True, isolation_level=None)
    try:
        yield db
    finally:
        db.close()


def _read(path: Path, *, alone: bool) -> Glance:
    mark = guard.witness(path) or 0
    with _opened(path, alone=alone) as db:
        db.execute("BEGIN")
        names = {str(row[0]) for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        schema, found = backups.schema_of(db), backups.mark_of(db)
        if not schema:
            guard.examine(path)  # says what it is instead; one that a first opening left half-made is none
            return Glance()
        refuse_newer(schema, str(path))
        if found < mark:
            guard.examine(path)
        return _gathered(db, names)


def _gathered(db: sqlite3.Connection, names: set[str]) -> Glance:
    paused = {str(key) for (key,) in db.execute("SELECT key FROM lao_meta WHERE key = 'paused' OR key LIKE 'paused:%'")}
    needs = TaskState.NEEDS_HUMAN.value
    counted = "SELECT state, COUNT(*) FROM lao_plan WHERE id != ? GROUP BY state"
    replaced = "SELECT supersedes FROM lao_plan WHERE supersedes IS NOT NULL"
    parked = _rows(
        db,
        "SELECT p.name, t.id, t.title FROM lao_task t JOIN lao_plan p ON p.id = t.plan_id WHERE t.state = ? "
        f"AND p.state NOT IN (?, ?) AND p.id NOT IN ({replaced}) ORDER BY t.id",
        needs,
        *_GIVEN_UP,
    )
    of_plans = f"SELECT name FROM lao_plan WHERE state = ? AND id NOT IN ({replaced})"
    without_task = "AND id NOT IN (SELECT plan_id FROM lao_task WHERE state = ?) ORDER BY created_at"
    return Glance(
        plans={str(state): int(n) for state, n in db.execute(counted, (PILOT_PLAN,))},
        failed=_names(db, f"{of_plans} ORDER BY created_at", PlanState.FAILED.value),
        parked_plans=_names(db, f"{of_plans} {without_task}", PlanState.NEEDS_HUMAN.value, needs),
        parked=tuple((str(plan), int(task), str(title)) for plan, task, title in parked),
        questions=_questions(db) if "lao_approval" in names else 0,
        waiting=_waiting(db, paused),
        workers=tuple((str(q), str(o), int(p)) for q, o, p in db.execute("SELECT queue, owner, pid FROM lao_worker")),
        rejected=int(db.execute("SELECT COUNT(*) FROM lao_rejection").fetchone()[0]),
        paused="paused" in paused,
    )


def _questions(db: sqlite3.Connection) -> int:
    query = (
        "SELECT COUNT(*) FROM lao_approval a JOIN lao_run r ON r.id = a.run_id "
        "WHERE a.answer IS NULL AND r.state IN (?, ?)"
    )
    return int(db.execute(query, _OPEN_RUNS).fetchone()[0])


def _waiting(db: sqlite3.Connection, paused: set[str]) -> int:
    marks = ", ".join("?" * len(_OVER))
    query = (
        "SELECT r.plan_id, COUNT(*) FROM lao_run r JOIN lao_plan p ON p.id = r.plan_id "
        f"WHERE r.state IN (?, ?) AND p.state NOT IN ({marks}) AND p.id != ? GROUP BY r.plan_id"
    )
    found = {str(plan): int(number) for plan, number in _rows(db, query, *_OPEN_RUNS, *_OVER, PILOT_PLAN)}
    return 0 if "paused" in paused else sum(n for plan, n in found.items() if f"paused:{plan}" not in paused)


def _rows(db: sqlite3.Connection, query: str, *values: str) -> list[tuple[Any, ...]]:
    return db.execute(query, values).fetchall()


def _names(db: sqlite3.Connection, query: str, *values: str) -> tuple[str, ...]:
    return tuple(str(row[0]) for row in _rows(db, query, *values))
