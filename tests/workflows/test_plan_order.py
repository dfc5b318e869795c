"""Front matter that concerns the order and the cost of plans: depends_on, budget, models."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lao.core.errors import BadInput
from lao.state import budgets, plans, queries
from tests.workflows.conftest import Plant
from workflows.submission import checked

PARTS = "# Parts\n\n- task: part {0} | file: part_{0}.txt | content: x\n"
Build = Callable[..., Plant]


def plan(front: str, *names: str) -> str:
    lines = "\n".join(f"- task: part {name} | file: part_{name}.txt | content: x" for name in names)
    return f"---\n{front}\n---\n# Parts\n\n{lines}\n"


def state_of(it: Plant, name: str) -> str:
    return next(str(found["state"]) for found in it.plans() if found["name"] == name)


def test_a_plan_waits_until_the_plan_that_it_depends_on_is_completed(plant: Build) -> None:
    """C5: nothing of it is begun before, it says what it waits for, and it begins by itself afterwards."""
    it = plant()
    it.submit("second", plan("depends_on: first", "b"))
    it.turn()
    assert state_of(it, "second") == "queued"
    assert it.plans()[0]["waits"] == "waits for plan 'first', which has not been handed in"
    it.submit("first", plan("priority: low", "a"))
    assert it.plans()[0]["waits"] == "waits for plan 'first', which is queued"
    it.turn()
    assert [found["state"] for found in it.plans()] == ["completed", "completed"]
    assert [found["waits"] for found in it.plans()] == [None, None]


def test_a_plan_waits_on_when_the_other_one_was_given_up(plant: Build) -> None:
    """C5: it does not build on what is missing, says why, and leaves the project idle."""
    it = plant()
    first = it.submit("first", plan("depends_on: never.md", "a"))
    it.submit("second", plan("depends_on: [first]", "b"))
    it.turn()
    assert queries.is_idle(it.factory.store)
    assert set(queries.held_open(it.factory.store, [first])) == {first}
    assert it.plans()[1]["waits"] == "waits for plan 'first', which is queued"


def test_a_circle_of_plans_is_refused_by_its_names(plant: Build) -> None:
    """C5: the plan that would close the circle is not taken, also one that names itself."""
    it = plant()
    it.submit("a", plan("depends_on: b", "a"))
    it.submit("b", plan("depends_on: c.md", "b"))
    with pytest.raises(BadInput, match="c → a → b → c"):
        it.submit("c", plan("depends_on: [a]", "c"))
    with pytest.raises(BadInput, match="d → d"):
        it.submit("d", plan("depends_on: [d.md]", "d"))
    assert [found["name"] for found in it.plans()] == ["a", "b"]


def test_a_spent_budget_parks_what_is_open_with_the_reason(plant: Build) -> None:
    """C5: the plan needs a person, no model is asked any more, and a person's retry allows the budget once more."""
    it = plant()
    text = plan("budget: {tokens: 1}", "a", "b")
    plan_id = it.submit("dear", text)
    it.turn()
    assert state_of(it, "dear") == "needs_human"
    assert {task["state"] for task in it.tasks()} <= {"needs_human"}
    assert all("budget of 1 tokens is spent" in str(task["reason"]) for task in it.tasks())
    calls = queries.usage_view(it.factory.store)[1]["model"]
    assert calls == 1, "the planner's"
    count, _ = plans.retry(it.factory.store, plan_id)
    assert count == 2
    assert budgets.spent(it.factory.store, plan_id) == ""


def test_a_budget_of_seconds_counts_the_work_and_not_the_wait(plant: Build) -> None:
    """C5: a plan that has not begun has used nothing, however long ago it was handed in."""
    it = plant()
    plan_id = it.submit("slow", plan("budget: {seconds: 0.01}", "a"))
    assert budgets.used(it.factory.store, plan_id).seconds == 0
    it.turn()
    assert "seconds" not in str(it.plans()[0]["reason"])
    assert state_of(it, "slow") == "needs_human"
    assert "budget of 0.01 s is spent" in str(it.plans()[0]["reason"]) + "".join(str(t["reason"]) for t in it.tasks())


@pytest.mark.parametrize(
    ("front", "said"),
    [
        ("depends_on: 3", "depends_on 3"),
        ("depends_on: [a, 1]", "depends_on"),
        ("budget: 5", "budget 5"),
        ("budget: {tokens: -1}", "tokens -1"),
        ("budget: {tokens: true}", "tokens True"),
        ("budget: {money: 1}", "unknown key 'money'"),
        ("budget: {seconds: soon}", "'soon' is no length of time"),
        ("models: [a]", "models"),
        ("models: {cook: a}", "unknown role 'cook'"),
        ("models: {coder: other}", "wants 'other' as coder, factory.yaml has 'sim-coder'"),
    ],
)
def test_front_matter_that_means_nothing_is_refused(plant: Build, front: str, said: str) -> None:
    """C5: one message that names the key and the value; the plan is not taken."""
    it = plant()
    with pytest.raises(BadInput, match=said):
        it.submit("bad", plan(front, "a"))
    assert it.plans() == []


def test_a_plan_may_name_the_models_that_it_was_written_for(plant: Build) -> None:
    """C5: where they are the configured ones nothing is said."""
    it = plant()
    options, _ = checked(it.factory, it.root / "plans" / "x.md", plan("models: {coder: sim-coder}", "a"))
    assert options["models"] == {"coder": "sim-coder"}
