"""Ownership: which process holds a lease or a lock, and whether that very process still runs.

Does not decide what an owner may do; who holds what is told by ``lao.durable.holding`` and the callers of the lock.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from lao.core.errors import BadInput, LaoError, Refused

LOOKED_AT_S = 0.5
"""A lock may be taken for a moment by somebody who only looks whether it is free, or be so new that its holder has not
written its name yet; both are waited for before anybody is refused."""


@dataclass(frozen=True)
class Owner:
    """One process of one boot of one machine; unlike a bare pid it is never used again.

    Attributes:
        started: start time in the kernel's own unit (clock ticks since boot on Linux, else seconds since the epoch).
    """

    host: str
    boot_id: str
    pid: int
    started: float

    @property
    def local(self) -> bool:
        """Whether ``alive`` can know: the owner was on this machine."""
        return self.host == socket.gethostname()

    def alive(self) -> bool:
        """Whether that very process still runs here."""
        return self.boot_id == boot_id() and start_time(self.pid) == self.started

    def to_text(self) -> str:
        return f"{self.boot_id}:{self.pid}:{self.started:.2f}:{self.host}"

    @classmethod
    def from_text(cls, text: str) -> Owner:
        """Inverse of ``to_text``.

        Raises:
            BadInput: the text is not an owner.
        """
        try:
            boot_id, pid, started, host = text.split(":", 3)
            return cls(host, boot_id, int(pid), float(started))
        except ValueError as exc:
            raise BadInput(f"not the name of a process: {text!r}") from exc


def current_owner() -> Owner:
    """This process."""
    started = start_time(os.getpid())
    assert started is not None
    return Owner(socket.gethostname(), boot_id(), os.getpid(), started)


def boot_id() -> str:
    """Names the time since the machine was started."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        import psutil

        return f"boot-{round(psutil.boot_time(), -1):.0f}"  # to ten seconds: the figure drifts with the clock


def start_time(pid: int) -> float | None:
    """When a process began, in the kernel's own unit; None when there is no such process or it is only a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        fields = stat.rpartition(")")[2].split()  # the name before it may hold anything
        return None if fields[0] in "ZX" else float(fields[19])
    except (FileNotFoundError, ProcessLookupError):
        if sys.platform == "linux":
            return None
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else round(process.create_time(), 2)
    except (psutil.Error, ValueError):
        return None


class FileLock:
    """A lock that the kernel releases when its owner dies, however it dies. One project folder, one disk, no NFS.

    Args:
        path: the lock file; it stays there, its presence means nothing.
        what: what the lock stands for, for the refusal (``"the gpu queue of …"``).
    """

    def __init__(self, path: Path, what: str = "") -> None:
        self.path = path
        self.what = what or str(path)
        self._handle: int | None = None

    def acquire(self, wait_s: float = LOOKED_AT_S) -> None:
        """Take the lock, waiting at most ``wait_s`` for it.

        Raises:
            Refused: somebody else, or this process by another ``FileLock``, has it.
            LaoError: the system has no ``flock`` (Windows).
        """
        try:
            import fcntl
        except ImportError:
            raise LaoError(f"cannot lock {self.what}: no flock here", "run LAO under WSL, Linux or macOS") from None
        if self._handle is not None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + wait_s
        try:
            while True:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise
                    threading.Event().wait(0.01)
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n{' '.join(sys.argv)[:300]}\n".encode("utf-8", "replace"), 0)
        except OSError as exc:
            holder = self.holder() or "another process"
            os.close(handle)
            if not isinstance(exc, BlockingIOError):
                raise
            raise Refused(f"{self.what} is held by {holder}", "stop that process first, or wait until it ends") from exc
        self._handle = handle

    def holder(self) -> str:
        """``"process 4711 (lao run)"`` as the last owner wrote it, or ""."""
        with contextlib.suppress(OSError):
            pid, _, command = self.path.read_text(encoding="utf-8", errors="replace").strip().partition("\n")
            return f"process {pid} ({command.strip()})" if pid else ""
        return ""

    def holder_pid(self) -> int | None:
        """The live process that has the lock now; None when nobody has it, or when it has not written its pid yet."""
        try:
            import fcntl

            handle = os.open(self.path, os.O_RDWR)
        except (ImportError, FileNotFoundError):
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(handle, 32, 0).partition(b"\n")[0]
            return int(pid) if pid.isdigit() else None
        else:
            return None
        finally:
            os.close(handle)

    def release(self) -> None:
        """Give it back; does nothing when it is not held."""
        if self._handle is not None:
            os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = None

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        self.release()
