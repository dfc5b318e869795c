"""The two workers, forked from a process that has loaded LAO once: the same program, started in a tenth of the time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from lao.core.states import Queue
from workflows.supervisor import worker_command

_LOADED = ["workflows.gpu", "workflows.cpu", "huey.bin.huey_consumer", "lao.llm.client", "openai", "lao.agents.coder"]


def warmed() -> ForkServerContext:
    """Where workers can be forked from; it loads LAO at the first fork."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*_LOADED, __name__])
    return context


class Workers:
    """Both queues' consumers of the project in ``root``, each the leader of a process group of its own."""

    def __init__(self, context: ForkServerContext, root: Path, environment: Mapping[str, str], log: Path) -> None:
        self._processes: list[BaseProcess] = [
            context.Process(target=_consume, args=(queue.value, str(root), dict(environment), str(log)))
            for queue in Queue
        ]
        for process in self._processes:
            process.start()

    def join(self, timeout_s: float) -> None:
        """Wait for the first of them to end, at most so long."""
        self._processes[0].join(timeout_s)

    @property
    def alive(self) -> bool:
        """Whether both are."""
        return all(process.is_alive() for process in self._processes)

    def kill(self) -> int:
        """SIGKILL for both and what is in their groups; returns how many were alive."""
        alive = [process for process in self._processes if process.is_alive()]
        for kill in (os.killpg, os.kill):  # a process that was just forked leads no group yet
            for process in alive:
                with suppress(ProcessLookupError):
                    kill(process.pid or 0, signal.SIGKILL)
        for process in self._processes:
            process.join()
            process.close()
        return len(alive)


def _consume(queue: str, root: str, environment: dict[str, str], log: str) -> None:
    """What ``huey_consumer`` does, from its arguments on."""
    from huey.bin.huey_consumer import consumer_main

    os.setsid()
    os.chdir(root)
    os.environ.clear()
    os.environ.update(environment)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(out, stream)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    command = worker_command(Queue(queue))
    sys.argv = [command[0], *command[command.index(f"workflows.{queue}.huey") :], "-q"]
    consumer_main()
