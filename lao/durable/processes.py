"""Processes: running a shell command whole and killing it whole.

Does not decide which commands may run (``lao.tools.permissions``) nor record them (the journal).
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from lao.core.errors import BadInput, DiskFull, Interrupted, LaoError
from lao.core.words import CommandResult
from lao.durable import space
from lao.durable.containment import Containment
from lao.durable.crowd import Crowd
from lao.durable.owners import start_time
from lao.durable.sandbox.enclosure import Enclosed, enclosed
from lao.durable.sandbox.policy import OPEN, Sandbox
from lao.durable.sandbox.rights import Restored
from lao.durable.tied import tied

MARKER: Final = "LAO_RUN"
_SECRET: Final = re.compile(r"KEY|SECRET|TOKEN|PASSWORD", re.IGNORECASE)
_TERM_GRACE_S: Final = 2.0
_POLL_S: Final = 0.05
_DYING_S: Final = 2.0
_FIRST_OF_THEIRS: Final = (Containment.BUBBLEWRAP, Containment.UNSHARE)  # their leader's end is that of all the others
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
    containment: Sandbox | Containment = OPEN,
    output_limit: int = 200_000,
    stop: Callable[[], bool] | None = None,
    given: bytes | None = None,
) -> CommandResult:
    """Run ``command`` with ``/bin/sh -c`` in a process group of its own and leave none of its processes behind.

    A marker belongs to one command at a time: whatever carries it when the shell has ended is killed.

    Args:
        env: variables beside those that a command may have (``lao.durable.sandbox.environment``).
        containment: what it may see, write, reach and use, and what ends its processes when this one dies. A line is
            put after the output of a command that has failed at it. A ``Containment`` only does the latter: for the
            user's own programs.
        output_limit: bytes of output that are kept, half from the start and half from the end.
        stop: asked about 20 times a second; True kills the command.
        given: what it reads on stdin; stderr is then kept apart (``errors``), with a limit of its own.

    Raises:
        Interrupted: ``stop`` said so; the command was killed half-way.
        DiskFull: it failed, and there is no space in ``cwd``: what it says is not about the work.
        BadInput: ``cwd`` is not a folder or the command has a NUL byte.
    """
    _require_runnable(command, cwd)
    started = time.monotonic()
    output, errors = _Output(output_limit), _Output(output_limit)
    with _inside(containment, command, cwd, marker, env) as inside:
        status, ending = _run(inside, cwd, (output, errors), deadline=started + timeout_s, stop=stop, given=given)
    if ending == "stopped":
        raise Interrupted(f"stopped while {command[:200]!r} was running")
    if status:
        _require_space(command, cwd)
    text = output.text()
    notes = [] if isinstance(containment, Containment) else [inside.note(text, status)]
    if ending == "crowd":
        notes.append(f"[sandbox: killed, it had more than {inside.sandbox.limits.processes} processes at once]")
    return CommandResult(
        command=command,
        exit_code=status,
        output="\n".join([text.rstrip("\n"), *filter(None, notes), ""]) if any(notes) else text,
        seconds=round(time.monotonic() - started, 3),
        timed_out=ending == "timeout",
        truncated_bytes=output.dropped,
        errors=errors.text(),
        isolation="" if isinstance(containment, Containment) else inside.isolation,
    )


@contextlib.contextmanager
def _inside(
    containment: Sandbox | Containment, command: str, cwd: Path, marker: str, env: Mapping[str, str] | None
) -> Iterator[Enclosed]:
    """The command as it is started: in its sandbox, or tied to this process only."""
    if isinstance(containment, Containment):
        yield Enclosed(tied(command, containment), child_environment(marker, env), Sandbox(containment), Restored())
        return
    with enclosed(containment, command, cwd, {**_QUIET, MARKER: marker}, env) as inside:
        yield inside


def _run(
    inside: Enclosed,
    cwd: Path,
    outputs: tuple[_Output, _Output],
    *,
    deadline: float,
    stop: Callable[[], bool] | None,
    given: bytes | None,
) -> tuple[int, str]:
    """The exit status, and how it ended: "ended", "timeout", "crowd" or "stopped"."""
    marker = inside.environment[MARKER]
    with _started(inside, cwd, given) as process:
        pipes = (process.stdout, process.stderr)
        streams = [(pipe, kept) for pipe, kept in zip(pipes, outputs, strict=True) if pipe is not None]
        try:
            ending = _attend(process, streams, deadline=deadline, stop=stop, sandbox=inside.sandbox)
        finally:
            _kill_group(process.pid, signal.SIGKILL)
            process.wait()
            _await_gone(_members(process.pid))
            _kill_where(lambda value: value == marker)
        for pipe, kept in streams:
            kept.drain(pipe)
    return process.returncode, ending


def _started(inside: Enclosed, cwd: Path, given: bytes | None) -> subprocess.Popen[bytes]:
    """The process. What it is given is a file that is in no folder any more, so that nobody waits to write it."""
    with tempfile.TemporaryFile() if given is not None else contextlib.nullcontext() as file:
        if file is not None:
            file.write(given or b"")
            file.seek(0)
        return subprocess.Popen(
            inside.argv,
            cwd=cwd,
            env=inside.environment,
            pass_fds=inside.handles,
            stdin=subprocess.DEVNULL if file is None else file,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if file is None else subprocess.PIPE,
            start_new_session=True,
        )


def _require_runnable(command: str, cwd: Path) -> None:
    if os.name == "nt":
        raise LaoError(f"cannot run {command!r}: commands need a POSIX shell", "run LAO under WSL, Linux or macOS")
    if "\0" in command or not cwd.is_dir():
        raise BadInput(f"cannot run {command[:200]!r} in {str(cwd)!r}", "the folder must exist, the command be text")


def _require_space(command: str, cwd: Path) -> None:
    if space.is_full(cwd):
        raise DiskFull(
            f"disk full: {command[:200]!r} failed, and no space is left in {str(cwd)!r}",
            "free some space; LAO goes on by itself",
        )


def _attend(
    process: subprocess.Popen[bytes],
    streams: Iterable[tuple[IO[bytes], _Output]],
    *,
    deadline: float,
    stop: Callable[[], bool] | None,
    sandbox: Sandbox,
) -> str:
    """Read the output until the shell itself has ended; returns "ended", "timeout", "crowd" or "stopped".

    One loop instead of a reading thread: a grandchild that keeps the pipe open can then block nothing.
    """
    ending, crowd = "ended", Crowd(process.pid, sandbox.limits.processes)
    with selectors.DefaultSelector() as selector:
        for pipe, output in streams:
            os.set_blocking(pipe.fileno(), False)
            selector.register(pipe, selectors.EVENT_READ, (pipe, output))
        while process.poll() is None:
            if selector.get_map():
                for key, _ in selector.select(_POLL_S):
                    pipe, output = key.data
                    if not output.read(pipe):
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
                _ask_to_end(process.pid, process.pid if sandbox.how in _FIRST_OF_THEIRS else None)
                deadline = now + _TERM_GRACE_S
            elif crowd.is_too_large():
                return "crowd"
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


def _ask_to_end(group: int, leader: int | None) -> None:
    """SIGTERM for all of a group but the leader of a container, which would take the others with it at once."""
    for pid in _members(group):
        if pid != leader:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)


def _kill_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _members(group: int) -> list[int]:
    """Processes of a group whose leader is already reaped; usually there are none and one system call says so."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return []
    except PermissionError:  # macOS: what is left are zombies
        return []
    import psutil

    found = []
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if os.getpgid(pid) == group:
                found.append(pid)
    return found


def _await_gone(pids: Iterable[int]) -> None:
    """Wait until killed processes have ended: a kill returns before the kernel has closed what they held.

    After two seconds a process that cannot die (it waits for a dead disk) is left to the kernel.
    """
    deadline = time.monotonic() + _DYING_S
    for pid in pids:
        while start_time(pid) is not None and time.monotonic() < deadline:
            threading.Event().wait(0.002)


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
    _await_gone(killed)
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
