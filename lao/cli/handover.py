"""When nothing is left to do, the terminal is handed to the Pilot, and comes back. Knows only where the Pilot is."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, TypeAlias

from lao.core.states import Queue

if TYPE_CHECKING:
    from lao.cli.context import Session
    from lao.state.store import Store
    from workflows.factory import Factory

SEAT: Final = "lao.cli.pilot.seat"
"""The module that takes the terminal: its ``on_idle(session, factory)`` returns an ``OnIdle``."""

IDLE_S: Final = 3.0
"""How long nothing may be left to do before the terminal is handed over: the watcher may be about to take a plan in."""


class Then(Enum):
    """What whoever had the terminal wants: that the view goes on, or that the run ends."""

    RESUME = "resume"
    LEAVE = "leave"


OnIdle: TypeAlias = Callable[[], Then]
"""Called on the main thread, with the terminal as it was before the view, while the workers go on. It may take as long
as it likes, and leaves the terminal as it found it. KeyboardInterrupt ends the run with 130."""


def pilot_of(session: Session, factory: Factory) -> OnIdle | None:
    """What takes the terminal when nothing is left to do; None: nobody does, and the view goes on watching.

    ``orchestration.pilot_mode_enabled: false``, ``--no-pilot``, ``--single-run`` and ``--plan`` keep it.
    """
    if session.flag("single_run") or session.text("plan") or not factory.settings.orchestration.pilot_mode_enabled:
        return None
    package = SEAT.rpartition(".")[0]
    if find_spec(package) is None or find_spec(SEAT) is None:
        return None
    on_idle: OnIdle = import_module(SEAT).on_idle(session, factory)
    return on_idle


def attended(store: Store) -> bool:
    """Whether a worker of each queue is up: before that nothing is at work because nobody has looked yet."""
    from lao.durable.holding import owner_alive
    from lao.state import runs

    alive = {queue for queue, owner, _ in runs.workers(store) if owner_alive(owner) is not False}
    return alive >= {queue.value for queue in Queue}


class Idleness:
    """Tells when the terminal is to be handed over: once each time that the work has come to an end.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since: float | None = None
        self._handed = False

    def now(self, idle: bool) -> bool:
        """Whether it is to be handed over now.

        Args:
            idle: nothing is left to do at this moment.
        """
        if not idle:
            self._since, self._handed = None, False
            return False
        if self._since is None:
            self._since = self._clock()
        if self._handed or self._clock() - self._since < IDLE_S:
            return False
        self._handed = True
        return True
