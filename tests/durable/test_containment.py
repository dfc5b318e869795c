"""Promises of lao.durable.containment: whatever a command has started dies with the worker, even a daemon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lao.core.words import CommandResult
from lao.durable.containment import Containment, choose, works
from lao.durable.processes import run_command
from lao.durable.sandbox.policy import Sandbox

TRIES = {"nightly": 100, "release": 100}.get(os.environ.get("LAO_LAB", ""), 2)
REAL = [Containment.BUBBLEWRAP, Containment.UNSHARE]
WORKER = """
import sys
from collections.abc import Callable
from pathlib import Path
from lao.durable.containment import Containment
from lao.durable.processes import run_command
from lao.durable.sandbox.policy import Sandbox
run_command(sys.argv[1], cwd=Path.cwd(), timeout_s=600, marker="t", containment=Sandbox(Containment(sys.argv[2])))
"""
DAEMON = """
import os, time
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
while True:
    open("beats", "a").write(".")
    time.sleep(0.01)
"""


def needs(how: Containment) -> None:
    if not works(how):
        pytest.skip(f"{how.value} does not work here")


def run(command: str, cwd: Path, how: Containment, timeout_s: float = 20) -> CommandResult:
    return run_command(command, cwd=cwd, timeout_s=timeout_s, marker=str(cwd), containment=Sandbox(how))


def still_beating(beats: Path) -> bool:
    """Whether the file is never quiet for half a second within two: the kernel ends a namespace soon, not at once."""
    end = time.monotonic() + 2.0
    size, quiet_since = beats.stat().st_size, time.monotonic()
    while time.monotonic() < end or beats.stat().st_size == size:
        if beats.stat().st_size > size:
            size, quiet_since = beats.stat().st_size, time.monotonic()
        elif time.monotonic() - quiet_since >= 0.5:
            return False
        threading.Event().wait(0.02)
    return True


def killed(folder: Path, how: Containment) -> Path:
    """The file of a daemon, without marker, whose worker was killed with -9 once it had written."""
    (folder / "daemon.py").write_text(DAEMON)
    command = f"env -i {sys.executable} daemon.py & exec sleep 600"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    worker = subprocess.Popen([sys.executable, "-c", WORKER, command, how.value], cwd=folder, env=environment)
    beats, deadline = folder / "beats", time.monotonic() + 20
    while not (beats.exists() and beats.stat().st_size > 3):
        assert worker.poll() is None and time.monotonic() < deadline, "the daemon did not begin"
        threading.Event().wait(0.01)
    worker.kill()
    worker.wait()
    return beats


@pytest.mark.parametrize("how", REAL)
def test_a_daemon_without_a_marker_dies_with_the_worker(
    tmp_path: Path, how: Containment, record_property: Callable[[str, object], None]
) -> None:
    """G4 K2: kill -9 of the worker; two seconds later a child that has left session and environment is dead too."""
    needs(how)
    for number in range(TRIES):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert not still_beating(killed(folder, how))
    record_property("injected", TRIES)


def test_without_a_container_it_goes_on(tmp_path: Path) -> None:
    """What the container is for; the marker would have been found, a scrubbed environment is not."""
    beats = killed(tmp_path, Containment.NONE)
    try:
        assert still_beating(beats)
    finally:
        subprocess.run(["pkill", "-KILL", "-f", "daemon.py"], check=False)


@pytest.mark.parametrize("how", [*REAL, Containment.NONE])
def test_a_command_is_the_same_in_it(tmp_path: Path, how: Containment) -> None:
    """Output, exit status, files, the folder and the environment are what they are without."""
    needs(how)
    result = run('echo "$PWD"; echo two >&2; echo 1 > made; test -n "$LAO_RUN"; exit 7', tmp_path, how)
    assert (result.output, result.exit_code) == (f"{tmp_path}\ntwo\n", 7)
    assert (tmp_path / "made").read_text() == "1\n"
    assert run("true", tmp_path, how).passed


@pytest.mark.parametrize("how", [*REAL, Containment.NONE])
def test_a_command_that_takes_too_long_is_asked_first(tmp_path: Path, how: Containment) -> None:
    """At its limit it gets SIGTERM, and time to tidy up."""
    needs(how)
    waiting = f"{sys.executable} -c \"import signal,sys,time; signal.signal(15, lambda *_: sys.exit('tidy'));"
    result = run(f'exec {waiting} print(1, flush=True); time.sleep(60)"', tmp_path, how, 1.5)
    assert result.timed_out
    assert "tidy" in result.output


def test_what_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """auto takes the first that works; a named one that does not work is none, and none is none."""
    assert choose("none") is Containment.NONE
    assert choose("auto") is next(
        (how for how in Containment if how is not Containment.NONE and works(how)), choose("none")
    )
    monkeypatch.setenv("PATH", "/nowhere")
    works.cache_clear()
    try:
        assert choose("auto") in (Containment.LANDLOCK, Containment.NONE)  # the kernel needs no program
        assert choose("bubblewrap") is Containment.NONE
    finally:
        works.cache_clear()


def test_signals_are_told(tmp_path: Path) -> None:
    """A command that a signal ends has failed, in a container too."""
    for how in filter(works, REAL):
        for number in (signal.SIGKILL, signal.SIGABRT, signal.SIGTERM):
            assert run(f"kill -{number.value} $$", tmp_path, how).exit_code == 128 + number.value
