"""What the system refuses for want of something that is not the work's fault: memory, processes, open files, large
files. Tells such a refusal from a defect; does not decide how long to wait."""

from __future__ import annotations

import errno
from typing import Final

from lao.core.errors import OutOfResources

_WANTING: Final = {
    errno.EMFILE: "too many open files",
    errno.ENFILE: "too many open files in the whole system",
    errno.EAGAIN: "no more processes or threads",
    errno.ENOMEM: "out of memory",
    errno.EFBIG: "a file would become larger than allowed",
}
_SAID: Final = (
    "Cannot allocate memory", "Out of memory", "out of memory", "cannot allocate", "Too many open files",
    "Resource temporarily unavailable", "cannot fork", "unable to create thread", "unable to start thread",
    "File too large", "failed to map segment",
)  # fmt: skip
HINT: Final = "raise the limit (ulimit, systemd, the container) or end other programs; LAO goes on by itself"


def told(error: BaseException) -> OutOfResources | None:
    """The refusal that this error is, None for any other error."""
    if isinstance(error, OutOfResources):
        return error
    what = ""
    if isinstance(error, OSError):
        what = _WANTING.get(error.errno or 0, "")
    elif isinstance(error, MemoryError):
        what = "out of memory"
    elif isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        what = "no more threads"
    return OutOfResources(f"the system refuses: {what} ({error or type(error).__name__})", HINT) if what else None


def said(program: str, status: int, text: str) -> OutOfResources | None:
    """The refusal that ended a program: a signal of the system, or its own words; None for any other end.

    Args:
        status: its exit status, negative for a signal.
    """
    if status < 0:
        return OutOfResources(f"{program} was ended by signal {-status}", HINT)
    word = next((word for word in _SAID if word in text), "")
    return OutOfResources(f"{program} was refused something by the system: {text[-300:]}", HINT) if word else None
