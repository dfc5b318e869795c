"""Processes: running a shell command whole and killing it whole, who owns a lease, and a lock that dies with its owner.

Does not decide which commands may run (``lao.tools.permissions``) nor record them (the journal).
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Final

from lao.core.errors import BadInput, Interrupted, LaoError, Refused
from lao.core.words import CommandResult

MARKER: Final = "LAO_RUN"
_SECRET: Final = re.compile(r"KEY|SECRET|TOKEN|PASSWORD", re.IGNORECASE)
_TERM_GRACE_S: Final = 2.0
_POLL_S: Final = 0.05
_QUIET: Final = {
    "GIT_TERMINAL_PROMPT": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PIP_NO_INPUT": "1",
    "DEBIAN_FRONTEND": "noninteractive",
    "NO_COLOR": "1",
    "TERM": "dumb",
    "PAGER": "cat",
}
# A git hook that started LAO would otherwise redirect every git below to its own repository.
_GIT_CONTEXT: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")


def child_environment(marker: str, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """LAO's own environment without secrets (names with KEY, SECRET, TOKEN, PASSWORD), marked, never prompting.

    ``extra`` is laid on top as it is: what the caller names is meant.
    """
    kept = {k: v for k, v in os.environ.items() if not _SECRET.search(k) and k not in _GIT_CONTEXT}
    return {**kept, **_QUIET, **(extra or {}), MARKER: marker}


def run_command(
    command: str,
    *,
    cwd: Path,
    timeout_s: float,
    marker: str,
    env: Mapping[str, str] | None = None,
    output_limit: int = 200_000,
    stop: Callable[[], bool] | None = None,
) -> CommandResult:
    """Run ``command`` with ``/bin/sh -c`` in a process group of its own and leave none of its processes behind.

    A marker belongs to one command at a time: whatever carries it when the shell has ended is killed.

    Args:
        env: variables added to the scrubbed environment.
        output_limit: bytes of output that are kept, half from the start and half from the end.
        stop: asked about 20 times a second; True kills the command.

    Raises:
        Interrupted: ``stop`` said so; the command was killed half-way.
        BadInput: ``cwd`` is not a folder or the command has a NUL byte.
    """
    if os.name == "nt":
        raise LaoError(f"cannot run {command!r}: commands need a POSIX shell", "run LAO under WSL, Linux or macOS")
    if "\0" in command or not cwd.is_dir():
        raise BadInput(f"cannot run {command[:200]!r} in {str(cwd)!r}", "the folder must exist, the command be text")
    started = time.monotonic()
    process = subprocess.Popen(
        ["/bin/sh", "-c", command],
        cwd=cwd,
        env=child_environment(marker, env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    output = _Output(output_limit)
    with process.stdout as pipe:
        try:
            ending = _attend(process, pipe, output, deadline=started + timeout_s, stop=stop)
        finally:
            _kill_group(process.pid, signal.SIGKILL)
            process.wait()
            _kill_where(lambda value: value == marker)
        output.drain(pipe)
    if ending == "stopped":
        raise Interrupted(f"stopped while {command[:200]!r} was running")
    return CommandResult(
        command=command,
        exit_code=process.returncode,
        output=output.text(),
        seconds=round(time.monotonic() - started, 3),
        timed_out=ending == "timeout",
        truncated_bytes=output.dropped,
    )


def _attend(
    process: subprocess.Popen[bytes],
    pipe: IO[bytes],
    output: _Output,
    *,
    deadline: float,
    stop: Callable[[], bool] | None,
) -> str:
    """Read the output until the shell itself has ended; returns "ended", "timeout" or "stopped".

    One loop instead of a reading thread: a grandchild that keeps the pipe open can then block nothing.
    """
    ending = "ended"
    os.set_blocking(pipe.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while process.poll() is None:
            if selector.get_map():
                if selector.select(_POLL_S) and not output.read(pipe):
                    selector.unregister(pipe)
            else:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL_S)
            now = time.monotonic()
            if ending != "ended":
                if now >= deadline:
                    return ending
            elif now >= deadline or (stop is not None and stop()):
                ending = "timeout" if now >= deadline else "stopped"
                _kill_group(process.pid, signal.SIGTERM)
                deadline = now + _TERM_GRACE_S
    return ending


@dataclass
class _Output:
    """The first and the last half of ``limit`` bytes of a stream."""

    limit: int
    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)
    dropped: int = 0

    def read(self, pipe: IO[bytes]) -> bool:
        """Take what is there; False at the end of the stream."""
        try:
            block = os.read(pipe.fileno(), 65_536)
        except BlockingIOError:
            return True
        room = max(self.limit // 2 - len(self.head), 0)
        self.head += block[:room]
        self.tail += block[room:]
        excess = len(self.tail) - (self.limit - self.limit // 2)
        if excess > 0:
            del self.tail[:excess]
            self.dropped += excess
        return bool(block)

    def drain(self, pipe: IO[bytes]) -> None:
        """What a dead writer left in the pipe; a writer that escaped its marker is not waited for."""
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            for _ in range(64):  # a pipe holds at most 1 MiB
                if not selector.select(0) or not self.read(pipe):
                    return

    def text(self) -> str:
        gap = f"\n[… {self.dropped} bytes of output dropped …]\n".encode() if self.dropped else b""
        return bytes(self.head + gap + self.tail).decode("utf-8", errors="replace")


def _kill_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def kill_marked(marker_prefix: str) -> int:
    """Kill this user's processes whose ``LAO_RUN`` starts with the prefix; returns how many.

    End the prefix with your separator, or ``"run-1"`` also takes ``"run-12"``. Spares this process and its ancestors.
    """
    if not marker_prefix:
        raise BadInput("an empty marker would kill the processes of every run", "name the run")
    return _kill_where(lambda value: value.startswith(marker_prefix))


def _kill_where(wanted: Callable[[str], bool]) -> int:
    """Sweep until a sweep finds nothing: a process may fork while it is being looked for."""
    killed: set[int] = set()
    spared: frozenset[int] | None = None
    for _ in range(200):
        found = [pid for pid, value in _marked_processes() if wanted(value)]
        if found and spared is None:
            spared = _self_and_ancestors()
        found = [pid for pid in found if pid not in (spared or ())]
        if not found:
            break
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        threading.Event().wait(0.005)
    return len(killed)


def _marked_processes() -> Iterator[tuple[int, str]]:
    """Live processes of this user with a marker. Zombies have no environment and are not found."""
    if sys.platform == "linux":  # psutil reads four files a process; one is enough, and this runs after each command
        name = f"{MARKER}=".encode()
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    for item in Path(entry.path, "environ").read_bytes().split(b"\0"):
                        if item.startswith(name):
                            yield int(entry.name), os.fsdecode(item[len(name) :])
        return
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if value := process.environ().get(MARKER):
                yield process.pid, value


def _self_and_ancestors() -> frozenset[int]:
    import psutil

    return frozenset({os.getpid(), *(p.pid for p in psutil.Process().parents())})


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
        return self.boot_id == _boot_id() and _start_time(self.pid) == self.started

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
    started = _start_time(os.getpid())
    assert started is not None
    return Owner(socket.gethostname(), _boot_id(), os.getpid(), started)


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        import psutil

        return f"boot-{round(psutil.boot_time(), -1):.0f}"  # to ten seconds: the figure drifts with the clock


def _start_time(pid: int) -> float | None:
    """None when there is no such process or it is only a zombie."""
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

    def acquire(self, wait_s: float = 0.0) -> None:
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
