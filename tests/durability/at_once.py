"""A process of LAO that is ready to start and waits for the word: several of them start at the same instant.

Run: python -m tests.durability.at_once run [OPTION ...], or ... at_once cpu|gpu for a plain huey_consumer. It says
``ready`` and goes on when its standard input ends.
"""

from __future__ import annotations

import importlib
import runpy
import subprocess
import sys

from lao.core.states import Queue
from tests.durability.factory_run import Project
from workflows.supervisor import worker_command


def waiting(factory: Project, *what: str) -> subprocess.Popen[str]:
    """A process that has loaded its program and waits; ``release`` lets it go."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.durability.at_once", *what],
        cwd=factory.root,
        env=factory.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.stdout.read()
    return process


def release(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()


def main() -> None:
    what, *options = sys.argv[1:]
    if what == "run":
        from lao.cli.main import main as lao_main

        _load("lao.cli.run_cmd", "workflows.factory", "workflows.supervisor", "workflows.phases")
        _wait()
        sys.exit(lao_main(["run", *options]))
    _load("huey.bin.huey_consumer", "workflows.phases")
    command = worker_command(Queue(what))
    at = next(i for i, word in enumerate(command) if word.startswith("workflows."))
    sys.argv = ["huey_consumer", *command[at:], "-q"]
    _wait()
    runpy.run_module("huey.bin.huey_consumer", run_name="__main__")


def _load(*modules: str) -> None:
    for name in modules:
        importlib.import_module(name)


def _wait() -> None:
    print("ready", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
