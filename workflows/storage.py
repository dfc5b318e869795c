"""Huey's SQLite storage with LAO's settings; what the gpu queue hands out next is chosen in ``workflows.order``."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from huey.storage import SqliteStorage

from lao.core.priority import TURN
from workflows import queue_file
from workflows.order import Affinity, Line
from workflows.serializer import peek_name, peek_run
from workflows.slots import Slots

TURNS = "workflows.phases.pilot"
"""The name of the task that turns of the Pilot are."""

_MEND_EVERY_S = 60.0
_INDEX = "create index if not exists task_line on task (queue, priority, name, id)"


class QueueStorage(SqliteStorage):  # type: ignore[misc]  # huey ships no types
    """The queue file, found when it is first used: importing a queue touches nothing.

    A file that turns out to be damaged is moved aside; one that somebody has put in its place, or deleted, is followed.

    Args:
        locate: gives the path of the queue file of the active project.
    """

    def __init__(self, name: str, locate: Callable[[], Path], **kwargs: Any) -> None:
        self._locate = locate
        self._opened = 0
        self._mended_at = -_MEND_EVERY_S
        super().__init__(name, filename="", strict_fifo=True, create_tables=False, timeout=30, **kwargs)

    def _create_connection(self) -> sqlite3.Connection:
        path = self._locate()
        if problem := queue_file.problem_of(path):
            queue_file.set_aside(path, problem)
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        self.filename = str(path)
        self._opened = queue_file.inode(path)
        connection: sqlite3.Connection = super()._create_connection()
        try:
            # NORMAL: a power cut may lose wake-ups, which the reconciler makes again; the state has a file of its own.
            connection.execute("pragma synchronous=1")
            for sql in self.ddl:
                connection.execute(sql)
            _add_columns(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def db(self, commit: bool = False, close: bool = False) -> Iterator[sqlite3.Cursor]:
        """Huey's access to the file, which every other method goes through."""
        path = self._locate()
        if self._conn is not None and queue_file.inode(path) != self._opened:
            self.close()
        try:
            with super().db(commit=commit, close=close) as cursor:
                yield cursor
        except sqlite3.Error as error:
            if queue_file.is_damage(error):
                self._mend(path, str(error))
            raise

    def _mend(self, path: Path, reason: str) -> None:
        """Move the damaged file aside, once a minute at most; whoever used it tries again by itself."""
        if time.monotonic() - self._mended_at >= _MEND_EVERY_S:
            self._mended_at = time.monotonic()
            queue_file.set_aside(path, reason, self._opened)

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        """Store a message with its task's name and its run's id."""
        insert = "insert into task (queue, data, priority, name, run) values (?, ?, ?, ?, ?)"
        self.sql(insert, (self.name, self.to_blob(data), priority or 0, peek_name(data), peek_run(data)), commit=True)

    def add_to_schedule(self, data: bytes, ts: dt.datetime) -> None:
        """Huey's times are UTC without a zone, and ``timestamp()`` would read them as local: an hour wrong at a
        change of daylight saving time."""
        super().add_to_schedule(data, ts.replace(tzinfo=dt.timezone.utc))

    def read_schedule(self, ts: dt.datetime) -> list[bytes]:
        found: list[bytes] = super().read_schedule(ts.replace(tzinfo=dt.timezone.utc))
        return found

    def next_runs(self, by: float) -> set[int]:
        """The runs that the waiting messages wake, and those scheduled until ``by`` (seconds since the epoch), without
        those that follow them in a chain. One scheduled for later is of a clock that was set back since, or torn."""
        waiting = self.sql("select run from task where queue = ?", (self.name,), results=True)
        due = "select data from schedule where queue = ? and timestamp <= ?"
        scheduled = self.sql(due, (self.name, by), results=True)
        return {run for (run,) in waiting} | {peek_run(data) for (data,) in scheduled}


class GpuStorage(QueueStorage):
    """The gpu queue: what to do next is chosen by affinity to the resident model (``workflows.order``).

    The task's name is a column of the table, so that a choice costs nearly the same however many are waiting. A turn of
    the Pilot goes before all, beside what is under way: there is a thread more than ``most`` for it.

    Args:
        most: how many phases may be under way at once, turns of the Pilot left aside.
    """

    def __init__(
        self,
        name: str,
        locate: Callable[[], Path],
        affinity: Affinity,
        slots: Callable[[], Slots],
        most: Callable[[], int] = lambda: 1,
        **kwargs: Any,
    ) -> None:
        self._affinity, self._slots, self._most = affinity, slots, most
        self._choosing = threading.Lock()
        super().__init__(name, locate, **kwargs)

    def dequeue(self) -> bytes | None:
        """The message to work on, or None while there is none or waiting saves a swap. One thread chooses at a time."""
        with self._choosing:
            slots = self._slots()
            slots.end()
            phases, turns = slots.at_work()
            chosen = None if turns else self._next_turn(slots)
            if chosen is None and phases < self._most():
                chosen = self._next_phase(slots)
            if chosen is None:
                return None
            with self.db(commit=True) as cursor:
                cursor.execute("delete from task where id = ? returning data", (chosen.first,))
                row = cursor.fetchone()
            if not row:
                slots.end()
                return None
            return bytes(row[0])

    def _next_turn(self, slots: Slots) -> Line | None:
        """The oldest turn of the Pilot; one is at work at a time."""
        sql = "select min(id), count(*) from task where queue = ? and priority >= ? and name = ?"
        ((first, count),) = self.sql(sql, (self.name, TURN, TURNS), results=True)
        if not count:
            return None
        slots.begin(self._affinity.model_of(TURNS), urgent=True)
        return Line(TURNS, first, count)

    def _next_phase(self, slots: Slots) -> Line | None:
        lines = self._lines()
        chosen = self._choose(lines, slots) if lines else None
        if chosen is not None and not self._affinity.model_of(chosen.name):
            slots.begin("")
        return chosen

    def _choose(self, lines: list[Line], slots: Slots) -> Line | None:
        if slots.model:
            self._affinity.turned_to(slots.model)
        if self._affinity.too_long(slots.waited_s()):
            return None
        return self._affinity.choose(lines, slots.begin)

    def _lines(self) -> list[Line]:
        """The waiting messages of the highest priority that there is, turns of the Pilot left aside."""
        mine = "queue = ? and not (name = ? and priority >= ?)"
        rows = self.sql(
            f"select name, min(id), count(*) from task where {mine} and priority ="
            f" (select priority from task where {mine} order by priority desc limit 1) group by name",
            (self.name, TURNS, TURN) * 2,
            results=True,
        )
        return [Line(*row) for row in rows]


def _add_columns(connection: sqlite3.Connection) -> None:
    """Give the table of messages the columns for their task's name and run, also when it was made without."""
    if not _has_columns(connection):
        connection.execute("begin exclusive")
        if not _has_columns(connection):
            connection.execute("alter table task add column name text not null default ''")
            connection.execute("alter table task add column run integer not null default 0")
            rows = connection.execute("select id, data from task").fetchall()
            found = [(peek_name(bytes(data)), peek_run(bytes(data)), number) for number, data in rows]
            connection.executemany("update task set name = ?, run = ? where id = ?", found)
        connection.execute("commit")
    connection.execute(_INDEX)


def _has_columns(connection: sqlite3.Connection) -> bool:
    return any(row[1] == "run" for row in connection.execute("pragma table_info(task)"))
