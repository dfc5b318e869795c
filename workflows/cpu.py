"""``huey_consumer workflows.cpu.huey``: ingest, verify, whole, close, the cron tasks. Importing it touches no file."""

from workflows import cron, phases
from workflows.queues import cpu as huey
from workflows.services import make_consumer

huey.consumer_maker = make_consumer

__all__ = ["cron", "huey", "phases"]
