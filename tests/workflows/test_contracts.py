"""D7: a task without any command gets a test that fails first and notices wrong code, or it stays as it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lao.state import ledger, queries, written_tests
from lao.state.tables import ModelEventRow, StepRow
from tests.workflows.conftest import Plant
from tests.workflows.test_pipeline_flow import git

Open = Callable[..., Plant]
CODE = "def grade(points): ⏎     if points >= 50: ⏎         return 'pass' ⏎     return 'fail'"
PLAN = f"""# Grades

- task: grade | file: grade.py | content: {CODE}

`grade(50)` gives 'pass', `grade(49)` gives 'fail'.
"""
STRONG = """import unittest

from grade import grade


class GradeTest(unittest.TestCase):
    def test_border(self):
        self.assertEqual(grade(50), 'pass')
        self.assertEqual(grade(49), 'fail')
"""
WEAK = STRONG.replace("        self.assertEqual(grade(49), 'fail')\n", "").replace(
    "assertEqual(grade(50), 'pass')", "assertTrue(callable(grade))"
)
INVENTED = STRONG.replace("grade(49)", "grade(7)")


def author(*texts: str) -> dict[str, Any]:
    """The author's answers in turn."""
    answers = [f"FILE: test_accept_grade.py\n```python\n{text}```\n" if "\n" in text else text for text in texts]
    return {"responses": [{"match": {"role": "author"}, "answer": {"text": text}, "times": 1} for text in answers]}


def calls() -> list[str]:
    labels = StepRow.select(StepRow.label).where(StepRow.kind == "model").order_by(StepRow.run, StepRow.seq)
    return [label for (label,) in labels.tuples()]


def run(plant: Open, *texts: str, **settings: Any) -> tuple[Plant, str]:
    it = plant(author(*texts), **settings)
    plan = it.submit("grades", PLAN)
    it.turn()
    assert it.plans()[0]["state"] == "completed"
    return it, plan


def test_a_strong_test_proves_the_work(plant: Open) -> None:
    """It fails on the untouched tree, passes on the work, and notices three wrong versions of it: proved."""
    it, plan = run(plant, STRONG)
    (task,) = it.tasks()
    assert task["evidence"] == "proved"
    (test,) = written_tests.of_plan(it.factory.store, plan)
    assert test.proves
    assert [one.noticed for one in test.tried or ()] == [True] * 3
    assert calls() == ["model:chunk-1-1", "model:test-1-1", "model:turn-1", "model:turn-2", "model:review-1"]
    assert it.server.stats["loads"] == 3
    subjects = git(it.root / "grades", "log", "--reverse", "--format=%s").splitlines()
    assert subjects[1:3] == ["lao(contract): test for grade", "lao(architect): 1 tasks for grades"]
    moments = [(e["moment"], e["exit_code"] == 0) for e in ledger.validations_of(it.factory.store, plan)]
    assert moments == [("before", False), ("task", True), ("close", True)]
    assert git(it.root / "grades", "status", "--porcelain") == ""


def test_a_weak_test_proves_nothing(plant: Open) -> None:
    """A test that passes on wrong code makes the work "checked", with a finding: never a false "proved"."""
    it, plan = run(plant, WEAK)
    (task,) = it.tasks()
    assert task["evidence"] == "checked"
    (test,) = written_tests.of_plan(it.factory.store, plan)
    assert not test.proves
    (finding,) = [f for f in ledger.findings_of(it.factory.store, plan_id=plan) if f.kind == "weak_test"]
    assert finding.message == "test_accept_grade.py proves nothing: it passes on 3 of 3 wrong versions of the code"


@pytest.mark.parametrize(
    ("texts", "asked"),
    [((INVENTED, STRONG), 2), ((INVENTED, INVENTED), 2), (("NO TEST",), 1), (("Sorry.", "x = 1\n"), 2)],
)
def test_at_most_two_answers(plant: Open, texts: tuple[str, ...], asked: int) -> None:
    """A weak model costs two calls at most; without a good test the task is as it was, and is done by its review."""
    it, plan = run(plant, *texts)
    assert sum(label.startswith("model:test-") for label in calls()) == asked
    (task,) = it.tasks()
    good = STRONG in texts
    assert task["evidence"] == ("proved" if good else "none")
    assert len(written_tests.of_plan(it.factory.store, plan)) == int(good)
    assert (it.root / "grades" / "test_accept_grade.py").exists() == good


def test_a_test_that_passes_already_is_refused(plant: Open) -> None:
    """What does not fail on the untouched tree tests nothing of the task."""
    it = plant(author(STRONG, "NO TEST"))
    folder = it.root / "grades"
    folder.mkdir()
    (folder / "grade.py").write_text(CODE.replace(" ⏎ ", "\n"))
    plan = it.submit("grades", PLAN)
    it.turn()
    assert written_tests.of_plan(it.factory.store, plan) == ()
    assert "model:test-1-2" in calls()


@pytest.mark.parametrize("how", ["command", "validation", "off", "text", "no git"])
def test_no_call_more_where_there_is_a_command(plant: Open, how: str) -> None:
    """Plans that have commands, other languages, projects without git and with the key off ask nobody."""
    settings: dict[str, Any] = {"agentic": {"contract_author_enabled": False}} if how == "off" else {}
    settings |= {"git": {"enabled": False}} if how == "no git" else {}
    text = PLAN.replace("grade.py", "grade.txt") if how == "text" else PLAN
    text = text.replace("# Grades", "# Grades\n\nTest: `test -s grade.py`") if how == "command" else text
    front = "---\nvalidation: test -s grade.py\n---\n" if how == "validation" else ""
    it = plant(author(STRONG), **settings)
    it.submit("grades", front + text)
    it.turn()
    assert it.plans()[0]["state"] == "completed"
    assert len(calls()) == 4
    assert ModelEventRow.select().where(ModelEventRow.kind == "call").count() == 4


def test_nobody_may_edit_a_written_test(plant: Open) -> None:
    """An attempt that changes the test is no work, whatever its task: it goes back to the coder."""
    edit = {"name": "file_write", "arguments": {"path": "test_accept_grade.py", "content": "import grade\n"}}
    content = "def grade(points):\n    return 'fail'\n"
    code = {"name": "file_write", "arguments": {"path": "grade.py", "content": content}}
    scenario = author(STRONG)
    cheat = {"match": {"role": "coder"}, "answer": {"tool_calls": [code, edit]}, "times": 1}
    give_up = {"match": {"role": "coder"}, "answer": {"text": "Done."}}
    scenario["responses"] += [cheat, give_up]
    it = plant(scenario, orchestration={"retry_cap_validation": 1}, attempts={"candidates": 1, "idle": False})
    it.submit("grades", PLAN)
    it.turn()
    assert it.plans()[0]["state"] == "needs_human"
    assert (it.root / "grades" / "test_accept_grade.py").read_text() == STRONG
    assert queries.evidence_view(it.factory.store) == {}
