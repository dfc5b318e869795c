"""``lao mcp check`` leaves no process, also where nothing contains a server: ended, asked to end, killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lao.durable.owners import start_time
from tests.durability.test_processes import until
from tests.tools.mcp.servers import SCRIPT

ROOT = Path(__file__).resolve().parents[2]
CHECK = [sys.executable, "-m", "lao", "mcp", "check"]

Project = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without a sandbox and with one scripted server of that behaviour."""

    def build(behaviour: str, startup_timeout_s: float = 30) -> Path:
        (tmp_path / "factory.yaml").write_text("sandbox: {backend: none}")
        arguments = [str(SCRIPT), behaviour, str(tmp_path)]
        entry = {"command": sys.executable, "args": arguments, "startup_timeout_s": startup_timeout_s}
        (tmp_path / ".mcp.json").write_text(json.dumps({"mcpServers": {"s": entry}}))
        return tmp_path

    return build


def _hears_all_signals() -> None:
    """What is started in the background of a script is born deaf to SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def start(root: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        CHECK,
        cwd=root,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_hears_all_signals,
    )


def family(root: Path) -> list[int]:
    """The server and its child, as it has noted them itself."""
    files = [root / name for name in ("starts", "children")]
    return [int(pid) for file in files if file.exists() for pid in file.read_text().split()]


def living(root: Path) -> list[int]:
    return [pid for pid in family(root) if start_time(pid) is not None]


@pytest.mark.parametrize(("behaviour", "code"), [("clings", 0), ("scrubs", 0), ("mute", 1)])
def test_nothing_is_left_when_it_has_ended(project: Project, behaviour: str, code: int) -> None:
    """K1: a server that ignores SIGTERM, a child with an own environment and session, one that never answers."""
    root = project(behaviour, 2)
    assert start(root).wait(60) == code
    assert len(family(root)) == 2
    assert living(root) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_is_left_when_it_is_asked_to_end(project: Project, number: int) -> None:
    """K1 L5: in the middle of a start that never comes to an end: exit code 130, no process."""
    root = project("mute")
    process = start(root)
    until(lambda: len(living(root)) == 2, 60)
    process.send_signal(number)
    assert process.wait(30) == 130
    assert living(root) == []


def test_what_a_killed_one_has_left_the_next_one_ends(project: Project) -> None:
    """K1: nobody can clean up after a SIGKILL but whoever comes next; another that still looks is left alone."""
    root = project("mute")
    killed = start(root)
    until(lambda: len(living(root)) == 2, 60)
    killed.kill()
    killed.wait()
    left = living(root)
    assert len(left) == 2
    other = start(root)
    until(lambda: len(family(root)) == 4, 60)
    until(lambda: not [pid for pid in left if start_time(pid) is not None], 30)
    third = start(root)
    until(lambda: len(family(root)) == 6, 60)
    assert len(living(root)) == 4, "the second one still looks"
    for process in (other, third):
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert living(root) == []
