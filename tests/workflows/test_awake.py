"""Promise: the machine is kept awake while there is work and only then; the inhibitor ends whenever LAO does."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lao.core.states import PlanState
from lao.state.tables import PlanRow
from lao.state.transitions import move_plan
from tests.durability.test_processes import until
from tests.workflows.conftest import Plant
from workflows import awake
from workflows.awake import Wakefulness, inhibitor, keep_awake

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the stand-in is a systemd-inhibit")

ROOT = Path(__file__).resolve().parents[2]
STAND_IN = """#!/bin/sh
echo "$@" >> {folder}/started
while read -r line; do :; done
echo over >> {folder}/ended
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ``systemd-inhibit`` on the PATH that notes its start and its end, and ends with its standard input."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "systemd-inhibit"
    program.write_text(STAND_IN.format(folder=folder))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(awake, "LOOK_S", 0.02)
    return folder


def count(folder: Path, what: str) -> int:
    path = folder / what
    return len(path.read_text().splitlines()) if path.exists() else 0


@contextmanager
def service(plant: Plant) -> Iterator[None]:
    """The service on a thread, as the gpu worker runs it."""
    thread = threading.Thread(target=keep_awake, args=(plant.factory,))
    thread.start()
    try:
        yield
    finally:
        plant.factory.stop.set()
        thread.join(30)
        assert not thread.is_alive()


def cancel(plant: Plant, plan: str) -> None:
    with plant.factory.store.write():
        move_plan(PlanRow.get_by_id(plan), PlanState.CANCELLED, 0.0)


def test_awake_while_there_is_work(plant: Callable[..., Plant], stand_in: Path) -> None:
    """It starts when work appears, ends when there is none, starts again for the next, and ends with the worker."""
    project = plant()
    with service(project):
        plan = project.submit("one", "# One\n\nDo it.\n")
        until(lambda: count(stand_in, "started") == 1)
        assert count(stand_in, "ended") == 0
        cancel(project, plan)
        until(lambda: count(stand_in, "ended") == 1)
        assert count(stand_in, "started") == 1
        project.submit("two", "# Two\n\nDo it.\n")
        until(lambda: count(stand_in, "started") == 2)
    until(lambda: count(stand_in, "ended") == 2)
    told = (stand_in / "started").read_text().splitlines()[0]
    assert told == "--what=sleep:idle --who=lao --why=there are plans to work on --mode=block cat"


def test_it_ends_when_the_worker_is_killed(plant: Callable[..., Plant], stand_in: Path) -> None:
    """kill -9 of the worker closes the pipe, and that is the end of the inhibitor."""
    project = plant()
    project.submit("one", "# One\n\nDo it.\n")
    code = (
        "import sys; from pathlib import Path; from lao.config.load import load; from workflows.factory import Factory;"
        "from workflows.awake import keep_awake; keep_awake(Factory(load(cwd=Path(sys.argv[1]), env={})))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    worker = subprocess.Popen([sys.executable, "-c", code, str(project.root)], env=environment)
    try:
        until(lambda: count(stand_in, "started") == 1, 120)
        assert count(stand_in, "ended") == 0
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    until(lambda: count(stand_in, "ended") == 1)


def test_it_can_be_switched_off(plant: Callable[..., Plant], stand_in: Path, caplog: pytest.LogCaptureFixture) -> None:
    """orchestration.keep_awake: false starts nothing, whatever there is to do, and says so once."""
    project = plant(orchestration={"keep_awake": False})
    project.submit("one", "# One\n\nDo it.\n")
    with caplog.at_level(logging.DEBUG, "lao"), service(project):
        until(lambda: "not kept awake" in caplog.text)
    assert [r.levelname for r in caplog.records if "awake" in r.message] == ["DEBUG"]
    assert count(stand_in, "started") == 0


def test_without_a_tool_there_is_one_quiet_line(
    plant: Callable[..., Plant], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Neither systemd-inhibit nor caffeinate: the worker works, one line at debug level."""
    project = plant()
    monkeypatch.setenv("PATH", str(tmp_path))
    with caplog.at_level(logging.DEBUG, "lao"), service(project):
        until(lambda: "not kept awake" in caplog.text)
    assert [r.levelname for r in caplog.records if "awake" in r.message] == ["DEBUG"]


def test_one_that_is_refused_is_not_tried_again(stand_in: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without the right to it the tool ends at once: noted once, and not started every two seconds of a night."""
    (stand_in / "systemd-inhibit").write_text(f"#!/bin/sh\necho no >> {stand_in}/started\nexit 1\n")
    command = inhibitor()
    assert command is not None
    state = Wakefulness(command)
    with caplog.at_level(logging.DEBUG, "lao"):
        state.want(True)
        assert state._child is not None
        state._child.wait()
        for _ in range(3):
            state.want(True)
    assert count(stand_in, "started") == 1
    assert sum("exit code 1" in r.message for r in caplog.records) == 1


def test_one_that_does_not_mind_its_pipe_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """caffeinate does not read: it is terminated, and one that ignores that is killed."""
    monkeypatch.setattr(awake, "ENDING_S", 0.1)
    for ignored in ("", "trap '' TERM; "):
        state = Wakefulness(["sh", "-c", f"{ignored}exec 0</dev/null; exec sleep 600"])
        state.want(True)
        child = state._child
        assert child is not None
        state.want(False)
        assert child.poll() is not None


def test_the_command_lines() -> None:
    """One for each system, none where there is no tool."""

    def there(name: str) -> str:
        return f"/usr/bin/{name}"

    assert inhibitor("linux", there) == (
        "/usr/bin/systemd-inhibit", "--what=sleep:idle", "--who=lao", "--why=there are plans to work on",
        "--mode=block", "cat",
    )  # fmt: skip
    assert inhibitor("darwin", there) == ("/usr/bin/caffeinate", "-i", "-w", str(os.getpid()))
    assert inhibitor("win32", there) is None
    assert inhibitor("linux", lambda _name: None) is None
    assert inhibitor("darwin", lambda _name: None) is None
