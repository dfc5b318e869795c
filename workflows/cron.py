"""Tasks by the clock: ``retry_failed`` on ``orchestration.retry_failed_cron``, off by default."""

from __future__ import annotations

import datetime as dt
import logging

from huey.api import crontab

from lao.core.errors import ConfigError
from workflows import retrying
from workflows.factory import active
from workflows.queues import cpu

log = logging.getLogger("lao")

FIELDS = ("minute", "hour", "day", "month", "day_of_week")


def is_due(expression: str | None, at: dt.datetime) -> bool:
    """Whether a five-field cron expression matches a minute; None never does.

    Raises:
        ConfigError: the expression is not one.
    """
    if not expression:
        return False
    parts = expression.split()
    if len(parts) != len(FIELDS):
        raise ConfigError(
            f"orchestration.retry_failed_cron: {expression!r} has {len(parts)} fields, not 5",
            "write minute hour day month weekday, for example '30 2 * * *'",
        )
    try:
        return bool(crontab(**dict(zip(FIELDS, parts, strict=True)), strict=True)(at))
    except ValueError as error:
        raise ConfigError(f"orchestration.retry_failed_cron: {error}", "for example '30 2 * * *'") from error


def _retry_is_due(at: dt.datetime) -> bool:
    return is_due(
        active.get().settings.orchestration.retry_failed_cron, at.replace(tzinfo=dt.timezone.utc).astimezone()
    )


@cpu.periodic_task(_retry_is_due, name="retry_failed", queue="cpu")  # type: ignore[untyped-decorator]
def retry_failed() -> None:
    """Give failed and parked work another set of attempts, as often as it may have one without a person."""
    count = retrying.by_clock(active.get())
    if count:
        log.info("retry-failed by cron: %s set back", count)
