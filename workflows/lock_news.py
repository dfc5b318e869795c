"""Says once that another program keeps the state's or the queue's file locked; decides nothing about waiting for it."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from typing import Final

from lao.state.store import BUSY_TIMEOUT_S, LOCKED

SPELL_S: Final = 3 * BUSY_TIMEOUT_S
"""Of two records this close together the second is about the same lock: a statement waits 30 s before it gives up."""

LOGGERS: Final = ("lao", "huey", "huey.consumer", "huey.consumer.Worker", "huey.consumer.Scheduler")
"""A filter of a logger does not see the records of those below it."""


class LockNews(logging.Filter):
    """Lets the first record about a locked file through, as one line, and drops those about the same file that follow
    while it lasts.

    Every thread of a worker that wants to write has one every half a minute, and Huey adds a traceback.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._last = {True: -SPELL_S, False: -SPELL_S}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is shown; it may be changed."""
        error = record.exc_info[1] if record.exc_info else None
        of_queue = isinstance(error, sqlite3.OperationalError) and "locked" in str(error)
        if not of_queue and LOCKED not in record.getMessage():
            return True
        file = of_queue or "queue.db" in record.getMessage()
        before, self._last[file] = self._last[file], self._clock()
        if self._last[file] - before < SPELL_S:
            return False
        if of_queue:
            record.msg, record.args = f"the queue's file {LOCKED}; LAO waits and goes on by itself", ()
            record.exc_info = record.exc_text = None
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


def say_locks_once() -> None:
    """Put the filter on the loggers of a worker."""
    news = LockNews()
    for logger in map(logging.getLogger, LOGGERS):
        if not any(isinstance(known, LockNews) for known in logger.filters):
            logger.addFilter(news)
