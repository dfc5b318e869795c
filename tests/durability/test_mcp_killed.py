"""J: kill -9 of everything while an MCP server is at work on a call: what may have happened is not done twice."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from lao.servers.simulated.scenario import parse_scenario
from tests.durability.factory_run import kill_group, plan_text, project
from tests.durability.invariants import orphans
from tests.durability.test_processes import status, until
from tests.durability.test_whole_killed import query
from tests.tools.mcp.servers import SCRIPT
from tests.workflows.test_tools_in_flow import call, scripted

pytestmark = pytest.mark.durability

AUDIT = "SELECT tool, ok, reason FROM lao_audit WHERE tool LIKE 'mcp%' ORDER BY id"


@pytest.mark.parametrize(("tool", "times", "backend"), [("note", 1, "none"), ("note", 1, "auto"), ("put", 2, "auto")])
def test_a_call_in_flight_is_repeated_only_when_it_may_be(tmp_path: Path, tool: str, times: int, backend: str) -> None:
    """A tool of unknown effect is called once, and the model told; an idempotent one again. No server outlives this."""
    entry = {"name": "s", "command": [sys.executable, str(SCRIPT), "slow", str(tmp_path)]}
    settings = {"mcp_servers": [entry], "sandbox": {"backend": backend}}
    write = call("file_write", path="part_1.txt", content="content of part 1\n")
    scenario = parse_scenario(scripted([call(f"mcp__s__{tool}", text="once")], [write]))
    with project(tmp_path, settings=settings, responses=scenario.responses) as factory:
        (factory.root / "plans" / "parts.md").write_text(plan_text(1))
        run = factory.start("run", "--single-run", "--plain", log=tmp_path / "log")
        try:
            until(lambda: (tmp_path / "under way").exists(), 120)
        finally:
            kill_group(run)
        if backend == "auto":
            until(lambda: not orphans(factory))
        else:
            assert orphans(factory), "nothing ties the server to its worker: the next one has to find it"
        (tmp_path / "go").touch()
        done = factory.lao("run", "--single-run", "--plain")
        assert done.returncode == 0, done.stderr
        assert [t["state"] for t in status(factory)["tasks"]] == ["completed"]
        assert [t["attempts"] for t in status(factory)["tasks"]] == [1]
        audit = query(factory, AUDIT)
        assert len(audit) == 1
        assert bool(audit[0][1]) is (times == 2)
        assert ("outcome unknown" in audit[0][2]) is (times == 1)
        if tool == "note":
            assert (tmp_path / "notes").read_text() == "once\n"
        assert orphans(factory) == []


def test_a_worker_that_is_asked_to_stop_waits_for_no_call(tmp_path: Path) -> None:
    """L5: SIGTERM in the middle of a call that does not end: the workers end, the server with them, no crash counts."""
    entry = {"name": "s", "command": [sys.executable, str(SCRIPT), "slow", str(tmp_path)], "tool_timeout_s": 600}
    write = call("file_write", path="part_1.txt", content="content of part 1\n")
    scenario = parse_scenario(scripted([call("mcp__s__note", text="once")], [write]))
    settings = {"mcp_servers": [entry], "sandbox": {"backend": "none"}}
    with project(tmp_path, settings=settings, responses=scenario.responses) as factory:
        (factory.root / "plans" / "parts.md").write_text(plan_text(1))
        run = factory.start("run", "--plain", log=tmp_path / "log")
        try:
            until(lambda: (tmp_path / "under way").exists(), 120)
            run.send_signal(signal.SIGTERM)
            assert run.wait(timeout=60) == 130
            assert orphans(factory) == []
        finally:
            kill_group(run)
        done = factory.lao("run", "--single-run", "--plain")
        assert done.returncode == 0, done.stderr
        assert [t["attempts"] for t in status(factory)["tasks"]] == [1]
        assert (tmp_path / "notes").read_text() == "once\n"
