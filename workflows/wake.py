"""Turns ready runs into queue messages. A message carries ids only; a lost one is made again by the reconciler."""

from __future__ import annotations

from lao.state import runs
from lao.state.store import Store
from workflows import queues


def wake(store: Store, run_id: int) -> None:
    """Enqueue the run, chained with the runs that follow it: ``code.then(verify).then(review)``."""
    message = None
    for phase, chained in runs.chain(store, run_id):
        task = queues.task_for(phase, chained)
        message = task if message is None else message.then(task)
    if message is not None:
        message.priority = runs.priority(store, run_id) or message.priority
        queues.cpu.enqueue(message)
