"""Model calls in flight, for who looks on: what is generated at this moment is in no journal.

Written only while somebody looks (``Onlooker``), when a call begins or ends and twice a second, without syncing: only a
screen depends on it. Each process has a file of its own in ``.lao/live/calls/``; an outdated one is known by its owner.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from lao.core.errors import BadInput
from lao.durable.holding import owner_alive

EVERY_S: Final = 0.5


@dataclass(frozen=True)
class LiveCall:
    """A call that a model is answering.

    Attributes:
        run: the run that asks; None for a call of no run.
        since: when it was sent (seconds since the epoch); ``heard``: when its first token came, 0 before that.
        tokens: generated so far, counted by the pieces of the stream: about as many.
        at: when this was written down.
    """

    run: int | None
    role: str
    model: str
    since: float
    heard: float = 0.0
    tokens: int = 0
    at: float = 0.0

    @property
    def rate(self) -> float | None:
        """Tokens a second; None while too few have come to say."""
        seconds = self.at - self.heard
        return (self.tokens - 1) / seconds if self.heard and self.tokens > 1 and seconds >= EVERY_S else None


def folder_of(state_dir: Path) -> Path:
    """Where the files are, in the folder of the state (``.lao``)."""
    return state_dir / "live" / "calls"


class LiveCalls:
    """The calls of this process; each thread makes one at a time.

    Args:
        owner: this process (``Owner.to_text``).
        now: seconds since the epoch.
    """

    def __init__(self, state_dir: Path, owner: str, now: Callable[[], float]) -> None:
        self._path = folder_of(state_dir) / f"{os.getpid()}.json"
        self._owner, self._now = owner, now
        self._lock = threading.Lock()
        self._calls: dict[int, LiveCall] = {}
        self._written = 0.0

    @contextmanager
    def call(self, run: int | None, role: str, model: str) -> Iterator[None]:
        """The block makes a call."""
        self._put(LiveCall(run, role, model, self._now()))
        try:
            yield
        finally:
            self._put(None)

    def heard(self, tokens: int) -> None:
        """So many tokens of this thread's call have come; called for every piece, so it does nearly nothing."""
        call = self._calls.get(threading.get_ident())
        if call is None:
            return
        if not call.heard or tokens < call.tokens:  # the first piece, or that of another try
            call = replace(call, heard=self._now())
        self._calls[threading.get_ident()] = replace(call, tokens=tokens)
        if time.monotonic() - self._written >= EVERY_S:
            self._write()

    def _put(self, call: LiveCall | None) -> None:
        me = threading.get_ident()
        with self._lock:
            if call is None:
                self._calls.pop(me, None)
            else:
                self._calls[me] = call
        self._write()

    def _write(self) -> None:
        if not self._path.parent.is_dir():  # nobody looks
            return
        with self._lock, contextlib.suppress(OSError):  # a screen shows less, and work goes on
            self._written = time.monotonic()
            at = self._now()
            calls = [asdict(replace(call, at=at)) for call in self._calls.values()]
            temporary = self._path.with_suffix(".tmp")
            temporary.write_text(json.dumps({"owner": self._owner, "calls": calls}), encoding="utf-8")
            temporary.replace(self._path)


class Onlooker:
    """Somebody who looks at the calls in flight; as long as one does, workers write them down."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = folder_of(state_dir)

    def calls(self) -> tuple[LiveCall, ...]:
        """The calls in flight of live processes; () also where the folder cannot be made or read."""
        found: list[LiveCall] = []
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(self._folder.glob("*.json")):
                found += _calls_in(path)
        return tuple(found)

    def leave(self) -> None:
        """Nobody looks any more; another onlooker makes the folder again at its next look."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _calls_in(path: Path) -> list[LiveCall]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if not told["calls"] or owner_alive(str(told["owner"])) is False:
            return []
        return [LiveCall(**call) for call in told["calls"]]
    except (OSError, ValueError, TypeError, KeyError, BadInput):  # just replaced or removed, or of another version
        return []
