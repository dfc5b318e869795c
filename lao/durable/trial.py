"""A trial of the user's own disk: killed writers, torn logs, a second worker. Counts the faults that really struck."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lao.core.errors import LaoError, Refused, StateDamaged
from lao.durable.owners import FileLock
from lao.state import backups, guard, ledger
from lao.state.store import open_store

SECONDS: Final = 20.0
LEAST_KILLS, LEAST_TEARS = 20, 20
_LEAST_FSYNC_MS: Final = 0.02
"""The fastest disks that keep their word need about this long; memory needs a tenth of it."""


@dataclass
class Trial:
    """What was done and found.

    Attributes:
        fsync_ms, plain_ms: median of a 4 KB write with and without fsync.
        kills: writers that were alive when SIGKILL struck, after their first acknowledged transaction.
        lost: acknowledged transactions that were not there afterwards.
        tears: logs that were cut or changed; bad_tears: those that left anything but a whole prefix.
        losing: tears that lost transactions which the mark had witnessed; noticed: those that were refused for it.
    """

    fsyncs: int = 0
    fsync_ms: float = 0.0
    plain_ms: float = 0.0
    kills: int = 0
    acknowledged: int = 0
    lost: int = 0
    corrupt: int = 0
    tears: int = 0
    bad_tears: int = 0
    losing: int = 0
    noticed: int = 0
    seconds_tried: int = 0
    refused: int = 0
    least_kills: int = LEAST_KILLS
    least_tears: int = LEAST_TEARS

    @property
    def waits(self) -> bool:
        """Whether fsync takes as long as a disk needs."""
        return self.fsync_ms >= _LEAST_FSYNC_MS


def run(folder: Path, seed: int, seconds: float = SECONDS) -> Trial:
    """Do it all in ``folder``, which must be empty; nothing outside is touched.

    Raises:
        LaoError: a trial could not be made at all (disk full, no permission).
    """
    trial, rng = Trial(), random.Random(seed)  # noqa: S311 - repeatable on purpose
    end = time.monotonic() + seconds
    _measure(trial, folder / "fsync", until=time.monotonic() + seconds * 0.1)
    _second_workers(trial, folder / "gpu.lock")
    state = folder / "killed" / "state.db"
    while time.monotonic() < end - seconds * 0.4:
        _kill_a_writer(trial, state, rng)
    torn = folder / "torn" / "state.db"
    while not _writer_killed(torn, rng, 40)[0]:
        shutil.rmtree(torn.parent)
    while time.monotonic() < end:
        _tear(trial, torn, folder / "copy", rng)
    return trial


def _measure(trial: Trial, path: Path, until: float) -> None:
    times: dict[bool, list[float]] = {True: [], False: []}
    block = os.urandom(4096)
    with path.open("wb", buffering=0) as file:
        while time.monotonic() < until or not times[False]:
            for synced in (False, True):
                begun = time.perf_counter()
                file.write(block)
                if synced:
                    os.fsync(file.fileno())
                times[synced].append(time.perf_counter() - begun)
    trial.fsyncs = len(times[True])
    trial.fsync_ms, trial.plain_ms = (statistics.median(times[synced]) * 1000 for synced in (True, False))


def _second_workers(trial: Trial, path: Path) -> None:
    """A process that holds the lock, and one that asks for it; then the holder is killed and the lock is free."""
    reader, writer = os.pipe()

    def hold() -> None:
        FileLock(path, "the gpu queue").acquire()
        os.write(writer, b"held\n")
        signal.pause()

    first = _fork(hold)
    os.read(reader, 5)
    try:
        trial.seconds_tried += 1
        FileLock(path, "the gpu queue").acquire()
    except Refused as error:
        trial.refused += str(first) in error.message
    finally:
        os.kill(first, signal.SIGKILL)
        os.waitpid(first, 0)
        os.close(reader)
        os.close(writer)


def _kill_a_writer(trial: Trial, state: Path, rng: random.Random) -> None:
    """One more writer on the same state, killed at a random moment; all that was ever acknowledged must be there."""
    before = _found(state) if state.exists() else []
    struck, told = _writer_killed(state, rng, 0)
    if not struck:
        return
    trial.kills += 1
    trial.acknowledged += len(told)
    try:
        found = _found(state)
        if backups.problem_of(state) is not None:
            trial.corrupt += 1
    except sqlite3.Error:
        trial.corrupt += 1
        return
    trial.lost += len((set(before) | set(told)) - set(found))
    if found != list(range(len(found))):
        trial.corrupt += 1


def _writer_killed(state: Path, rng: random.Random, least: int) -> tuple[bool, list[int]]:
    """Start a writer, kill it some time after ``least`` acknowledged transactions.

    Returns: whether it was alive until then, and the numbers that it acknowledged.
    """
    reader, writer = os.pipe()

    def write() -> None:
        store = open_store(state)
        number = len(_found(state))
        while True:
            ledger.add_model_event(store, "trial", model="x" * (number * 37 % 1500), data={"number": number})
            if number == least:
                store.mark()
            os.write(writer, b"%d\n" % number)
            number += 1

    child = _fork(write)
    os.close(writer)
    told = b""
    while told.count(b"\n") <= least and (part := os.read(reader, 65536)):
        told += part
    end = time.monotonic() + rng.uniform(0, 0.05)
    while time.monotonic() < end:
        pass  # a sleep would wake at the same points of the writer again and again
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    while part := os.read(reader, 65536):
        told += part
    os.close(reader)
    numbers = [int(line) for line in told.splitlines()]
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL and len(numbers) > least, numbers


def _found(state: Path) -> list[int]:
    with backups.open_read_only(state) as db:
        rows = db.execute("SELECT json_extract(data, '$.number') FROM lao_modelevent WHERE kind = 'trial' ORDER BY id")
        return [int(row[0]) for row in rows]


def _tear(trial: Trial, state: Path, copy: Path, rng: random.Random) -> None:
    """Cut the log of a copy at a random place, or change some bytes there; look at what SQLite makes of it."""
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for part in ("", "-wal", "-mark"):
        shutil.copyfile(f"{state}{part}", copy / f"{state.name}{part}")
    mine, log = copy / state.name, copy / f"{state.name}-wal"
    size = log.stat().st_size
    place = rng.randrange(32, size)
    if rng.random() < 0.5:
        os.truncate(log, place)
    else:
        with log.open("r+b") as file:
            file.seek(place)
            old = file.read(min(8, size - place))
            file.seek(place)
            file.write(bytes(byte ^ 0xFF for byte in old))
    trial.tears += 1
    try:
        guard.examine(mine)
        refused = False
    except StateDamaged:
        refused = True
    backups.mark_file(mine).unlink()
    try:
        store = open_store(mine)
        whole = store.db.execute_sql("PRAGMA integrity_check").fetchone()[0] == "ok"
        losing = store.marked() == 0
        store.close()
        found = _found(mine)
    except (LaoError, sqlite3.Error):
        trial.bad_tears += 1
        return
    trial.bad_tears += not (whole and found == list(range(len(found))))
    trial.losing += losing
    trial.noticed += losing and refused


def _fork(body: Callable[[], None]) -> int:
    """A child that does ``body`` and ends; it shares no connection, since none is open here."""
    child = os.fork()
    if child:
        return child
    try:
        body()
    finally:
        os._exit(1)
