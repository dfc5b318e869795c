"""``huey_consumer workflows.gpu.huey``: the phases that need a model, one at a time. Importing it touches no file."""

from workflows import cron, phases
from workflows.queues import gpu as huey
from workflows.services import make_consumer

huey.consumer_maker = make_consumer

__all__ = ["cron", "huey", "phases"]
