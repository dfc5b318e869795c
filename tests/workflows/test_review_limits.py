"""D8: a reviewer has a say as far as it can prove it; a tested plan ends the same whatever the reviewer is like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lao.state import ledger
from lao.state.tables import RunRow
from tests.workflows.conftest import Plant
from workflows import queues

Open = Callable[..., Plant]
CHECKED = """# Parts

- task: one | file: one.py | content: value = 1 | test: python3 -c "import one; assert one.value == 1"
- task: two | file: two.py | content: value = 2 | test: python3 -c "import two; assert two.value == 2"
- task: bad | file: bad.py | content: value = 3 | test: python3 -c "import bad; assert bad.value == 4"
- task: late | file: late.py | content: value = 5 | after: bad | test: python3 -c "import late; assert late.value == 5"
"""
TEXT = {"coder": {"key": "sim-coder", "supports_tools": False}}
LOOSE = "# Parts\n\n- task: note of hours | file: hours.txt | content: nine to five\n"


def finding(**more: Any) -> dict[str, Any]:
    return {
        "severity": "critical",
        "criterion": "",
        "file": "",
        "line": 0,
        "message": "wrong",
        "command": "",
        "hint": "",
        **more,
    }


def rejecting(*findings: dict[str, Any], times: int | None = None, rework: Any = ()) -> dict[str, Any]:
    answer = {"verdict": "REJECTED", "summary": "not what was asked", "findings": list(findings)}
    rule: dict[str, Any] = {"match": {"role": "reviewer"}, "answer": {"json": answer}}
    return {"responses": [{**rule, "times": times} if times else rule, *rework]}


def reworking(path: str, content: str) -> list[dict[str, Any]]:
    """The coder's answers to a rejection: other contents each time, for it may not give the same again."""
    return [
        {
            "match": {"role": "coder", "contains": "not what was asked"},
            "answer": {"text": f"FILE: {path}\n```\n{content}extra = {number}\n```\n"},
            "times": 1,
        }
        for number in (1, 2)
    ]


APPROVING = {
    "responses": [
        {"match": {"role": "reviewer"}, "answer": {"json": {"verdict": "APPROVED", "summary": "fine", "findings": []}}}
    ]
}
REJECTING = {
    "plain": rejecting(finding()),
    "no finding": rejecting(),
    "located": rejecting(finding(criterion="Write one.py two.py", file="one.py", line=1)),
    "false proof": rejecting(
        finding(criterion="Write one.py two.py with value", file="one.py", line=1, command="false")
    ),
    "invented value": rejecting(finding(criterion="Write one.py two.py with value", command="str(value) == '77'")),
    "mistaken proof": rejecting(finding(criterion="Write one.py two.py with value", command="int(value) > 0")),
    "no verdict": {"responses": [{"match": {"role": "reviewer"}, "answer": {"text": "I do not like it."}}]},
}


def ended(open_plant: Open, scenario: dict[str, Any] | None) -> tuple[Plant, dict[str, str]]:
    plant = open_plant(scenario, orchestration={"retry_cap_validation": 1}, attempts={"candidates": 1, "idle": False})
    plant.submit("parts", CHECKED)
    plant.turn()
    return plant, {str(t["title"]): str(t["state"]) for t in plant.tasks()}


@pytest.mark.parametrize("kind", ["approving", *REJECTING])
def test_the_reviewer_does_not_decide_about_a_tested_plan(plant: Open, kind: str) -> None:
    """Always rejecting without proof or always approving: the same tasks are completed, by their checks alone."""
    _, states = ended(plant, REJECTING.get(kind, APPROVING))
    assert (states["one"], states["two"]) == ("completed", "completed")
    assert states["bad"] in ("failed", "needs_human")
    assert states["late"] == "failed"


def test_an_unproven_rejection_is_logged_and_kept_as_a_note(plant: Open) -> None:
    """Nothing that the reviewer said is lost."""
    opened, _ = ended(plant, REJECTING["plain"])
    log = (opened.root / "parts" / "LAO_REVIEW.log").read_text(encoding="utf-8")
    assert log.count("approved with notes: unproven rejection: not what was asked") == 2
    found = ledger.findings_of(opened.factory.store, plan_id=str(opened.tasks()[0]["plan"]))
    assert [f.severity.value for f in found if f.analyzer == "reviewer"] == ["minor", "minor"]


