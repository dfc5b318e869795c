"""``lao stop``: asks the processes that work on this project to end at their next step, and waits for that."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass
from typing import Final

from lao.core.errors import Refused
from lao.durable.holding import owner_alive
from lao.durable.owners import FileLock, Owner, start_time
from lao.state import runs
from workflows.factory import Factory

WAIT_S: Final = 30.0
_LOOK_S: Final = 0.1


@dataclass(frozen=True)
class Working:
    """A live process of this project.

    Attributes:
        what: "lao run" (or "lao worker"), or "cpu worker", "gpu worker".
        started: its start time, which tells it from a later process with its pid.
        asked: whether the signal goes to it; a worker of ``lao run`` is asked by that.
    """

    what: str
    pid: int
    started: float
    asked: bool

    def alive(self) -> bool:
        return start_time(self.pid) == self.started


def working(factory: Factory) -> tuple[Working, ...]:
    """The live processes that work on this project on this machine."""
    found: list[Working] = []
    boss = FileLock(factory.settings.paths.database.with_name("run.lock")).holder_pid()
    if boss is not None and (started := start_time(boss)) is not None:
        found.append(Working("lao run", boss, started, asked=True))
    for queue, text, pid in runs.workers(factory.store):
        if owner_alive(text):
            found.append(Working(f"{queue} worker", pid, Owner.from_text(text).started, asked=_parent(pid) != boss))
    return tuple(found)


def stop(factory: Factory, wait_s: float = WAIT_S) -> tuple[tuple[Working, ...], tuple[Working, ...]]:
    """Ask them to end and wait, at most ``wait_s`` seconds; returns (those that ended, those that still run).

    Raises:
        Refused: one of them belongs to another user.
    """
    found = working(factory)
    for process in found:
        if process.asked and process.alive():
            _ask(process)
    deadline = factory.clock.monotonic() + wait_s
    while any(process.alive() for process in found) and factory.clock.monotonic() < deadline:
        factory.clock.wait(_LOOK_S)
    left = tuple(process for process in found if process.alive())
    return tuple(process for process in found if process not in left), left


def _ask(process: Working) -> None:
    with contextlib.suppress(ProcessLookupError):
        try:
            os.kill(process.pid, signal.SIGTERM)
        except PermissionError as error:
            raise Refused(
                f"process {process.pid} ({process.what}) belongs to another user", "stop it as them"
            ) from error


def _parent(pid: int) -> int | None:
    import psutil

    try:
        return int(psutil.Process(pid).ppid())
    except psutil.Error:
        return None
