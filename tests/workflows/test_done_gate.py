"""D10: the close and the gate that a person is shown decide by the same; a demand that nobody meets is told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lao.core.words import Finding, Severity
from lao.state import decisions, ledger, plans, requirements
from lao.state.tables import ApprovalRow, FindingRow, RunRow, TaskRow
from tests.workflows.conftest import Plant
from workflows import done_gate, queues
from workflows.decisions import write_log
from workflows.reconciler import reconcile

Open = Callable[..., Plant]
TWO = """# Parts

- task: one | file: one.txt | content: text 1 | test: test -s one.txt
- task: two | file: two.txt | content: text 2

## Requirements

1. `one.txt` holds a text.
   Check: `test -s one.txt`
2. `two.txt` holds the other.
3. The moon is made of cheese.
"""
PLAIN = TWO.partition("## Req")[0]


def log_of(plant: Plant) -> list[dict[str, object]]:
    path = plant.root / ".lao" / "decisions.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def until_close(plant: Plant) -> None:
    """All phases but the close."""
    for _ in range(200):
        if RunRow.select().where(RunRow.phase == "close").exists():
            return
        assert sum(plant._one(huey) for huey in (queues.cpu, queues.gpu))
    raise AssertionError("no close")


def test_demands_are_kept_bound_and_reported(plant: Open) -> None:
    """D10: each demand knows its tasks and commands; what no task answers is told, and ends nothing by itself."""
    it = plant()
    plan = it.submit("parts", TWO)
    it.turn()
    one, two = (t["id"] for t in it.tasks())
    kept = requirements.of_plan(it.factory.store, plan)
    assert [(r.key, r.line, r.tasks, r.commands) for r in kept] == [
        ("R1", 8, (one,), ("test -s one.txt",)),
        ("R2", 10, (two,), ()),
        ("R3", 11, (), ()),
    ]
    assert it.plans()[0]["state"] == "completed"
    gate = done_gate.look(it.factory, plans.get(it.factory.store, plan))
    assert gate.passed
    assert gate.conditions[-1].text == "2 of 3 demands of the plan validated"
    assert gate.conditions[-1].details == ("R3 (line 11) is uncovered: The moon is made of cheese.",)
    kinds = [f.kind for f in ledger.findings_of(it.factory.store, plan_id=plan)]
    assert kinds.count("demand_open") == 1
    assert kinds.count("plan_gap") == 3  # R2 and R3 without a command, R3 without a task
    (line,) = log_of(it)
    assert (line["state"], line["demands"]) == ("completed", {"validated": 2, "uncovered": 1})
    assert (line["tasks"], line["evidence"]) == ({"completed": 2}, {"proved": 1, "none": 1})


@pytest.mark.parametrize(
    ("allowed", "state"), [(["validated"], "needs_human"), (["validated", "uncovered"], "completed")]
)
def test_strict_adherence_ends_a_plan_by_its_demands(plant: Open, allowed: list[str], state: str) -> None:
    """`strict_adherence`: a plan closes only when each of its demands has an allowed status."""
    it = plant(orchestration={"strict_adherence": True, "strict_closure_allowed_statuses": allowed})
    plan = it.submit("parts", TWO)
    it.turn()
    (found,) = it.plans()
    assert found["state"] == state
    assert done_gate.look(it.factory, plans.get(it.factory.store, plan)).passed == (state == "completed")
    assert ("R3 (line 11) is uncovered" in str(found["reason"])) == (state != "completed")


def test_a_critical_finding_keeps_a_plan_from_being_done(plant: Open) -> None:
    """All tasks completed and all commands green: a critical finding of the attempt that counts still asks a person."""
    it = plant()
    plan = it.submit("parts", PLAIN)
    until_close(it)
    task = TaskRow.select().first()
    run = RunRow.select().where(RunRow.task == task, RunRow.phase == "verify").get()
    critical = Finding(Severity.CRITICAL, "secret", "a key is in one.txt")
    FindingRow.create(plan=plan, task=task, run=run, finding=critical.to_json(), at=1.0)
    it.turn()
    (found,) = it.plans()
    assert (found["state"], found["reason"]) == (
        "needs_human",
        f"1 critical findings: task {task.id}: a key is in one.txt",
    )
    gate = done_gate.look(it.factory, plans.get(it.factory.store, plan))
    assert [c.name for c in gate.conditions if c.light is not done_gate.Light.GREEN] == ["findings"]


def test_an_open_question_keeps_a_plan_from_being_done(plant: Open) -> None:
    """A question that waits for a person is not passed over in silence; of another plan it is nobody's business."""
    it = plant()
    plan = it.submit("parts", PLAIN)
    until_close(it)
    close = RunRow.get(RunRow.phase == "close")
    ApprovalRow.create(run=close, label="x", digest="d", tool="shell_exec", arguments={}, asked_at=1.0)
    it.turn()
    (found,) = it.plans()
    assert found["state"] == "needs_human"
    assert str(found["reason"]).startswith("1 questions are open: question 1: shell_exec")
    assert done_gate.questions_of(it.factory, "another") == ()
    assert plan


