"""What keeps the processes of a command from outliving the worker that started it, however the worker ends.

A PID namespace does: when its first process dies, the kernel kills all others in it, also those that have left the
session or scrubbed their environment. Where there is none (macOS, or a system that forbids namespaces) the marker in
the environment is left: the next worker kills what carries it before it claims anything.
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

_PROBE_S: Final = 5.0


class Containment(str, Enum):
    """
    BUBBLEWRAP  ``bwrap --unshare-pid --die-with-parent``.
    UNSHARE     the same by util-linux: ``setpriv --pdeathsig`` and ``unshare --pid --kill-child``.
    NONE        markers only.
    """

    BUBBLEWRAP = "bubblewrap"
    UNSHARE = "unshare"
    NONE = "none"


def contained(command: str, how: Containment) -> list[str]:
    """The arguments that run a shell command line that way."""
    if how is Containment.UNSHARE:  # the first process of a namespace ignores signals: that must not be the command
        return [*_prefix(how), "/bin/sh", "-c", '/bin/sh -c "$1"; exit $?', "sh", command]
    return [*_prefix(how), "/bin/sh", "-c", command]


def choose(backend: str) -> Containment:
    """What ``sandbox.backend`` comes to on this machine: the one that it names if it works here, for "auto" the best.

    A named backend that does not work here is none: ``lao doctor`` says so.
    """
    wanted = (Containment.BUBBLEWRAP, Containment.UNSHARE) if backend == "auto" else (Containment(backend),)
    return next((how for how in wanted if works(how)), Containment.NONE)


@functools.cache
def works(how: Containment) -> bool:
    """Whether it can be used here; tried once."""
    prefix = _prefix(how)
    if not prefix:
        return True
    if sys.platform != "linux" or shutil.which(prefix[0]) is None:
        return False
    try:
        # a namespace of its own gives the shell, or its parent, the number 1
        done = subprocess.run(
            [*prefix, "/bin/sh", "-c", 'test "$(readlink /proc/self/ns/pid)" != "$0"', _own_namespace()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _own_namespace() -> str:
    return str(Path("/proc/self/ns/pid").readlink())


def _prefix(how: Containment) -> Sequence[str]:
    if how is Containment.BUBBLEWRAP:
        system = ("--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--proc", "/proc")
        return ("bwrap", *system, "--unshare-pid", "--die-with-parent", "--")
    if how is Containment.UNSHARE:
        user = () if os.geteuid() == 0 else ("--user", "--map-current-user")
        tied = ("setpriv", "--pdeathsig", "KILL", "--")
        return (*tied, "unshare", *user, "--pid", "--mount-proc", "--fork", "--kill-child", "--")
    return ()
