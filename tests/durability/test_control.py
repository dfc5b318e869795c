"""cancel and stop beside real workers: what they end is gone, what was killed before leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from lao.core.states import Queue
from lao.durable.owners import start_time
from tests.durability.factory_run import kill_group, plan_text, project
from tests.durability.test_processes import status, until, workers
from workflows.supervisor import worker_command

pytestmark = pytest.mark.durability


OPEN = {"sandbox": {"backend": "none"}}
"""Commands that nothing contains: the harder case, and their process ids are those that we see."""


def sleeper(folder: Path) -> str:
    """A check that does not end; it notes its process id."""
    return f"test -e part_1.txt && echo $$ > {folder}/pid && exec sleep 600"


def alive(folder: Path) -> int | None:
    """The pid of the check while it runs."""
    text = (folder / "pid").read_text().strip() if (folder / "pid").exists() else ""
    return int(text) if text and start_time(int(text)) is not None else None


@pytest.mark.parametrize("killed", [False, True])
def test_a_cancelled_plan_leaves_no_process_and_no_desk(tmp_path: Path, killed: bool) -> None:
    """K1: beside running workers, and after kill -9 of all of them with their command living on."""
    with project(tmp_path, settings=OPEN) as factory:
        (factory.root / "plans" / "parts.md").write_text(plan_text(1, check=sleeper(tmp_path)))
        run = factory.start("run", "--plain", log=tmp_path / "log")
        try:
            until(lambda: alive(tmp_path), 60)
            if killed:
                kill_group(run)
                assert alive(tmp_path), "the command is no orphan"
            done = factory.lao("cancel", "parts", "--json")
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["phases"] == 1
            assert alive(tmp_path) is None
            until(lambda: not list((factory.root / ".lao" / "desks").glob("run-*")))
            assert [p["state"] for p in status(factory)["plans"]] == ["cancelled"]
            assert killed or len(workers(factory)) == 2
            assert not (factory.root / "parts" / "part_1.txt").exists()
        finally:
            kill_group(run)
        (factory.root / "plans" / "parts.md").unlink()
        assert factory.lao("run", "--single-run", "--plain").returncode == 0


@pytest.mark.parametrize("plain", [False, True])
def test_stop_ends_the_workers_and_the_next_run_goes_on(tmp_path: Path, plain: bool) -> None:
    """L5: lao run or plain consumers, in the middle of a command: they end, no crash is counted, no attempt is lost."""
    with project(tmp_path, settings=OPEN) as factory:
        check = f"test -e part_1.txt && if test ! -e {tmp_path}/go; then {sleeper(tmp_path)}; fi"
        (factory.root / "plans" / "parts.md").write_text(plan_text(1, check=check))
        commands = [worker_command(queue) for queue in Queue]
        consumers: list[subprocess.Popen[bytes]] = []
        try:
            if plain:
                for command in commands:
                    log = (tmp_path / "log").open("ab")
                    with log:
                        consumers.append(
                            subprocess.Popen(
                                command,
                                cwd=factory.root,
                                env=factory.environment(),
                                start_new_session=True,
                                stdout=log,
                                stderr=log,
                            )
                        )
            else:
                consumers.append(factory.start("run", "--plain", log=tmp_path / "log"))
            until(lambda: alive(tmp_path), 60)
            done = factory.lao("stop", "--json")
            assert done.returncode == 0, done.stderr
            shown = json.loads(done.stdout)
            assert shown["left"] == []
            what = ["cpu worker", "gpu worker"] if plain else ["lao run", "cpu worker", "gpu worker"]
            assert [p["what"] for p in shown["stopped"]] == what
            assert workers(factory) == {}
            assert alive(tmp_path) is None
            for consumer in consumers:
                consumer.wait(10)
        finally:
            for consumer in consumers:
                kill_group(consumer)
        assert factory.lao("stop").stdout == "nothing runs here\n"
        (tmp_path / "go").touch()
        again = factory.lao("run", "--single-run", "--plain")
        assert again.returncode == 0, again.stderr
        assert [t["attempts"] for t in status(factory)["tasks"]] == [1]


def test_what_does_not_end_is_said(tmp_path: Path) -> None:
    """A worker that cannot end (stopped by SIGSTOP) is named after the wait, with exit code 1."""
    from lao.config.load import load
    from workflows.factory import Factory, active
    from workflows.stopping import stop

    with project(tmp_path, settings=OPEN) as factory:
        run = factory.start("run", "--plain", log=tmp_path / "log")
        try:
            until(lambda: len(workers(factory)) == 2)
            os.kill(run.pid, signal.SIGSTOP)
            opened = Factory(load(cwd=factory.root, env={}))
            with active.use(opened):
                stopped, left = stop(opened, 0.5)
            opened.close()
            assert stopped == ()
            assert ("lao run", run.pid) in [(p.what, p.pid) for p in left]
            os.kill(run.pid, signal.SIGCONT)
            assert run.wait(30) == 130
        finally:
            kill_group(run)
