"""I1, I2: validators judge what an attempt changed, the gate says what blocks, commands decide in every mode."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from lao.core.words import Finding
from lao.state import ledger
from tests.workflows.conftest import Plant

PLAN = "# Factors\n\n- task: write the factors | file: factors.py\n"
WRONG = "def factors(value):\n    return sorted(vlaue)\n"
RIGHT = "def factors(value):\n    return sorted(value)\n"
DROPPED = "def load(path):\n    try:\n        return open(path)\n    except Exception:\n        pass\n"
TEXT_MODE = {"coder": {"key": "sim-coder", "supports_tools": False}}


def answer(content: str, times: int = 1) -> dict[str, Any]:
    text = f"FILE: factors.py\n```python\n{content}```\n"
    return {"match": {"role": "coder"}, "answer": {"text": text}, "times": times}


def findings(it: Plant, plan: str, analyzer: str) -> list[Finding]:
    return [f for f in ledger.findings_of(it.factory.store, plan_id=plan) if f.analyzer == analyzer]


@pytest.mark.parametrize("git", [True, False])
def test_a_certain_fault_is_sent_back(plant: Callable[..., Plant], git: bool) -> None:
    """A name that nothing defines blocks where no command would tell; the next answer is kept. Without git as well."""
    it = plant({"responses": [answer(WRONG), answer(RIGHT)]}, models=TEXT_MODE, git={"enabled": git})
    it.submit("factors", PLAN)
    it.turn()
    assert [t["state"] for t in it.tasks()] == ["completed"]
    assert (it.root / "factors/factors.py").read_text() == RIGHT


@pytest.mark.parametrize("git", [True, False])
def test_off_records_and_goes_on(plant: Callable[..., Plant], git: bool) -> None:
    """With the gate off the same answer is kept, and the finding stands in the record."""
    it = plant(
        {"responses": [answer(WRONG), answer(RIGHT)]}, models=TEXT_MODE, git={"enabled": git},
        orchestration={"quality_gate_mode": "off"},
    )  # fmt: skip
    plan = it.submit("factors", PLAN)
    it.turn()
    assert (it.root / "factors/factors.py").read_text() == WRONG
    assert [f.kind for f in findings(it, plan, "undefined_names")] == ["undefined_name"]


def test_commands_decide_with_the_gate_off(plant: Callable[..., Plant]) -> None:
    """A failing command keeps a task from being done in every mode."""
    front = "---\nvalidation: python3 -c 'import factors; assert factors.factors([2]) == [2]'\n---\n"
    it = plant(
        {"responses": [answer(WRONG, times=50)]}, models=TEXT_MODE,
        orchestration={"quality_gate_mode": "off", "retry_cap_validation": 1}, attempts={"idle": False},
    )  # fmt: skip
    it.submit("factors", front + PLAN)
    it.turn()
    assert [t["state"] for t in it.tasks()] != ["completed"]


def test_strict_blocks_minor_ones(plant: Callable[..., Plant]) -> None:
    """A swallowed error is a note, and with the strict gate a reason to try again."""
    it = plant(
        {"responses": [answer(DROPPED), answer(RIGHT)]}, models=TEXT_MODE,
        orchestration={"quality_gate_mode": "strict"},
    )  # fmt: skip
    it.submit("factors", PLAN)
    it.turn()
    assert (it.root / "factors/factors.py").read_text() == RIGHT


def test_older_faults_are_not_the_attempt_s(plant: Callable[..., Plant]) -> None:
    """What the file had before is not held against who adds to it."""
    it = plant({"responses": [answer(WRONG + "\n\nX = 1\n"), answer(RIGHT)]}, models=TEXT_MODE)
    workspace = it.root / "factors"
    workspace.mkdir()
    (workspace / "factors.py").write_text(WRONG)
    it.submit("factors", PLAN)
    it.turn()
    assert (workspace / "factors.py").read_text() == WRONG + "\n\nX = 1\n"


def test_inferred_commands_are_shown(plant: Callable[..., Plant]) -> None:
    """The plan's record says which commands the manifests ask for, and why one is not run."""
    it = plant({"responses": [answer(RIGHT)]}, models=TEXT_MODE, orchestration={"infer_validation_commands": True})
    workspace = it.root / "factors"
    workspace.mkdir()
    (workspace / "test_factors.py").write_text("def test_a():\n    assert 1 + 1 == 2\n")
    (workspace / "package.json").write_text('{"scripts": {"test": "no-such-runner-here"}}')
    plan = it.submit("factors", PLAN)
    it.turn()
    (note,) = findings(it, plan, "inference")
    assert f"{sys.executable} -m pytest -q (test files)" in note.message
    assert "not run, " in note.message
    assert [t["state"] for t in it.tasks()] == ["completed"]


@pytest.mark.parametrize("before", ["pass", "fail"])
def test_a_linter_that_failed_before_does_not_decide(plant: Callable[..., Plant], before: str) -> None:
    """What an inferred linter found before is not the plan's to clean up; one that passed has to go on passing."""
    it = plant(
        {"responses": [answer(RIGHT, times=50)]}, models=TEXT_MODE,
        orchestration={"infer_validation_commands": True, "retry_cap_validation": 1}, attempts={"idle": False},
    )  # fmt: skip
    workspace = it.root / "factors"
    workspace.mkdir()
    clean = "! grep -q value factors.py" if before == "pass" else "false"
    (workspace / "factors.py").write_text("X = 1\n")
    (workspace / "Makefile").write_text(f"lint:\n\t{clean}\n")
    it.submit("factors", PLAN)
    it.turn()
    states = [t["state"] for t in it.tasks()]
    assert (states == ["completed"]) == (before == "fail")
