"""Writing down what must be written down: without it a run would belong to this living worker for ever."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeVar

from lao.core.errors import Transient
from workflows.factory import Factory

log = logging.getLogger("lao")

AGAIN_S: Final = 2.0
TELL_S: Final = 60.0
"""How often the wait is said: a disk that is full all night fills no log."""

Recorded = TypeVar("Recorded")


def recorded(factory: Factory, record: Callable[[], Recorded]) -> Recorded:
    """What ``record`` returns, tried again while the state has no room or is locked.

    Raises:
        Transient: the worker is stopping; what a dead worker leaves is found by the next one.
    """
    tell_at = factory.clock.monotonic()
    while True:
        try:
            return record()
        except Transient as error:
            if factory.stop.is_set():
                raise
            if factory.clock.monotonic() >= tell_at:
                log.warning("waits, and tries again every %.0f s: %s", AGAIN_S, error.message)
                tell_at = factory.clock.monotonic() + TELL_S
            factory.clock.wait(AGAIN_S)
