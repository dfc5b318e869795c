"""D8: critics of approved work change nothing but findings, unless a command really shows what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lao.state import ledger
from lao.state.tables import StepRow
from tests.workflows.conftest import Plant
from tests.workflows.test_review_limits import CHECKED, TEXT, finding, reworking

Open = Callable[..., Plant]
ONE = "\n".join(CHECKED.splitlines()[:3])
APPROVED = {"verdict": "APPROVED", "summary": "fine", "findings": []}


def critics(*findings: dict[str, Any], times: int | None = None) -> list[dict[str, Any]]:
    """The second critic objects, the others approve."""
    objecting = {"verdict": "REJECTED", "summary": "not what was asked", "findings": list(findings)}
    rule: dict[str, Any] = {
        "match": {"role": "reviewer", "contains": "each sentence of the task"},
        "answer": {"json": objecting},
    }
    return [{**rule, "times": times} if times else rule, {"match": {"role": "reviewer"}, "answer": {"json": APPROVED}}]


def run(plant: Open, responses: list[dict[str, Any]], **agentic: Any) -> Plant:
    it = plant({"responses": responses}, models=TEXT, agentic={"critic_quorum_enabled": True, **agentic})
    it.submit("parts", ONE)
    it.turn()
    return it


def found(it: Plant) -> list[tuple[str, str]]:
    every = ledger.findings_of(it.factory.store, plan_id=str(it.tasks()[0]["plan"]))
    return [(f.severity.value, f.message) for f in every if f.analyzer.startswith("critic")]


def test_objections_without_proof_are_findings_and_nothing_else(plant: Open) -> None:
    """Three critics, asked one after the other of the model in memory: no load more, the task is completed."""
    it = run(plant, critics(finding(message="I do not like it", criterion="Write one.py with value")))
    (task,) = it.tasks()
    assert (task["state"], task["attempts"]) == ("completed", 1)
    assert found(it) == [("minor", "I do not like it"), ("info", "3 of 4 votes approve")]
    labels = [row.label for row in StepRow.select().where(StepRow.label.startswith("model:critic"))]
    assert labels == ["model:critic-1-1", "model:critic-2-1", "model:critic-3-1"]
    assert it.server.stats["loads"] == 3


def test_a_proven_objection_sends_the_work_back(plant: Open) -> None:
    """A command that really fails counts, whoever names it; after the repair the task is completed."""
    proof = finding(criterion="Write one.py with value = 1", command="str(value) != '1'", message="not what was asked")
    it = run(plant, [*critics(proof, times=1), *reworking("one.py", "value = 1\n")])
    (task,) = it.tasks()
    assert (task["state"], task["attempts"]) == ("completed", 2)
    assert ("info", "3 of 4 votes approve") in found(it)


def test_the_size_and_the_reviewers_vote_are_kept(plant: Open) -> None:
    """`critic_quorum_size`, `critic_keep_reviewer_vote`; a model that is not in memory is not loaded for a critic."""
    keys = {"critic_quorum_size": 2, "critic_keep_reviewer_vote": False, "critic_models": ["sim-planner"]}
    it = run(plant, critics(finding()), **keys)
    assert found(it)[-1] == ("info", "1 of 2 votes approve")
    assert it.server.stats["loads"] == 3
