"""Worker processes forked from one that has everything imported, each of which carries out one order and ends.

A child opens the project as ``lao run`` and its workers do, takes messages from both queues with its only thread, and
ends as a worker that is asked to stop. strace can be put on that thread before it begins: ``Nursery.carry_out``.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import workflows.cpu
import workflows.gpu  # noqa: F401
from lao.cli.main import main as lao
from lao.core.errors import LaoError
from lao.core.states import Queue
from lao.state import queries, runs
from lao.workspace.desks import clean_desks
from lao.workspace.snapshots import clean_snapshots
from tests.durability.factory_run import ROOT, Project
from workflows import queues
from workflows.control import clear_cancelled
from workflows.factory import Factory, active
from workflows.reconciler import reconcile
from workflows.services import log_to_stderr, own_queue
from workflows.submission import submit_file

PR_SET_PDEATHSIG, PR_SET_PTRACER, ANYBODY = 1, 0x59616D61, -1
POLL_S = 0.02


@contextmanager
def worker() -> Iterator[Factory]:
    """The project of the working directory, opened as by ``lao run`` and both workers, its plans taken in."""
    log_to_stderr()
    factory = active.get(whole=True)
    locks = [own_queue(factory, queue) for queue in Queue]
    try:
        for file in sorted(factory.settings.paths.plans.glob("*.md")):
            submit_file(factory, file)
        state = factory.settings.paths.state_dir
        clean_snapshots(state / "snapshots")
        clear_cancelled(factory)
        clean_desks(state / "desks", lambda run: runs.is_open(factory.store, run))
        reconcile(factory)
        yield factory
    finally:
        factory.stop.set()
        for queue in Queue if factory.damaged is None else ():
            runs.unregister_worker(factory.store, queue.value, factory.owner.to_text())
        factory.close()
        for huey in (queues.cpu, queues.gpu):
            huey.storage.close()
        for lock in locks:
            lock.release()


def work(messages: int | None) -> int:
    """Carry out so many messages, or all until nothing is left to do; the exit status."""
    with worker() as factory:
        done = 0
        while messages is None or done < messages:
            worked = any(_one(huey) for huey in (queues.cpu, queues.gpu))
            done += worked
            if factory.damaged is not None:
                return factory.damaged.exit_code
            if worked:
                continue
            if queries.is_idle(factory.store):
                break
            for huey in (queues.cpu, queues.gpu):
                for task in huey.read_schedule():
                    huey.enqueue(task)
            reconcile(factory)
            factory.clock.wait(POLL_S)
    return 0


def _one(huey: queues.FactoryHuey) -> bool:
    task = huey.dequeue()
    if task is None:
        return False
    print(f"phase {type(task).__name__}", flush=True)
    huey.execute(task)
    return True


def _modules() -> int:
    """Work until nothing is left to do, and tell what was imported for it."""
    code = work(None)
    print(json.dumps(sorted(sys.modules)))
    return code


ORDERS: dict[str, Callable[..., int]] = {"work": work, "modules": _modules, "lao": lambda *words: lao(words)}


def _prctl(option: int, value: int) -> None:
    with suppress(OSError, AttributeError):  # no Linux
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _child(order: dict[str, Any]) -> None:
    """Carry out the order and end this process."""
    code = 1
    try:
        os.setsid()
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        out = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.chdir(order["cwd"])
        os.environ.update(order["environment"], LAB_WORKER=str(os.getpid()))
        if order["gate"]:
            _prctl(PR_SET_PTRACER, ANYBODY)  # where only a parent may trace (Yama)
            Path(order["gate"]).read_bytes()
        code = ORDERS[order["do"]](*order["arguments"])
    except LaoError as error:
        print(f"lao: {error}")
        code = error.exit_code
    finally:
        if sys.exc_info()[0]:
            traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
        os._exit(code)


def _tend() -> None:
    """Carry out orders, one in each line of the standard input, one after the other."""
    gc.disable()
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "import":
            for name in order["arguments"]:
                with suppress(ImportError, ValueError):
                    importlib.import_module(name)
            gc.freeze()
            continue
        pid = os.fork()
        if not pid:
            gc.enable()
            _child(order)
        _tell(pid)
        _tell(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        code: its exit status, negative for a signal; None: it was killed since it did not end in time.
        said: what it printed.
    """

    code: int | None
    said: str


