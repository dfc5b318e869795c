"""A command with a wall clock limit, ended together with everything that it started. Knows neither LAO nor pytest."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Done:
    """How a command ended. ``code`` is None when its time was over; ``output`` is stdout and stderr together."""

    code: int | None
    output: str
    seconds: float


def run_limited(command: Sequence[str], folder: Path, env: Mapping[str, str], *, limit_s: float, log: Path) -> Done:
    """Run ``command`` in ``folder`` in a process group of its own; all of it is killed when this returns."""
    started = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
        code: int | None = None
        try:
            with suppress(subprocess.TimeoutExpired):
                code = process.wait(limit_s)
        finally:
            _end(process)
    return Done(code, log.read_text(encoding="utf-8", errors="replace"), time.monotonic() - started)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the group, and the descendants that made a group of their own."""
    below: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        below = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for child in below:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    process.wait()
