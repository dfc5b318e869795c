"""Huey's SQLite storage with LAO's settings, and the gpu queue's order of work: stay with the resident model."""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from huey.storage import SqliteStorage

from workflows.serializer import peek_name


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
        return connection

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


class Affinity:
    """Chooses what the GPU does next: the resident model's work first, up to its wave; then the longest line.

    Args:
        model_of: maps a task name to the key of the model that it needs.
        wave_of: maps a task name to the most phases in a row while other models have work (None: no bound).
        resident: the model that was loaded last, asked once, at the first choice.
    """

    def __init__(
        self,
        model_of: Callable[[str], str],
        wave_of: Callable[[str], int | None],
        resident: Callable[[], str] = lambda: "",
    ) -> None:
        self._model_of, self._wave_of, self._ask_resident = model_of, wave_of, resident
        self._resident: str | None = None
        self._streak = 0

    def choose(self, waiting: list[tuple[int, str, float]]) -> int:
        """The id of the message to take out of (id, task name, priority) rows, best first."""
        if self._resident is None:
            self._resident = self._ask_resident()
        top = waiting[0][2]
        urgent = [row for row in waiting if row[2] == top]
        lines: dict[str, list[tuple[int, str, float]]] = {}
        for row in urgent:
            lines.setdefault(self._model_of(row[1]), []).append(row)
        mine = lines.get(self._resident, [])
        limit = self._wave_of(mine[0][1]) if mine else None
        wave_over = limit is not None and self._streak >= limit and len(lines) > 1
        if mine and not wave_over:
            self._streak += 1
            return mine[0][0]
        others = {model: line for model, line in lines.items() if model != self._resident} or lines
        model, line = max(others.items(), key=lambda item: (len(item[1]), -item[1][0][0]))
        self._resident, self._streak = model, 1
        return line[0][0]


class GpuStorage(QueueStorage):
    """The gpu queue: what to do next is chosen by affinity to the resident model."""

    def __init__(self, name: str, locate: Callable[[], Path], affinity: Affinity, **kwargs: Any) -> None:
        self._affinity = affinity
        super().__init__(name, locate, **kwargs)

    def dequeue(self) -> bytes | None:
        select = "select id, data, priority from task where queue = ? order by priority desc, id"
        if not self.sql("select 1 from task where queue = ? limit 1", (self.name,), results=True):
            return None
        with self.db(commit=True) as cursor:
            cursor.execute(select, (self.name,))
            rows = {row[0]: row for row in cursor.fetchall()}
            if not rows:
                return None
            chosen = self._affinity.choose([(i, peek_name(data), priority) for i, data, priority in rows.values()])
            cursor.execute("delete from task where id = ?", (chosen,))
            data: bytes = rows[chosen][1]
            return data
