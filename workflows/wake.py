"""Turns ready runs into queue messages. A message carries ids only; a lost one is made again by the reconciler."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable

from lao.state import runs
from lao.state.store import Store
from workflows import queues

log = logging.getLogger("lao")


def wake_all(store: Store, run_ids: Iterable[int]) -> None:
    """Enqueue the runs of what a person or a file has asked for. That is committed: where the queue's file cannot be
    written now, it is said, and the reconciler wakes them."""
    try:
        for run_id in run_ids:
            wake(store, run_id)
    except sqlite3.Error as error:
        log.warning("the queue's file cannot be written (%s); what was asked for is kept, workers will find it", error)


def wake(store: Store, run_id: int) -> None:
    """Enqueue the run, chained with the runs that follow it: ``code.then(verify).then(review)``."""
    message = None
    for phase, chained in runs.chain(store, run_id):
        task = queues.task_for(phase, chained)
        message = task if message is None else message.then(task)
    if message is not None:
        message.priority = runs.priority(store, run_id) or message.priority
        queues.cpu.enqueue(message)