def test_a_proven_rejection_sends_tested_work_back_and_ends_after_two_rounds(plant: Open) -> None:
    """A command that really fails counts; after two rounds the finding is a note, since the plan's checks pass."""
    proof = finding(criterion="Write one.py with value = 1", file="one.py", line=1, command="str(value) != '1'")
    opened = plant(rejecting(proof, rework=reworking("one.py", "value = 1\n")), models=TEXT)
    opened.submit("parts", "\n".join(CHECKED.splitlines()[:3]))
    opened.turn()
    (task,) = opened.tasks()
    assert (task["state"], task["attempts"]) == ("completed", 3)
    log = (opened.root / "parts" / "LAO_REVIEW.log").read_text(encoding="utf-8").splitlines()
    assert ["REJECTED" in line for line in log] == [True, True, False]
    assert "approved with notes: rejected in 2 rounds before" in log[2]
    assert not (opened.root / "parts" / "__pycache__").exists(), "the proof ran in the live folder"


def test_a_proven_rejection_that_is_mended(plant: Open) -> None:
    """The coder is told the proof; an approval after it completes the task."""
    proof = finding(criterion="Write one.py with value = 1", file="one.py", line=1, command="str(value) != '1'")
    opened = plant(rejecting(proof, times=1, rework=reworking("one.py", "value = 1\n")), models=TEXT)
    opened.submit("parts", "\n".join(CHECKED.splitlines()[:3]))
    opened.turn()
    (task,) = opened.tasks()
    assert (task["state"], task["attempts"]) == ("completed", 2)


def test_without_any_check_a_located_rejection_counts_and_parks_in_the_end(plant: Open) -> None:
    """There is no other evidence: two rounds, then a person decides; it is never called done."""
    located = finding(criterion="note of hours: nine to five", file="hours.txt", line=1)
    opened = plant(rejecting(located, rework=reworking("hours.txt", "nine to five\n")), models=TEXT)
    opened.submit("loose", LOOSE)
    opened.turn()
    (task,) = opened.tasks()
    assert (task["state"], task["attempts"]) == ("needs_human", 3)
    assert "not what was asked" in str(task["reason"])
    assert opened.plans()[0]["state"] == "needs_human"


def test_without_any_check_an_empty_rejection_is_a_note(plant: Open) -> None:
    """No demand and no place named: nothing to mend, so nothing is sent back."""
    opened = plant(rejecting(finding()))
    opened.submit("loose", LOOSE)
    opened.turn()
    assert [(t["state"], t["attempts"]) for t in opened.tasks()] == [("completed", 1)]


def test_without_git_no_proof_is_run(plant: Open) -> None:
    """There is no checkout to run it on, and the live folder is not for a model's commands."""
    proof = finding(criterion="Write one.py with value = 1", file="one.py", line=1, command="str(value) != '1'")
    opened = plant(rejecting(proof), git={"enabled": False})
    opened.submit("parts", "\n".join(CHECKED.splitlines()[:3]))
    opened.turn()
    assert [(t["state"], t["attempts"]) for t in opened.tasks()] == [("completed", 1)]


def test_an_approval_cannot_stand_against_a_failed_check(plant: Open) -> None:
    """The phase itself refuses, without asking the model, should it ever be reached with red evidence."""
    opened = plant(APPROVING, orchestration={"retry_cap_validation": 1})
    opened.submit("parts", "\n".join(CHECKED.splitlines()[:3]))
    for huey in (queues.cpu, queues.gpu) * 10:
        if not RunRow.select().where(RunRow.phase == "review", RunRow.state == "ready").exists():
            opened._one(huey)
    verified = RunRow.get(RunRow.phase == "verify")
    (evidence,) = verified.result["evidence"]
    verified.result = {**verified.result, "evidence": [{**evidence, "exit_code": 1, "output": "AssertionError"}]}
    verified.save()
    opened.turn()
    (task,) = opened.tasks()
    assert task["state"] == "failed"
    assert "ended with exit status 1" in str(task["reason"])
    assert not (opened.root / "parts" / "LAO_REVIEW.log").exists()
