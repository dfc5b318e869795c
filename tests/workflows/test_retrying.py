"""retry-failed: which class a failure is of, choosing by class and age, the clock's limit."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from lao.core.clock import FakeClock
from lao.state import plans
from tests.workflows.conftest import Plant
from workflows import control, retrying
from workflows.retrying import Choice

Build = Callable[..., Plant]
TASK = {"description": "Write it.", "dependencies": [], "acceptance": {"commands": []}}
PASSING, FAILING = "true", "false"
LOOSE = "# Parts\n\n- task: note of hours | file: hours.txt | content: nine to five\n"
MUMBLES = {"responses": [{"match": {"role": "reviewer"}, "answer": {"text": "I like it."}}]}
ONE = {"retry_cap_coder": 1, "retry_cap_reviewer": 1, "retry_cap_validation": 1, "max_task_attempts": 1}
SHORT = {"repairs": 0, "candidates": 1, "split": False, "idle": False}


def part(command: str, name: str = "a", tokens: int = 10**9) -> str:
    front = f"---\nvalidation: '{command}'\nbudget: {{tokens: {tokens}}}\n---\n"
    return f"{front}# Parts\n\n- task: part {name} | file: part_{name}.txt | content: x\n"


def classes(it: Plant, choice: Choice | None = None) -> list[str]:
    return [item.failure for item in retrying.find(it.factory, choice or Choice())]


def test_each_failure_has_the_class_of_what_ended_it(plant: Build) -> None:
    """K3: checks that never pass are ``verify``, also of a task that only needed the one that failed."""
    text = (
        "# Parts\n\n## part a\n\nWrite `part_a.txt`.\nTest: `test -e none_such`\n\n## part b\n\nWrite `part_b.txt`.\n"
    )
    tasks = [{**TASK, "title": "part a", "file_paths": ["part_a.txt"]}]
    tasks += [{**TASK, "title": "part b", "file_paths": ["part_b.txt"], "dependencies": ["part a"]}]
    rule = {"match": {"role": "planner"}, "answer": {"json": {"tasks": tasks}}}
    it = plant(scenario={"responses": [rule]}, orchestration=ONE, attempts=SHORT)
    it.submit("one", text)
    it.turn()
    assert {task["state"] for task in it.tasks()} <= {"failed", "needs_human"}
    assert classes(it) == ["verify", "verify"]
    assert classes(it, Choice(classes=("review",))) == []


def test_a_review_without_verdict_is_of_class_review_and_a_cancelled_plan_is_left_alone(plant: Build) -> None:
    """K3: what a person cancelled comes back only when its plan or its class is named."""
    it = plant(scenario=MUMBLES, orchestration=ONE, attempts=SHORT)
    it.submit("one", LOOSE)
    it.turn()
    assert classes(it) == ["review"]
    plan_id = it.submit("two", part(PASSING, "b"))
    control.cancel(it.factory, plans.get(it.factory.store, plan_id))
    assert classes(it) == ["review"]
    assert classes(it, Choice(classes=("cancelled",))) == ["cancelled"]
    assert classes(it, Choice(plan_id)) == ["cancelled"]
    count, _ = retrying.retry(it.factory, Choice(classes=("cancelled",)))
    assert count == 1
    assert classes(it) == ["review"], "the other plan was not touched"


def test_only_what_is_old_or_new_enough_is_set_back(plant: Build) -> None:
    """K3: the age is that of the end, by the project's clock."""
    clock = FakeClock()
    it = plant(clock=clock, orchestration=ONE, attempts=SHORT)
    it.submit("one", part(FAILING))
    it.turn()
    clock.wait(3600)
    assert classes(it, Choice(older_s=7200)) == []
    assert classes(it, Choice(newer_s=60)) == []
    assert classes(it, Choice(older_s=60, newer_s=7200)) == ["verify"]
    assert retrying.retry(it.factory, Choice(older_s=60))[0] == 1


def test_the_clock_gives_up_on_what_fails_again_and_again(plant: Build, caplog: pytest.LogCaptureFixture) -> None:
    """K3: a hopeless task is set back as often as configured, then said once; a person's retry begins it anew."""
    it = plant(orchestration={**ONE, "retry_failed_limit": 2}, attempts=SHORT)
    it.submit("one", part(FAILING))
    counts = []
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            it.turn()
            counts.append(retrying.by_clock(it.factory))
    assert counts == [1, 1, 0, 0]
    said = [record.message for record in caplog.records if "left to a person" in record.message]
    assert len(said) == 1 and "after 2 retries by cron" in said[0]
    assert retrying.retry(it.factory, Choice())[0] == 1
    it.turn()
    assert retrying.by_clock(it.factory) == 1


def test_the_clock_leaves_classes_alone_that_are_not_configured(plant: Build) -> None:
    """K3: a spent budget is not renewed at night, unless factory.yaml says so."""
    it = plant(orchestration={**ONE, "retry_failed_classes": ["server"]}, attempts=SHORT)
    it.submit("one", part(FAILING))
    it.submit("dear", part(PASSING, "b", 1))
    it.turn()
    assert sorted(classes(it)) == ["budget", "verify"]
    assert retrying.by_clock(it.factory) == 0
