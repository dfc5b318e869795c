"""Which way of surrounding a command works on this machine: tried for real, once.

What each of them keeps from a command is said in docs/security.md; the arguments are made by ``lao.durable.sandbox``.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Final

from lao.durable.sandbox import launcher

_PROBE_S: Final = 5.0
BARE: Final = ("--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--proc", "/proc")


class Containment(str, Enum):
    """
    BUBBLEWRAP  ``bwrap``: namespaces and a file system of its own.
    UNSHARE     namespaces by util-linux: ``setpriv --pdeathsig``, ``unshare --kill-child``; files by Landlock if known.
    LANDLOCK    files and TCP by the kernel's Landlock, without namespaces.
    SEATBELT    ``sandbox-exec`` of macOS.
    NONE        markers and limits only.
    """

    BUBBLEWRAP = "bubblewrap"
    UNSHARE = "unshare"
    LANDLOCK = "landlock"
    SEATBELT = "seatbelt"
    NONE = "none"


def choose(backend: str) -> Containment:
    """What ``sandbox.backend`` comes to on this machine: the one that it names if it works here, for "auto" the best.

    A named backend that does not work here is none: ``lao doctor`` says so.
    """
    best = [how for how in Containment if how is not Containment.NONE]
    wanted = best if backend == "auto" else [Containment(backend)]
    return next((how for how in wanted if works(how)), Containment.NONE)


@functools.cache
def works(how: Containment) -> bool:
    """Whether it can be used here; tried once."""
    if how is Containment.NONE:
        return True
    if how is Containment.SEATBELT:
        return sys.platform == "darwin" and _runs(["sandbox-exec", "-p", "(version 1)(allow default)", "/usr/bin/true"])
    if sys.platform != "linux":
        return False
    if how is Containment.LANDLOCK:
        return launcher.landlock_abi() > 0
    prefix = ("bwrap", *bubblewrap_flags(), *BARE, "--") if how is Containment.BUBBLEWRAP else unshare_prefix(False)
    # a namespace of its own gives the shell, or its parent, the number 1
    return _runs([*prefix, "/bin/sh", "-c", 'test "$(readlink /proc/self/ns/pid)" != "$0"', _own_namespace()])


@functools.cache
def bubblewrap_flags() -> tuple[str, ...]:
    """The namespaces that bubblewrap can make here, without the network's; at least those of processes and mounts."""
    least = ("--unshare-pid", "--die-with-parent")
    more = ("--unshare-ipc", "--unshare-uts", "--cap-drop", "ALL")
    best = ("--unshare-user", "--disable-userns", "--unshare-cgroup-try")
    for flags in ((*least, *more, *best), (*least, *more), least):
        if _runs(["bwrap", *flags, *BARE, "--", "/bin/sh", "-c", "exit 0"]):
            return flags
    return least


def unshare_prefix(network: bool) -> Sequence[str]:
    """The arguments of util-linux, up to the command's own.

    Args:
        network: leave the command the host's.
    """
    user = () if os.geteuid() == 0 else ("--user", "--map-current-user", "--keep-caps")
    more = ("--ipc", "--uts", *(() if network else ("--net",)))
    tied = ("setpriv", "--pdeathsig", "KILL", "--")
    return (*tied, "unshare", *user, "--pid", *more, "--mount-proc", "--fork", "--kill-child", "--")


def _runs(argv: Sequence[str]) -> bool:
    if shutil.which(argv[0]) is None:
        return False
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _own_namespace() -> str:
    return str(Path("/proc/self/ns/pid").readlink())
