"""Processes of servers that the marker in their environment does not find: children with another environment, and what
a killed ``lao mcp check`` has left. Only needed where nothing contains them (``sandbox.backend: none``)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from lao.durable.owners import start_time
from lao.durable.processes import MARKER, kill_marked

if TYPE_CHECKING:
    import psutil

LOOKS: Final = "mcp-check."
"""Begins the markers of servers that a command of the command line has started to look at them."""

_ROUNDS: Final = 10


def family(pid: int) -> list[psutil.Process]:
    """The processes below one, as they are now; each is known by its start, so that a number used again is another."""
    import psutil

    try:
        return list(psutil.Process(pid).children(recursive=True))
    except psutil.Error:
        return []


def end(processes: Iterable[psutil.Process]) -> None:
    """Kill them and what they have started meanwhile; waits for two seconds at most."""
    import psutil

    left = list(processes)
    killed: list[psutil.Process] = []
    for _ in range(_ROUNDS):
        if not left:
            break
        found = [child for process in left for child in _children(process)]
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
                killed.append(process)
        left = found
    psutil.wait_procs(killed, timeout=2.0)


def _children(process: psutil.Process) -> list[psutil.Process]:
    import psutil

    try:
        return list(process.children(recursive=True))
    except psutil.Error:
        return []


def marker_of_a_look() -> str:
    """The marker for servers that this process starts to look at them; names the process, so that it can be missed."""
    return f"{LOOKS}{os.getpid()}-{_stamp(os.getpid())}."


def end_those_of_dead_looks() -> int:
    """Kill the servers of looks whose own process was killed before it could end them; returns how many."""
    import psutil

    dead: set[str] = set()
    for process in psutil.process_iter():
        try:
            marker = process.environ().get(MARKER, "")
        except (psutil.Error, OSError):
            continue
        owner = marker.removeprefix(LOOKS).partition(".")[0]
        pid, _, stamp = owner.partition("-")
        if marker.startswith(LOOKS) and pid.isdigit() and _stamp(int(pid)) != stamp:
            dead.add(f"{LOOKS}{owner}.")
    return sum(kill_marked(prefix) for prefix in dead)


def _stamp(pid: int) -> str:
    """When the process began, "" when there is none of that number."""
    started = start_time(pid)
    return "" if started is None else str(int(started * 100))
