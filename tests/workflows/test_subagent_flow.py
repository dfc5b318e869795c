"""The helper through the whole pipeline: offered only where it was asked for and the window is large."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lao.state.tables import AuditRow, ModelEventRow
from tests.workflows.conftest import MODELS, Plant
from tests.workflows.test_tools_in_flow import PLAN, call

Open = Callable[..., Plant]


def answers() -> dict[str, object]:
    """A coder that sends a helper once, and a helper that looks into a folder and reports."""

    def rule(role: str, answer: dict[str, object], times: int = 1) -> dict[str, object]:
        return {"match": {"role": role}, "answer": answer, "times": times}

    return {
        "responses": [
            rule("coder", {"tool_calls": [call("agent_run", goal="What is there?")]}),
            rule("helper", {"tool_calls": [call("list_dir")]}),
            rule("helper", {"text": "There is LAO_PLAN.md."}),
            rule("coder", {"tool_calls": [call("file_write", path="part_1.txt", content="x\n")]}),
            {"match": {"role": "coder"}, "answer": {"text": "Done."}},
        ]
    }


def models(context: int) -> dict[str, object]:
    found: dict[str, object] = {role: {"key": key, "supports_tools": True} for role, key in MODELS.items()}
    return {**found, "coder": {"key": "sim-coder", "supports_tools": True, "context_length": context}}


def test_a_coder_sends_a_helper(plant: Open) -> None:
    """F2: the same resident model is asked, every call is audited and counted, and the plan is completed."""
    factory = plant(answers(), models=models(65_536), agentic={"subagent_enabled": True})
    factory.submit("helped", PLAN)
    factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]
    tools = [(row.tool, row.ok) for row in AuditRow.select().order_by(AuditRow.id)]
    assert tools == [("list_dir", True), ("agent_run", True), ("file_write", True)]
    coding = [r for r in ModelEventRow.select().where(ModelEventRow.kind == "call") if r.role == "coder"]
    assert [r.data["label"] for r in coding][1:3] == ["model:tool:agent_run-1-1", "model:tool:agent_run-1-2"]
    assert {r.model for r in coding} == {"sim-coder"}
    loads = [r.model for r in ModelEventRow.select().where(ModelEventRow.kind == "load")]
    assert loads.count("sim-coder") == 1, "a helper never swaps models"


@pytest.mark.parametrize(("context", "agentic"), [(65_536, {}), (16_384, {"subagent_enabled": True})])
def test_it_is_not_offered_otherwise(plant: Open, context: int, agentic: dict[str, object]) -> None:
    """F2: off by default, and never in a small window: the call is one of an unknown tool."""
    factory = plant(answers(), models=models(context), agentic=agentic)
    factory.submit("alone", PLAN)
    factory.turn()
    assert not AuditRow.select().where(AuditRow.tool == "agent_run", AuditRow.granted).exists()
    assert not [r for r in ModelEventRow.select() if "agent_run" in str((r.data or {}).get("label"))]
