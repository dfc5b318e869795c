"""``lao run`` that is kept going while faults strike it: started again after each end, its processes by name."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lao.core.clock import SystemClock
from tests.durability.factory_run import Project, kill_group

END_WITHIN_S = 120.0
"""After SIGTERM: 30 s of a locked state, 18 s of grace, and a busy machine."""

INTERRUPTED = 130


class LastingRun:
    """One ``lao run`` after another.

    Attributes:
        violations: ends that nobody asked for.
        starts: how many there have been.
    """

    def __init__(self, factory: Project, log: Path, tell: Callable[[str], None]) -> None:
        self._factory, self._log, self._tell = factory, log, tell
        self._clock = SystemClock()
        self._asked_at: float | None = None
        self.violations: list[str] = []
        self.starts = 0
        self.start()

    def start(self) -> None:
        self.process: subprocess.Popen[bytes] = self._factory.start("run", "--plain", log=self._log)
        self._asked_at = None
        self.starts += 1
        self.since = self._clock.monotonic()

    @property
    def ending(self) -> bool:
        return self._asked_at is not None

    def age_s(self) -> float:
        return self._clock.monotonic() - self.since

    def pids(self) -> dict[str, int]:
        """``run``, ``cpu`` and ``gpu`` as far as they live; a worker counts once it is registered to be one."""
        found = {"run": self.process.pid} if self.process.poll() is None else {}
        for pid in children(self.process.pid):
            command = command_of(pid)
            for queue in ("cpu", "gpu"):
                if f"workflows.{queue}.huey" in command:
                    found[queue] = pid
        return found

    def kill(self) -> None:
        """kill -9 of the whole group, and another start."""
        kill_group(self.process)
        self.start()

    def ask(self) -> None:
        """SIGTERM; ``tend`` starts it again when it has ended."""
        self._asked_at = self._clock.monotonic()
        self.process.send_signal(signal.SIGTERM)

    def tend(self, *, again: bool = True) -> bool:
        """Notice an end and start again; whether it has ended."""
        code = self.process.poll()
        if code is None:
            if self._asked_at is not None and self._clock.monotonic() - self._asked_at > END_WITHIN_S:
                self.violations.append(f"lao run did not end within {END_WITHIN_S:.0f} s of SIGTERM")
                self.kill()
            return False
        if self._asked_at is None or code != INTERRUPTED:
            asked = "after SIGTERM" if self._asked_at is not None else "by itself"
            self.violations.append(f"lao run ended {asked} with {code}: {self._log.read_text()[-600:]}")
            self._tell(f"VIOLATION: lao run ended {asked} with {code}")
        kill_group(self.process)  # a worker that lives on would refuse the next run
        if again:
            self.start()
        return True


def children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


def send(pid: int, number: signal.Signals) -> bool:
    """Whether the process was there to get the signal."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def alive_below(folder: Path) -> list[str]:
    """The processes whose working folder is in ``folder``, in words."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            with suppress(OSError):
                place = (process / "cwd").readlink()
                if place.is_relative_to(folder):
                    found.append(f"process {process.name} lives on in {place}: {command_of(int(process.name))}")
    return found
