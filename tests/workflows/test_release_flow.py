"""E6: with ``release: verified`` a chain costs one load a model, and a rejection changes what it should."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lao.core.errors import BadInput
from lao.state.tables import RunRow
from tests.workflows.conftest import Plant

TEXT = {role: {"key": f"sim-{role}", "supports_tools": False} for role in ("planner", "coder", "reviewer")}
CHAIN = """# Chain

- task: one | file: one.txt | content: first
- task: two | file: two.txt | content: second | after: one | test: test -s two.txt
- task: three | file: three.txt | content: third | after: two | test: test -s three.txt
"""


def rules() -> list[dict[str, object]]:
    said = "one.txt is not what was asked"
    finding = {
        "severity": "critical",
        "message": said,
        "file": "one.txt",
        "line": 1,
        "criterion": "Write one.txt with the first",
        "command": "",
        "hint": "",
    }
    verdict = {"verdict": "REJECTED", "summary": said, "findings": [finding]}
    return [
        {"match": {"role": "reviewer", "contains": "one.txt"}, "answer": {"json": verdict}, "times": 1},
        {"match": {"role": "coder", "contains": said}, "answer": {"text": "FILE: one.txt\n```\nbetter\n```\n"}},
    ]


@pytest.mark.parametrize(("release", "loads"), [("reviewed", 7), ("verified", 3)])
def test_a_chain_costs_what_its_release_says(plant: Callable[..., Plant], release: str, loads: int) -> None:
    """Three links: planner, then coder and reviewer in turn; or planner, coder, reviewer."""
    it = plant(None, models=TEXT, orchestration={"release": release})
    it.submit("chain", CHAIN)
    it.turn()
    assert [task["state"] for task in it.tasks()] == ["completed"] * 3
    assert it.server.stats["loads"] == loads


def test_a_rejection_is_worked_in_and_what_was_built_on_it_is_verified_again(plant: Callable[..., Plant]) -> None:
    """The rework is committed, the two links after it are asked of no coder again, and the plan is completed."""
    it = plant({"responses": rules()}, models=TEXT, orchestration={"release": "verified"})
    it.submit("chain", CHAIN)
    it.turn()
    assert [(task["state"], task["attempts"]) for task in it.tasks()] == [("completed", 2)] * 3
    assert (it.root / "chain" / "one.txt").read_text() == "better\n"
    assert [plan["state"] for plan in it.plans()] == ["completed"]
    coded = [e for e in it.server.log if e["kind"] == "completion" and e["model"] == "sim-coder"]
    assert len(coded) == 4
    assert it.server.stats["loads"] == 5


def test_a_review_without_a_verdict_sends_back_what_was_built_on_it(plant: Callable[..., Plant]) -> None:
    """The server is away for the first link's review, so the others are completed first; then there is no readable
    verdict. The first link is coded again, and the other two are verified on its new work."""
    one = {"role": "reviewer", "contains": "one.txt"}
    answers = [
        {"match": one, "fault": {"kind": "http", "status": 503}, "times": 3},
        {"match": one, "answer": {"text": "Hm."}, "times": 1},
        {"match": {"role": "reviewer", "contains": "corrected JSON only"}, "answer": {"text": "Hm."}, "times": 1},
    ]
    it = plant({"responses": answers}, models=TEXT, orchestration={"release": "verified"})
    it.submit("chain", CHAIN)
    it.turn()
    assert [task["state"] for task in it.tasks()] == ["completed"] * 3
    with it.factory.store.reading():
        done = RunRow.select().where(RunRow.state == "done").order_by(RunRow.finished_at)
        verified = [run.task.title for run in done if run.phase == "verify"]
        reviewed = [run.task.title for run in done if run.phase == "review"]
    assert sorted(verified) == ["one", "one", "three", "three", "two", "two"]
    assert reviewed == ["two", "three", "one"]


def test_what_breaks_on_the_rework_is_coded_again(plant: Callable[..., Plant]) -> None:
    """The second link's check reads the first link's file: its old work no longer passes, so a coder mends it."""
    check = "grep -q first one.txt || grep -q mended two.txt"
    plan = CHAIN.replace("test -s two.txt", check)
    answers = [
        *rules(),
        {
            "match": {"role": "coder", "contains": ["two.txt", "failed"]},
            "answer": {"text": "FILE: two.txt\n```\nmended\n```\n"},
        },
    ]
    it = plant({"responses": answers}, models=TEXT, orchestration={"release": "verified"})
    it.submit("chain", plan)
    it.turn()
    assert [task["state"] for task in it.tasks()] == ["completed"] * 3
    assert (it.root / "chain" / "two.txt").read_text() == "mended\n"


def test_a_plan_with_high_priority_goes_first(plant: Callable[..., Plant]) -> None:
    """C5: its tasks are coded before older ones of other plans; what is loaded is not unloaded more than needed."""
    it = plant(None, models=TEXT)
    lines = "\n".join(f"- task: {{0}}{n} | file: {{0}}{n}.txt | test: test -s {{0}}{n}.txt" for n in range(3))
    it.submit("slow", "# Slow\n\n" + lines.format("s"))
    it.submit("late", "---\npriority: low\n---\n# Late\n\n" + lines.format("l"))
    it.submit("fast", "---\npriority: high\n---\n# Fast\n\n" + lines.format("f"))
    it.turn()
    assert {task["state"] for task in it.tasks()} == {"completed"}
    with it.factory.store.reading():
        coded = RunRow.select().where(RunRow.phase == "code").order_by(RunRow.started_at)
        assert "".join(run.task.title[0] for run in coded) == "fffssslll"


@pytest.mark.parametrize("value", ["urgent", "10", "true", "[1]"])
def test_a_priority_that_is_none_is_refused(plant: Callable[..., Plant], value: str) -> None:
    """One message that says what is allowed, and nothing is taken in."""
    it = plant(None, models=TEXT)
    with pytest.raises(BadInput, match="priority") as caught:
        it.submit("odd", f"---\npriority: {value}\n---\n# Odd\n\n- task: a | file: a.txt\n")
    assert "high" in caught.value.hint
    assert it.plans() == []
