"""Keeps claims alive: one heartbeat thread a process renews the leases of runs whose body is at work."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lao.core.errors import LaoError
from lao.durable.owners import Owner, current_owner
from lao.durable.threads import Thread
from lao.state import runs
from lao.state.records import Claim
from lao.state.store import Store

BEAT_S = runs.LEASE_S / 3


def owner_alive(text: str) -> bool | None:
    """True or False for a worker of this machine; None for one of another, whose lease decides."""
    if not text:
        return False
    owner = Owner.from_text(text)
    return owner.alive() if owner.host == current_owner().host else None


class Heartbeat:
    """Renews the leases of held claims every ten seconds, as long as their bodies run.

    A failed renewal is not an error here: the epoch fences the body, and the next beat tries again.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._claims: dict[int, Claim] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: Thread | None = None

    @contextmanager
    def holding(self, claim: Claim) -> Iterator[None]:
        with self._lock:
            if self._thread is None:
                thread = Thread(self._beat, name="lao-heartbeat")
                thread.start()  # where the system refuses it, the next claim tries again
                self._thread = thread
            self._claims[claim.run.id] = claim
        try:
            yield
        finally:
            with self._lock:
                self._claims.pop(claim.run.id, None)

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(BEAT_S):
            with self._lock:
                claims = list(self._claims.values())
            try:
                runs.renew(self._store, claims)
            except LaoError:
                continue
        self._store.close()
