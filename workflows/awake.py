"""Keeps the machine awake while there is work, by a child of the gpu worker that ends with it, also after kill -9."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence

from lao.core.errors import LaoError
from lao.state import queries
from workflows.factory import Factory

log = logging.getLogger("lao")

LOOK_S = 2.0
ENDING_S = 1.0


def inhibitor(
    platform: str = sys.platform, which: Callable[[str], str | None] = shutil.which
) -> tuple[str, ...] | None:
    """The command line that keeps this machine awake as long as it runs; None where there is none.

    On Linux it runs ``cat`` on a pipe from us, on macOS it watches our pid: both end when this process ends.
    """
    if platform.startswith("linux") and (program := which("systemd-inhibit")):
        why = "--why=there are plans to work on"
        return (program, "--what=sleep:idle", "--who=lao", why, "--mode=block", "cat")
    if platform == "darwin" and (program := which("caffeinate")):
        return (program, "-i", "-w", str(os.getpid()))
    return None


class Wakefulness:
    """The child while it is wanted. One that ends by itself (no right to it, no session) is not started again."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._child: subprocess.Popen[bytes] | None = None
        self._refused = False

    def want(self, busy: bool) -> None:
        """Start the child when there is work, end it when there is none."""
        if busy and self._child is None and not self._refused:
            self._start()
        elif self._child is not None and (code := self._child.poll()) is not None:
            log.debug("%s ended with exit code %s; the machine may go to sleep", self._command[0], code)
            self._refused = True
            self.end()
        elif not busy:
            self.end()

    def _start(self) -> None:
        nowhere = subprocess.DEVNULL
        try:
            # A session of its own: Ctrl-C is not for it, and nobody can be asked for a password on a terminal.
            self._child = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, start_new_session=True
            )
        except OSError as error:
            log.debug("%s could not be started: %s", self._command[0], error)
            self._refused = True

    def end(self) -> None:
        """End the child, if there is one: its pipe closes, and what does not mind that is asked to go."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.stdin is not None:
            child.stdin.close()
        for ask in (None, child.terminate, child.kill):
            if ask is not None:
                ask()
            try:
                child.wait(ENDING_S)
            except subprocess.TimeoutExpired:
                continue
            return


def keep_awake(factory: Factory) -> None:
    """The service of the gpu worker: awake while a run is claimed or ready, until the worker stops."""
    command = inhibitor() if factory.settings.orchestration.keep_awake else None
    if command is None:
        log.debug("the machine is not kept awake: switched off, or no systemd-inhibit or caffeinate here")
        factory.stop.wait()
        return
    awake = Wakefulness(command)
    try:
        while not factory.stop.is_set():
            try:
                awake.want(not queries.is_idle(factory.store))
            except LaoError as error:
                log.warning("whether there is work to stay awake for: %s", error.message)
            factory.stop.wait(LOOK_S)
    finally:
        awake.end()
        factory.store.close()
