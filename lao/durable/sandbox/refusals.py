"""A line for the model when a command failed at the sandbox: what is closed, and which key opens it."""

from __future__ import annotations

import re
import signal
from collections.abc import Sequence
from typing import Final

from lao.durable.containment import Containment
from lao.durable.sandbox.policy import Sandbox

_NETWORK: Final = re.compile(
    r"Network is unreachable|network is unreachable|ENETUNREACH|Temporary failure in name resolution|EAI_AGAIN"
    r"|ENOTFOUND|Could not resolve|could not resolve|Name or service not known|NameResolutionError|Failed to resolve"
    r"|nodename nor servname|dial tcp|failed to lookup address|Couldn't (?:connect to server|resolve)"
    r"|No matching distribution found|No address associated|Temporary failure resolving|UnknownHostException"
    r"|unable to resolve host|getaddrinfo"
)
_FILES: Final = re.compile(r"Read-only file system|read-only file system|EROFS|os error 30\b|Errno 30\b")
_DENIED: Final = re.compile(r"Permission denied|permission denied|EACCES|Operation not permitted|EPERM")
_MEMORY: Final = re.compile(r"Cannot allocate memory|MemoryError|[Oo]ut of memory|bad_alloc|ENOMEM|memory alloc")
_SIZE: Final = re.compile(r"File too large|file too large|EFBIG|File size limit exceeded")
_SPACE: Final = re.compile(r"No space left on device|ENOSPC")
_ENDS: Final = 4_000
_A_PERSON: Final = "A person can change sandbox.network in factory.yaml, you cannot"


def explained(sandbox: Sandbox, output: str, exit_code: int, refused: Sequence[str] = ()) -> str:
    """What the sandbox has to do with the failure, in one line with brackets; "" when nothing speaks for it.

    Args:
        refused: what its proxy has refused.
    """
    said, limits = output[:_ENDS] + output[-_ENDS:], sandbox.limits
    ended = (exit_code - 128 if exit_code > 128 else -exit_code) if exit_code else 0
    told: list[str] = []
    if sandbox.by_list and refused:
        told.append(f"refused {'; '.join(refused[:3])}. {_A_PERSON}")
    elif sandbox.isolates and not sandbox.network and _NETWORK.search(said):
        reach = f"commands have {sandbox.reach}" if not sandbox.by_list else f"{sandbox.reach}, by $HTTPS_PROXY"
        told.append(f"{reach}; use what is there. {_A_PERSON}")
    if sandbox.isolates and _FILES.search(said):
        told.append("only the workspace and /tmp can be written, not .git or .lao (sandbox.writable names more)")
    if sandbox.isolates and _weak(sandbox) and _DENIED.search(said):
        tcp = "" if sandbox.network else ", and sockets may be closed"
        told.append(f"only the workspace and $TMPDIR can be written{tcp} (sandbox.writable names more)")
    if limits.memory_mb and _MEMORY.search(said):
        told.append(f"a process gets at most {limits.memory_mb} MB (sandbox.memory_mb)")
    if limits.file_mb and (_SIZE.search(said) or ended == signal.SIGXFSZ):
        told.append(f"a file may have at most {limits.file_mb} MB (sandbox.file_mb)")
    if limits.cpu_s and ended in (signal.SIGXCPU, signal.SIGKILL) and ended != 0:
        told.append(f"a process gets at most {limits.cpu_s} s of processor time (sandbox.cpu_s)")
    if limits.tmp_mb and sandbox.how is Containment.BUBBLEWRAP and _SPACE.search(said):
        told.append(f"/tmp and the home folder hold {limits.tmp_mb} MB (sandbox.tmp_mb)")  # noqa: S108
    return f"[sandbox: {'; '.join(told)}]" if told else ""


def _weak(sandbox: Sandbox) -> bool:
    """Whether a closed path says "permission denied": Landlock and Seatbelt do."""
    return sandbox.how is not Containment.BUBBLEWRAP
