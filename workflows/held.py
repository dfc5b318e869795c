"""Whether a run still belongs to the worker that works on it, cheaply enough to be asked many times a second."""

from __future__ import annotations

import time

from lao.core.errors import Transient
from lao.state import runs
from lao.state.records import Claim
from lao.state.store import Store


class Watch:
    """Asks the state at most once in ``every_s`` seconds, and answers the same in between."""

    def __init__(self, store: Store, claim: Claim, every_s: float) -> None:
        self._store, self._claim, self._every_s = store, claim, every_s
        self._at, self._held = time.monotonic(), True

    def over(self) -> bool:
        """Whether somebody has taken the run away, or cancelled it."""
        now = time.monotonic()
        if self._held and now - self._at >= self._every_s:
            self._at = now
            try:
                self._held = runs.is_held(self._store, self._claim)
            except Transient:  # a state that is locked says nothing about the run
                return False
        return not self._held