def test_acceptance_commands_of_the_front_matter_decide(plant: Open) -> None:
    """D10: a command that the front matter demands runs before, for the tasks and on the whole, as any other."""
    front = "---\nacceptance:\n  - {id: P-1, text: it is there, command: test -s two.txt}\n---\n"
    it = plant()
    plan = it.submit("parts", front + PLAIN)
    it.turn()
    assert it.plans()[0]["state"] == "completed"
    moments = [
        (e["moment"], e["exit_code"])
        for e in ledger.validations_of(it.factory.store, plan)
        if e["command"] == "test -s two.txt"
    ]
    assert moments[0] == ("before", 1)
    assert ("close", 0) in moments
    assert [r.key for r in requirements.of_plan(it.factory.store, plan)] == ["P-1"]


def test_without_the_integrator_nothing_runs_again(plant: Open) -> None:
    """`plan_integrator_enabled: false`: the tasks' own evidence ends the plan, and the gate says so."""
    it = plant(agentic={"plan_integrator_enabled": False, "decision_log_enabled": False})
    plan = it.submit("parts", PLAIN)
    it.turn()
    assert it.plans()[0]["state"] == "completed"
    assert "close" not in [e["moment"] for e in ledger.validations_of(it.factory.store, plan)]
    assert log_of(it) == []


def test_a_decision_is_logged_once_whoever_is_killed(plant: Open, tmp_path: Path) -> None:
    """K: killed after the plan's end was committed, and again after the line was written: it is there once."""
    it = plant()
    it.submit("parts", PLAIN)
    it.turn()
    (line,) = log_of(it)
    path = it.root / ".lao" / "decisions.jsonl"
    with it.factory.store.write():
        decisions.note(str(line["key"]), line)  # written, and killed before that was noted
    reconcile(it.factory)
    assert log_of(it) == [line]
    assert decisions.pending(it.factory.store) == ()
    with it.factory.store.write():
        decisions.note(str(line["key"]), line)
    path.write_text(path.read_text()[:-9])  # torn in the middle of the line
    reconcile(it.factory)
    assert log_of(it) == [line]


def test_a_log_that_cannot_be_written_is_written_later(plant: Open) -> None:
    """Bad surroundings: a folder in the file's place ends no plan; when it is gone the line is written."""
    it = plant()
    path = it.root / ".lao" / "decisions.jsonl"
    path.mkdir(parents=True)
    it.submit("parts", PLAIN)
    it.turn()
    assert it.plans()[0]["state"] == "completed"
    assert len(decisions.pending(it.factory.store)) == 1
    path.rmdir()
    write_log(it.factory)
    assert len(log_of(it)) == 1
