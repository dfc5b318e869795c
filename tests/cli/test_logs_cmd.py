"""``lao logs``: what happened, of all, a plan, a task or a run; following; bad input."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES
from tests.workflows.conftest import Plant, identity, plant  # noqa: F401  # fixtures

PARTS = "---\nvalidation: test -e part_a.txt\n---\n# Parts\n\n- task: part a | file: part_a.txt | content: one\n"
LAO = [sys.executable, "-m", "lao"]


@pytest.fixture
def lao(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """Runs a command as a program of its own."""
    for name in (*VARIABLES, *CONFIG_VARIABLES, FLAGS_VARIABLE):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str, code: int = 0) -> str:
        done = subprocess.run([*LAO, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == code, done
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    return call


def test_everything_is_told_in_the_order_of_time(
    plant: Callable[..., Plant],  # noqa: F811
    lao: Callable[..., str],
) -> None:
    """M2: runs, steps, calls, tools and checks, each with the row that says so; the scope narrows it."""
    it = plant()
    it.submit("parts", PARTS)
    it.turn()
    found = json.loads(lao("logs", "--tail", "500", "--json"))
    assert {"plan", "run", "step", "call", "check", "tool"} <= {one["kind"] for one in found}
    assert [one["at"] for one in found] == sorted(one["at"] for one in found)
    assert len({one["ref"] for one in found}) == len(found)
    task = json.loads(lao("logs", "#1", "--json", "--tail", "500"))
    assert {one["task"] for one in task} == {1} and len(task) < len(found)
    first = json.loads(lao("logs", "run:1", "--json"))
    assert {one["run"] for one in first} == {1}
    assert len(lao("logs", "parts", "--tail", "3").splitlines()) == 3


def test_following_shows_what_comes(
    plant: Callable[..., Plant],  # noqa: F811
    lao: Callable[..., str],
    tmp_path: Path,
) -> None:
    """M2: what others commit is shown within moments, once, until it is stopped."""
    it = plant()
    it.submit("parts", PARTS)
    with subprocess.Popen(
        [*LAO, "logs", "--follow", "--json"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as seen:
        guard = threading.Timer(50, seen.kill)
        guard.start()
        try:
            assert seen.stdout is not None
            assert json.loads(seen.stdout.readline())["kind"] == "plan"
            it.turn()
            refs = []
            for line in seen.stdout:
                refs.append(json.loads(line)["ref"])
                if "run:1:end" in refs:
                    break
            assert len(set(refs)) == len(refs) and "run:1:begin" in refs
        finally:
            seen.kill()
            guard.cancel()
    assert lao("logs", "parts") != ""


def test_what_is_not_there(lao: Callable[..., str]) -> None:
    """M2: an empty project says so; unknown names are bad input."""
    assert lao("logs") == "nothing has happened yet\n"
    assert "no plan or task 'shop'" in lao("logs", "shop", code=42)
    assert "no run 7" in lao("logs", "run:7", code=42)
    lao("logs", "--tail", "0", code=2)
