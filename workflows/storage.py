"""Huey's SQLite storage with LAO's settings; what the gpu queue hands out next is chosen in ``workflows.order``."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huey.storage import SqliteStorage

from workflows.order import Affinity, Line
from workflows.serializer import peek_name

_INDEX = "create index if not exists task_line on task (queue, priority, name, id)"


class QueueStorage(SqliteStorage):  # type: ignore[misc]  # huey ships no types
    """The queue file, found when it is first used: importing a queue touches nothing.

    Args:
        locate: gives the path of the queue file of the active project.
    """

    def __init__(self, name: str, locate: Callable[[], Path], **kwargs: Any) -> None:
        self._locate = locate
        super().__init__(name, filename="", strict_fifo=True, create_tables=False, timeout=30, **kwargs)

    def _create_connection(self) -> sqlite3.Connection:
        path = self._locate()
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        self.filename = str(path)
        connection: sqlite3.Connection = super()._create_connection()
        # NORMAL: a power cut may lose wake-ups, which the reconciler makes again; the state has a file of its own.
        connection.execute("pragma synchronous=1")
        for sql in self.ddl:
            connection.execute(sql)
        _name_messages(connection)
        return connection

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        """Store a message with its task's name."""
        insert = "insert into task (queue, data, priority, name) values (?, ?, ?, ?)"
        self.sql(insert, (self.name, self.to_blob(data), priority or 0, peek_name(data)), commit=True)

    def add_to_schedule(self, data: bytes, ts: dt.datetime) -> None:
        """Huey's times are UTC without a zone, and ``timestamp()`` would read them as local: an hour wrong at a
        change of daylight saving time."""
        super().add_to_schedule(data, ts.replace(tzinfo=dt.timezone.utc))

    def read_schedule(self, ts: dt.datetime) -> list[bytes]:
        found: list[bytes] = super().read_schedule(ts.replace(tzinfo=dt.timezone.utc))
        return found

    def messages(self) -> list[bytes]:
        """All waiting and scheduled messages."""
        return [bytes(m) for m in (*self.enqueued_items(), *self.scheduled_items())]


class GpuStorage(QueueStorage):
    """The gpu queue: what to do next is chosen by affinity to the resident model (``workflows.order``).

    Messages carry their task's name in a column, so that a choice costs the same however many are waiting.
    """

    def __init__(self, name: str, locate: Callable[[], Path], affinity: Affinity, **kwargs: Any) -> None:
        self._affinity = affinity
        super().__init__(name, locate, **kwargs)

    def dequeue(self) -> bytes | None:
        """The message to work on, or None while there is none or waiting saves a swap."""
        lines = self._lines()
        chosen = self._affinity.choose(lines) if lines else None
        if chosen is None:
            return None
        with self.db(commit=True) as cursor:
            cursor.execute("delete from task where id = ? returning data", (chosen.first,))
            row = cursor.fetchone()
            return row[0] if row else None

    def _lines(self) -> list[Line]:
        """The waiting messages of the highest priority that there is."""
        rows = self.sql(
            "select name, min(id), count(*) from task where queue = ? and priority ="
            " (select max(priority) from task where queue = ?) group by name",
            (self.name, self.name),
            results=True,
        )
        return [Line(*row) for row in rows]


def _name_messages(connection: sqlite3.Connection) -> None:
    """Give the table the column of task names, also when it was made without."""
    if not any(row[1] == "name" for row in connection.execute("pragma table_info(task)")):
        connection.execute("begin exclusive")
        if not any(row[1] == "name" for row in connection.execute("pragma table_info(task)")):
            connection.execute("alter table task add column name text not null default ''")
            rows = connection.execute("select id, data from task").fetchall()
            named = [(peek_name(bytes(data)), number) for number, data in rows]
            connection.executemany("update task set name = ? where id = ?", named)
        connection.execute("commit")
    connection.execute(_INDEX)
