"""What MCP servers cost the coder's prompt in a small window: its own tools first, and what was left out is said."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lao.agents.toolset import SETS, offered
from lao.core.states import Phase
from lao.llm.tokens import estimate
from lao.state import journal
from lao.state.tables import AuditRow, ModelEventRow, RunRow
from lao.tools.mcp.offers import Offer
from tests.node.tools import program
from tests.workflows.conftest import Plant
from tests.workflows.test_tools_in_flow import PLAN, call, scripted
from workflows.mcp import CONTEXT_SHARE

Open = Callable[..., Plant]
WINDOW = 8_192


def first_prompt(plan: str) -> int:
    """Tokens of the first prompt of the plan's coder, as the server counted them."""
    (run,) = RunRow.select().where(RunRow.phase == "code", RunRow.plan == plan)
    return int(ModelEventRow.get(ModelEventRow.run == run.id, ModelEventRow.kind == "call").prompt_tokens)


def test_a_small_window_keeps_its_own_tools_and_names_what_is_left_out(
    plant: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """N1 F1: server-everything with all of its tools in 8,192 tokens: LAO's own eight are there and work, the server's
    take a tenth at most, and the log names the others."""
    small = {"models": {"coder": {"key": "sim-coder", "supports_tools": True, "context_length": WINDOW}}}
    write = call("file_write", path="part_1.txt", content="x\n")
    without = plant(scripted([write]), **small)
    bare = without.submit("bare", PLAN)
    without.turn()
    entry = {"name": "all", "command": program("mcp-server-everything"), "enabled_tools": ["*"]}
    turns = [call("shell_exec", command="true")], [call("mcp__all__echo", message="hi")], [write]
    factory = plant(
        scripted(*turns), mcp_servers=[{**entry, "startup_timeout_s": 60}], mcp={"tool_tokens": 100_000}, **small
    )
    with caplog.at_level(logging.INFO, "lao"):
        plan = factory.submit("full", PLAN.replace("Parts", "More parts"))
        factory.turn()
    assert [p["state"] for p in factory.plans()] == ["completed"] * 2
    granted = [row.tool for row in AuditRow.select().order_by(AuditRow.id) if row.granted and row.ok]
    assert granted[-3:] == ["shell_exec", "mcp__all__echo", "file_write"]
    (run,) = RunRow.select().where(RunRow.phase == "code", RunRow.plan == plan)
    (context,) = [s for s in journal.load(factory.factory.store, run.id) if s.label == "context"]
    offers = [Offer.from_json(item) for item in context.result["mcp"]]
    cost = sum(offer.tokens(estimate) for offer in offers)
    (told,) = [r.getMessage() for r in caplog.records if "tools are offered" in r.getMessage()]
    counted = re.search(r"only (\d+) of (\d+) tools are offered, .* may take (\d+) tokens .*; left out: (.+)$", told)
    assert counted
    assert int(counted[1]) == len(offers) >= 1
    assert int(counted[2]) - len(offers) == len(counted[4].split(", ")), "each one is named"
    assert not set(counted[4].split(", ")) & {offer.tool for offer in offers}
    assert cost <= WINDOW // CONTEXT_SHARE == int(counted[3])
    assert offered(Phase.CODE, WINDOW) == SETS[Phase.CODE]
    more = first_prompt(plan) - first_prompt(bare)
    assert 0 < more <= WINDOW // CONTEXT_SHARE
