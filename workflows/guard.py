"""Looks after the state file while workers run: the witness of what is committed, a backup a day, an end on damage."""

from __future__ import annotations

import logging
from typing import Final

from lao.core.errors import LaoError, StateDamaged
from lao.state import backups, queries
from lao.state.store import Store
from workflows.factory import Factory

log = logging.getLogger("lao")

EVERY_S: Final = 5.0
BACKUP_EVERY_S: Final = 24 * 3600.0
NEVER_IDLE_S: Final = 2 * BACKUP_EVERY_S
"""A factory that is never idle gets its backup in the middle of work: nobody is held up by it."""

RETRY_S: Final = 600.0


class Guard:
    """One pass after another of what keeps the state safe; lives in the cpu worker."""

    def __init__(self, factory: Factory) -> None:
        self._factory = factory
        self._store: Store = factory.store
        self._seen = self._store.version_of_data()
        self._not_before = factory.clock.monotonic()

    def look(self) -> None:
        """Witness what others have committed since the last look; back up when it is time.

        Raises:
            LaoError: it could not be done now; the next pass tries again.
        """
        seen = self._store.version_of_data()
        if seen != self._seen:
            self._store.mark()
            self._seen = seen
        clock = self._factory.clock
        if clock.monotonic() >= self._not_before and self._due():
            self._not_before = clock.monotonic() + RETRY_S  # a failure is not tried again at once
            log.info("state backed up to %s", self._store.back_up().path)
            self._not_before = clock.monotonic() + BACKUP_EVERY_S  # also where the clock was set back

    def _due(self) -> bool:
        """Whether the newest backup is a day old, something has changed since, and nobody waits for a worker."""
        store = self._store
        if not queries.has_plans(store):
            return False
        newest = next(iter(backups.every(store.path)), None)
        age = self._factory.clock.now() - newest.at if newest else NEVER_IDLE_S
        if 0 <= age < BACKUP_EVERY_S or (newest and backups.marked(newest) == store.marked()):
            return False
        return (newest is not None and age >= NEVER_IDLE_S) or queries.is_idle(store)


def guard_forever(factory: Factory) -> None:
    """The guard's thread in the cpu consumer. An error of one pass is logged, and the next pass tries again."""
    guard = Guard(factory)
    while not factory.stop.wait(EVERY_S):
        try:
            guard.look()
        except StateDamaged as error:
            factory.give_up(error)
        except LaoError as error:
            log.warning("guard of the state: %s", error.message)
    factory.store.close()