@dataclass
class Nursery:
    """The process that forks the children; for one project, whose folder is their working directory."""

    project: Project
    place: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _heard: bytes = field(default=b"", init=False)

    def __enter__(self) -> Nursery:
        self.place.mkdir(parents=True)
        os.mkfifo(self.place / "gate")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.durability.nursery"],
            cwd=ROOT,
            env=self.project.environment(PYTHONDONTWRITEBYTECODE="1"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        return self

    def __exit__(self, *_of_error: object) -> None:
        assert self._process is not None and self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def carry_out(
        self,
        do: str,
        *arguments: Any,
        trace: Sequence[str] = (),
        fault_s: float = 0,
        timeout_s: float = 300,
        **environment: str,
    ) -> Ended:
        """Let a child carry out an order of ``ORDERS`` and wait until it has ended; its process group ends with it.

        Args:
            trace: what follows ``strace -p PID``; only the child's first thread is traced, from its beginning.
            fault_s: strace leaves a child that has not ended after so long, and so do its faults; 0: never.
        """
        log, gate = self.place / "said", self.place / "gate" if trace else None
        self._order(do, arguments, environment, log, gate)
        pid = self._told()
        assert pid is not None
        tracer = _attach(pid, trace) if trace else None
        if gate is not None:
            gate.write_text("go")
        code = self._told(fault_s) if fault_s and tracer else None
        if code is None:
            if fault_s and tracer:
                tracer.send_signal(signal.SIGINT)
            code = self._told(timeout_s)
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        if code is None:
            self._told()
        if tracer is not None:
            tracer.communicate()
        return Ended(code, log.read_text(errors="replace") if log.exists() else "")

    def warm_up(self, names: Sequence[str]) -> None:
        """Import modules, so that the children need not."""
        self._order("import", names, {}, self.place / "said", None)

    def _order(
        self, do: str, arguments: Sequence[Any], environment: dict[str, str], log: Path, gate: Path | None
    ) -> None:
        assert self._process is not None and self._process.stdin is not None
        order = {"do": do, "arguments": list(arguments), "environment": environment, "log": str(log)}
        order |= {"gate": str(gate) if gate else "", "cwd": str(self.project.root)}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")

    def _told(self, timeout_s: float | None = None) -> int | None:
        """The next number that the nursery tells; None when the time is over."""
        assert self._process is not None and self._process.stdout is not None
        while b"\n" not in self._heard:
            if not select.select([self._process.stdout], [], [], timeout_s)[0]:
                return None
            heard = self._process.stdout.read(100)
            if not heard:
                raise RuntimeError(f"the nursery ended with {self._process.wait()}")
            self._heard += heard
        line, _, self._heard = self._heard.partition(b"\n")
        return int(line)


def _attach(pid: int, trace: Sequence[str]) -> subprocess.Popen[str]:
    """strace on a process, once it is attached.

    Raises:
        RuntimeError: it cannot be.
    """
    tracer = subprocess.Popen(["strace", "-p", str(pid), *trace], stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    told = tracer.stderr.readline()
    if "attached" not in told:
        raise RuntimeError(f"strace: {told}{tracer.communicate()[1]}")
    return tracer


def can_attach() -> str:
    """Why strace cannot be put on a process here ("" when it can)."""
    code = f"import ctypes; ctypes.CDLL(None).prctl({PR_SET_PTRACER}, {ANYBODY}, 0, 0, 0); print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as one:
        assert one.stdout is not None
        one.stdout.readline()
        try:
            tracer = _attach(one.pid, ["-o", os.devnull, "-e", "trace=none"])
        except FileNotFoundError:
            return "strace is not installed"
        except RuntimeError as error:
            return f"strace does not work here: {error}"
        finally:
            one.communicate(b"\n")
        tracer.communicate()
    return ""


if __name__ == "__main__":
    _tend()
