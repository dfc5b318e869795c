"""Messages to a person out of real workers (``lao run``), also after a kill -9 of everything while one is sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.durability.factory_run import kill_group, plan_text, project
from tests.durability.test_processes import until

pytestmark = pytest.mark.durability


def told(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line] if path.exists() else []


def test_a_message_survives_a_kill(tmp_path: Path) -> None:
    """M4 K1: killed while the command hangs; the next workers send the same message again, and no other is lost."""
    path, gate = tmp_path / "told.jsonl", tmp_path / "gate"
    gate.touch()
    line = f'printf "%s\\n" "$1" >> {path}; test ! -e {gate} || sleep 600'
    settings = {"notify": {"command": line, "timeout_s": 300}}
    with project(tmp_path, settings=settings) as factory:
        (factory.root / "plans" / "first.md").write_text(plan_text(1))
        process = factory.start("run", "--plain", log=tmp_path / "run.log")
        try:
            until(lambda: told(path), 120)
            (factory.root / "plans" / "second.md").write_text("# Second\n\n" + plan_text(1))
        finally:
            kill_group(process)
        gate.unlink()
        done = factory.lao("run", "--single-run", "--plain")
        assert done.returncode == 0, done.stderr
        plans = [(message["event"], message["plan"]) for message in told(path)]
        assert plans == [("plan_done", "first"), ("plan_done", "first"), ("plan_done", "second")]
        assert len({str(message["id"]) for message in told(path)}) == 2
