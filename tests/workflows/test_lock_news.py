"""A lock that lasts is said once by a worker, in one line."""

from __future__ import annotations

import logging
import sqlite3

from huey.consumer import Scheduler, Worker

from lao.core.clock import FakeClock
from lao.state.store import LOCKED
from workflows.lock_news import LOGGERS, SPELL_S, LockNews


def record(text: str, error: BaseException | None = None) -> logging.LogRecord:
    exc_info = (type(error), error, None) if error else None
    return logging.LogRecord("huey", logging.ERROR, "file", 1, text, (), exc_info)


def test_a_lock_is_said_once_and_without_a_traceback() -> None:
    """T8: the first record of a lock is one line; those that follow are dropped until it has been quiet for long."""
    clock = FakeClock()
    news = LockNews(clock.monotonic)
    first = record("Error reading from queue", sqlite3.OperationalError("database is locked"))
    assert news.filter(first)
    assert (first.levelname, first.exc_info) == ("WARNING", None)
    assert LOCKED in first.getMessage()
    clock.wait(30)
    assert not news.filter(record(f"reconciler: state file '.lao/queue.db' {LOCKED}"))
    assert news.filter(record(f"guard of the state: state file 'x' {LOCKED}")), "that is another file"
    assert not news.filter(record(f"reconciler: state file 'x' {LOCKED}"))
    clock.wait(SPELL_S)
    assert news.filter(record(f"reconciler: state file 'x' {LOCKED}"))


def test_everything_else_is_shown() -> None:
    """Other records, and other errors of SQLite, pass as they are."""
    news = LockNews()
    error = sqlite3.OperationalError("no such table")
    assert all(news.filter(record("failed", error)) for _ in range(2))
    assert all(news.filter(record("done")) for _ in range(2))


def test_every_logger_of_huey_s_threads_has_the_filter() -> None:
    """T8: found by a lock of a minute: the scheduler's tracebacks came by a logger of its own."""
    threads = (Worker(None, None, 0.1, 1.0, 1.15), Scheduler(None, None, 1, False))
    assert {thread._logger.name for thread in threads} <= set(LOGGERS)
