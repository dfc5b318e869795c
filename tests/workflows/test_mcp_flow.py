"""MCP servers through the whole pipeline: a coder calls their tools, is told of few, and works without bad ones."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lao.state import journal
from lao.state.tables import AuditRow, RunRow
from tests.tools.mcp.servers import SCRIPT
from tests.workflows.conftest import Plant
from tests.workflows.test_tools_in_flow import PLAN, call, scripted

Open = Callable[..., Plant]
WRITE = call("file_write", path="part_1.txt", content="x\n")


def entry(folder: Path, behaviour: str = "good", name: str = "s", **more: object) -> dict[str, object]:
    """The scripted MCP server as mcp_servers names it."""
    return {"name": name, "command": [sys.executable, str(SCRIPT), behaviour, str(folder)], **more}


def test_a_coder_calls_a_tool_of_a_server(plant: Open, tmp_path: Path) -> None:
    """N1 F2: the tool is in the prompt under its name, the call is in the audit, the plan is completed."""
    factory = plant(
        scripted([call("mcp__s__note", text="from the coder")], [WRITE]), mcp_servers=[entry(tmp_path)]
    )  # fmt: skip
    factory.submit("tools", PLAN)
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]
    assert (tmp_path / "notes").read_text() == "from the coder\n"
    assert ("mcp__s__note", True, True) in [(row.tool, row.granted, row.ok) for row in AuditRow.select()]


def test_the_project_s_file_is_used_and_a_plan_s_is_not(plant: Open, tmp_path: Path) -> None:
    """C10: .mcp.json beside factory.yaml; the same file in the plan's folder starts nothing."""
    (tmp_path / "tools").mkdir()
    for folder, mark in ((tmp_path, "mine"), (tmp_path / "tools", "evil")):
        (tmp_path / mark).mkdir()
        command = {"command": sys.executable, "args": [str(SCRIPT), "good", str(tmp_path / mark)]}
        (folder / ".mcp.json").write_text(json.dumps({"mcpServers": {mark: command}}))
    factory = plant(scripted([call("mcp__mine__note", text="x")], [call("mcp__evil__note", text="y")], [WRITE]))
    factory.submit("tools", PLAN)
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]
    assert (tmp_path / "mine" / "notes").read_text() == "x\n"
    assert not (tmp_path / "evil" / "starts").exists()


def test_a_plan_goes_on_without_a_bad_server(
    plant: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:  # fmt: skip
    """It must show: one that does not start, and a malformed .mcp.json, are told of once and the plan is completed."""
    (tmp_path / ".mcp.json").write_text("{")
    (tmp_path / "one").mkdir()
    script = scripted([call("mcp__dead__echo", text="x")], [WRITE])
    script["responses"][-1]["times"] = 1  # the second plan gets the simulated coder's own answers
    factory = plant(script, mcp_servers=[entry(tmp_path / "one", "no-start", "dead")])
    with caplog.at_level(logging.INFO, "lao"):
        factory.submit("a", PLAN)
        factory.submit("b", PLAN.replace("Parts", "More parts"))
        factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"] * 2
    told = [r.message for r in caplog.records if r.message.startswith("MCP server")]
    assert len(told) == 2
    assert "MCP server '.mcp.json': cannot be used: it is not JSON" in told[0]
    assert "MCP server 'dead': does not start, plans go on without it" in told[1]


def test_an_attempt_records_what_it_was_offered(plant: Open, tmp_path: Path) -> None:
    """J: the tools stand in the journal: a resumed attempt has the same prompt, whatever its servers say then."""
    factory = plant(scripted([WRITE]), mcp_servers=[entry(tmp_path, enabled_tools=["echo"])])
    factory.submit("tools", PLAN)
    factory.turn()
    (run,) = RunRow.select().where(RunRow.phase == "code")
    (context,) = [s for s in journal.load(factory.factory.store, run.id) if s.label == "context"]
    assert [offer["name"] for offer in context.result["mcp"]] == ["mcp__s__echo"]


def test_a_small_window_is_offered_little(plant: Open, tmp_path: Path) -> None:
    """N1: at most a tenth of the context goes to tools of MCP servers."""
    models = {"coder": {"key": "sim-coder", "supports_tools": True, "context_length": 4096}}
    servers = [entry(tmp_path, "thousand")]
    factory = plant(scripted([WRITE]), mcp_servers=servers, models=models, mcp={"tool_tokens": 100_000})
    factory.submit("tools", PLAN)
    factory.turn()
    (run,) = RunRow.select().where(RunRow.phase == "code")
    (context,) = [s for s in journal.load(factory.factory.store, run.id) if s.label == "context"]
    assert 1 <= len(context.result["mcp"]) < 8


def test_a_project_without_servers_starts_nothing(plant: Open) -> None:
    """N1: neither a thread nor the SDK; the coder's tools are LAO's."""
    factory = plant(scripted([WRITE]))
    factory.submit("tools", PLAN)
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]
    assert factory.factory.mcp.servers == {}
    assert not any(row.tool.startswith("mcp__") for row in AuditRow.select())
