"""Memory and skills through the whole pipeline: given to every role, learned from approved work, never twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lao.memory.section import split
from lao.servers.simulated.scenario import parse_scenario
from lao.state import facts
from lao.state.tables import AuditRow
from tests.workflows.conftest import Plant

Open = Callable[..., Plant]
PLAN = (
    "# Parts\n\n- task: part 1 | file: part_1.py | content: one = 1\n"
    "- task: part 2 | file: part_2.py | content: two = 2 | after: part 1\n"
)
LARGE = {"coder": {"key": "sim-coder", "supports_tools": True, "context_length": 32768}}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


def rule(role: str, contains: str, answer: dict[str, Any]) -> dict[str, Any]:
    return {"match": {"role": role, "contains": contains, "anywhere": True}, "answer": answer, "times": 1}


def write(path: str, content: str) -> dict[str, Any]:
    return {"tool_calls": [{"name": "file_write", "arguments": {"path": path, "content": content}}]}


def call(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"tool_calls": [{"name": tool, "arguments": arguments}]}


def test_approved_work_is_learned_and_told_to_the_next_task(plant: Open) -> None:
    """H2 P2: facts with their source, in the state and in LAO_MEMORY.md, in the prompt of the next task, each once."""
    knows = rule("coder", "- Wrote parts/part_1.py", write("part_2.py", "def known():\n    return 2\n"))
    it = plant({"responses": [knows]}, orchestration={"validation_build_cmd": "ls part_*.py"})
    (it.root / "LAO_MEMORY.md").write_text("# Mine\n")
    it.submit("parts", PLAN)
    it.turn()
    assert [t["state"] for t in it.tasks()] == ["completed"] * 2
    assert (it.root / "parts" / "part_2.py").read_text() == "def known():\n    return 2\n"
    kept = facts.known(it.factory.store)
    assert [f.text for f in kept] == [
        "Wrote parts/part_1.py",
        "In parts/ `ls part_*.py` passes",
        "Wrote parts/part_2.py: known()",
        "Plan parts is done in parts/: 2 tasks; its commands pass on the whole",
    ]
    assert [f.task for f in kept] == [it.tasks()[0]["id"], it.tasks()[0]["id"], it.tasks()[1]["id"], None]
    assert all(f.plan == "parts" and f.commit for f in kept)
    text = (it.root / "LAO_MEMORY.md").read_text()
    assert text.startswith("# Mine\n")
    assert [line.split(" (plan")[0] for line in split(text)[1]] == [f.text for f in kept]


def test_what_was_learned_elsewhere_is_not_told(plant: Open) -> None:
    """H2: facts about another plan's folder would only take room; what somebody asked to keep holds for all."""
    wrong = rule("coder", "Wrote parts/part_1.py", write("part_3.py", "wrong = 1\n"))
    it = plant()
    it.submit("parts", PLAN)
    it.turn()
    facts.add(it.factory.store, facts.Fact("d", "Use tabs."))
    right = rule("coder", "- Use tabs.", write("part_3.py", "right = 1\n"))
    it.server.interpose(*parse_scenario({"responses": [wrong, right]}).responses)
    it.submit("other", "# Other\n\n- task: part 3 | file: part_3.py | content: three = 3\n")
    it.turn()
    assert (it.root / "other" / "part_3.py").read_text() == "right = 1\n"


@pytest.mark.parametrize("role", ["planner", "coder", "reviewer"])
def test_every_role_is_told_what_agents_files_say(plant: Open, role: str) -> None:
    """H2: the project's AGENTS.md reaches planner, coder and reviewer."""
    task = {"title": "zebra", "description": "content: one = 1", "file_paths": ["part_1.py"], "dependencies": []}
    answers = {
        "planner": {"text": json.dumps({"tasks": [task]})},
        "coder": write("part_1.py", "zebra = 1\n"),
        "reviewer": {"text": '{"verdict": "APPROVED", "summary": "zebra", "findings": []}'},
    }
    it = plant({"responses": [rule(role, "Call everything zebra.", answers[role])]})
    (it.root / "AGENTS.md").write_text("Call everything zebra.\n")
    it.submit("parts", PLAN.rsplit("- task", 1)[0])
    it.turn()
    (done,) = it.tasks()
    assert done["state"] == "completed"
    shows = {
        "planner": str(done["title"]),
        "coder": (it.root / "parts" / "part_1.py").read_text(),
        "reviewer": (it.root / "parts" / "LAO_REVIEW.log").read_text(),
    }
    assert {name for name, text in shows.items() if "zebra" in text} >= {role}


def test_skills_and_memory_by_tools(plant: Open, home: Path) -> None:
    """F2 H1 H2: with a large context a coder opens a skill and remembers a fact; both are in the audit."""
    turns = [
        rule("coder", "- verify: Check finished work", call("skill_run", name="verify")),
        rule("coder", "# Skill verify", call("memory_append", fact="Parts are numbered from one.")),
        rule("coder", "remembered (project)", write("part_1.py", "one = 1\n")),
    ]
    it = plant({"responses": turns}, models=LARGE)
    it.submit("parts", PLAN.rsplit("- task", 1)[0])
    it.turn()
    assert [t["state"] for t in it.tasks()] == ["completed"]
    calls = [(row.tool, row.ok) for row in AuditRow.select().order_by(AuditRow.id)]
    assert calls[:3] == [("skill_run", True), ("memory_append", True), ("file_write", True)]
    assert "Parts are numbered from one." in (it.root / "LAO_MEMORY.md").read_text()
    assert not (home / ".lao").exists()


def test_switched_off_nothing_is_read_or_written(plant: Open) -> None:
    """H2: memory.enabled and skills.enabled: false."""
    knows = rule("coder", "zebra", write("part_1.py", "zebra\n"))
    skilled = rule("coder", "skill_run", write("part_1.py", "skill\n"))
    it = plant({"responses": [knows, skilled]}, memory={"enabled": False}, skills={"enabled": False}, models=LARGE)
    (it.root / "AGENTS.md").write_text("zebra\n")
    it.submit("parts", PLAN)
    it.turn()
    assert [t["state"] for t in it.tasks()] == ["completed"] * 2
    assert (it.root / "parts" / "part_1.py").read_text().strip() == "one = 1"
    assert facts.known(it.factory.store) == ()
    assert not (it.root / "LAO_MEMORY.md").exists()


def test_what_is_malformed_is_said_once_and_the_plan_goes_on(
    plant: Open, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Bad input: a broken skill, a binary AGENTS.md and a memory file that is no text are each named once."""
    it = plant(models=LARGE)
    (it.root / ".agents/skills/bad").mkdir(parents=True)
    (it.root / ".agents/skills/bad/SKILL.md").write_text("---\nname: other\ndescription: d\n---\nx\n")
    (it.root / "AGENTS.md").write_bytes(b"a\0b")
    (it.root / "LAO_MEMORY.md").write_bytes(b"\xff\xfe")
    it.submit("parts", PLAN)
    with caplog.at_level("WARNING", logger="lao"):
        it.turn()
    assert [t["state"] for t in it.tasks()] == ["completed"] * 2
    for words in ("skill left out: ", "AGENTS.md is not used: it is binary"):
        assert sum(words in r.message for r in caplog.records) == 1, words
    assert any("LAO_MEMORY.md' is not UTF-8" in r.message for r in caplog.records)
    assert (it.root / "LAO_MEMORY.md").read_bytes() == b"\xff\xfe"
