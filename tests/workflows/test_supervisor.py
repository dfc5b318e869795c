"""The supervisor: which commands it runs, what it does when a worker dies."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from lao.core.states import Queue
from tests.durability.factory_run import kill_group, plan_text, project
from tests.durability.test_processes import status, until, workers
from workflows.supervisor import worker_command, worker_environment


def test_the_commands_are_plain_huey_consumers() -> None:
    """O1: what lao run starts is what lao worker prints: one gpu thread without cron, two cpu threads."""
    gpu, cpu = worker_command(Queue.GPU), worker_command(Queue.CPU)
    assert gpu[1:] == ["workflows.gpu.huey", "-k", "thread", "-w", "1", "-n", "-d", "0.05", "-m", "0.1", "-g", "TERM"]
    assert cpu[1:] == ["workflows.cpu.huey", "-k", "thread", "-w", "2", "-d", "0.05", "-m", "0.1", "-g", "TERM"]
    assert Path(gpu[0]).name == "huey_consumer"


def test_workers_import_this_very_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A3: a checkout that is not installed runs its own code in the workers, before what PYTHONPATH named."""
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    path = worker_environment({"LAO_FLAGS": "{}"})["PYTHONPATH"].split(os.pathsep)
    assert (Path(path[0]) / "lao" / "__init__.py").exists()
    assert path[1] == "/elsewhere"


@pytest.mark.durability
def test_a_worker_that_dies_is_started_again(tmp_path: Path) -> None:
    """K1: kill -9 of one worker alone: the other lives on, a new one takes over, and the plan is finished."""
    with project(tmp_path, first_token_s=0.1) as factory:
        (factory.root / "plans" / "parts.md").write_text(plan_text(4))
        run = factory.start("run", "--plain", log=tmp_path / "log")
        try:
            until(lambda: status(factory)["calls"]["model"] >= 2)
            before = workers(factory)
            os.kill(before["gpu"], signal.SIGKILL)
            until(lambda: [p["state"] for p in status(factory)["plans"]] == ["completed"], 60)
            after = workers(factory)
            assert after["cpu"] == before["cpu"]
            assert after["gpu"] != before["gpu"]
        finally:
            kill_group(run)
        shown = json.loads(factory.lao("status", "--json").stdout)
        assert [t["attempts"] for t in shown["tasks"]] == [1, 1, 1, 1]
        assert factory.server.stats["completions"] <= shown["calls"]["model"] + 1
