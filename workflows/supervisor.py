"""``lao run``: starts the two plain huey_consumer processes, restarts one that dies, ends both cleanly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import lao
from lao.config.settings import Settings
from lao.core.errors import BadInput, LaoError
from lao.core.states import Queue
from lao.durable.owners import FileLock
from lao.durable.threads import Thread

CPU_WORKERS = 2
RESTARTS_A_MINUTE = 5
STARTING_S = 10.0
"""A worker that ends by itself this soon could not start; later it is a crash, and is started again."""

GRACE_S = 10.0
"""How long a phase at work may go on to its next step after the first request to stop."""

_ENDING = (signal.SIGINT, signal.SIGTERM)
_POLLING = ("-d", "0.05", "-m", "0.1", "-g", "TERM")


def worker_command(queue: Queue) -> list[str]:
    """The huey_consumer command line of one queue, as ``lao worker --print`` shows it."""
    script = Path(sys.executable).with_name("huey_consumer")
    program = [str(script)] if script.exists() else [sys.executable, "-m", "huey.bin.huey_consumer"]
    workers = ["-w", "1", "-n"] if queue is Queue.GPU else ["-w", str(CPU_WORKERS)]
    return [*program, f"workflows.{queue.value}.huey", "-k", "thread", *workers, *_POLLING]


def worker_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of the workers: ours, the flags of this call, and this very checkout of LAO."""
    root = str(Path(lao.__file__).resolve().parents[1])
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, **extra, "PYTHONPATH": f"{root}{os.pathsep}{path}" if path else root}


def check_free(settings: Settings, queues: tuple[Queue, ...] = tuple(Queue)) -> None:
    """Raise Refused, naming the pid, when a worker of this project runs already."""
    for queue in queues:
        lock = queue_lock(settings, queue)
        lock.acquire()
        lock.release()


def queue_lock(settings: Settings, queue: Queue) -> FileLock:
    return FileLock(
        settings.paths.database.with_name(f"{queue.value}.lock"), f"the {queue.value} queue of this project"
    )


@dataclass
class Supervisor:
    """The two workers as child processes in our process group.

    Attributes:
        quiet: drop the workers' own log lines.
        log: the file to which they go instead of our own stderr; begun anew.
        tell: told when a worker has died and is started again.
    """

    settings: Settings
    extra_env: Mapping[str, str] = field(default_factory=dict)
    quiet: bool = False
    log: Path | None = None
    tell: Callable[[str], None] | None = None
    queues: tuple[Queue, ...] = tuple(Queue)
    interrupted: bool = False
    _children: dict[Queue, subprocess.Popen[bytes]] = field(default_factory=dict)
    _restarts: list[float] = field(default_factory=list)
    _started: dict[Queue, float] = field(default_factory=dict)

    def run(self, over: Callable[[], bool], poll_s: float = 0.1) -> None:
        """Keep the workers running until ``over()`` says so or a signal asks to stop.

        Raises:
            Refused: the project has workers already.
            LaoError: a worker dies again and again, or cannot start (its own message is on stderr).
        """
        run_lock = FileLock(self.settings.paths.database.with_name("run.lock"), "this project")
        run_lock.acquire()
        check_free(self.settings, self.queues)
        wake_up = threading.Event()
        with _signals(self._interrupt, wake_up):
            try:
                if self.log is not None:
                    self.log.unlink(missing_ok=True)
                for queue in self.queues:
                    self._start(queue)
                while not self.interrupted and not over():
                    self._tend()
                    wake_up.wait(poll_s)
            finally:
                self._stop()
                run_lock.release()

    @contextmanager
    def tended(self, poll_s: float = 0.2) -> Iterator[None]:
        """Keep the workers running from another thread while ``over`` lets somebody else have the terminal.

        Until then SIGINT and SIGTERM raise KeyboardInterrupt in the block, as without a supervisor.

        Raises:
            LaoError: after the block, what ``run`` would have raised meanwhile.
        """
        ended, failed = threading.Event(), []

        def tend() -> None:
            while not ended.wait(poll_s):
                try:
                    self._tend()
                except LaoError as error:
                    failed.append(error)
                    return

        before = {number: signal.signal(number, signal.default_int_handler) for number in _ENDING}
        thread = Thread(tend, name="tend")
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            for number, handler in before.items():
                signal.signal(number, handler)
        if failed:
            raise failed[0]

    def _interrupt(self) -> None:
        self.interrupted = True

    def _start(self, queue: Queue) -> None:
        self._started[queue] = time.monotonic()
        with self._output() as out:
            self._children[queue] = subprocess.Popen(
                [*worker_command(queue), "-q"],
                cwd=self.settings.paths.root,
                env=worker_environment(self.extra_env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )

    @contextmanager
    def _output(self) -> Iterator[int | None]:
        if self.quiet or self.log is None:
            yield subprocess.DEVNULL if self.quiet else None
            return
        descriptor = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _tend(self) -> None:
        for queue, child in self._children.items():
            code = child.poll()
            if code is None:
                continue
            if code in (1, 42) and time.monotonic() - self._started[queue] < STARTING_S:
                kind = BadInput if code == BadInput.exit_code else LaoError
                where = "its message is above" if self.log is None else f"its message is in {str(self.log)!r}"
                raise kind(f"the {queue.value} worker ended with exit code {code}", where)
            now = time.monotonic()
            self._restarts = [at for at in self._restarts if now - at < 60] + [now]
            if len(self._restarts) > RESTARTS_A_MINUTE:
                raise LaoError(
                    f"workers died {len(self._restarts)} times in a minute (last: {queue.value}, exit code {code})",
                    "look at the log above; 'lao run' goes on where they stopped",
                )
            if self.tell is not None:
                self.tell(f"the {queue.value} worker died ({_how(code)}) and is started again")
            self._start(queue)

    def _stop(self) -> None:
        """Ask politely, then firmly, then kill."""
        for number, grace in ((signal.SIGTERM, GRACE_S), (signal.SIGINT, 3.0), (signal.SIGKILL, 5.0)):
            alive = [child for child in self._children.values() if child.poll() is None]
            for child in alive:
                child.send_signal(number)
            deadline = time.monotonic() + grace
            for child in alive:
                _wait(child, deadline)


def _how(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def _wait(child: subprocess.Popen[bytes], deadline: float) -> None:
    try:
        child.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return


@contextmanager
def _signals(interrupt: Callable[[], None], wake_up: threading.Event) -> Iterator[None]:
    """SIGINT and SIGTERM ask to stop, as long as the block runs."""

    def handle(_number: int, _frame: object) -> None:
        interrupt()
        wake_up.set()

    before = {number: signal.signal(number, handle) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
