"""Where a weak model's turn ends."""

from __future__ import annotations

import pytest

from lao.agents.pilot_limits import Looks, asks_for_plan, from_record, has_check, plan_in, usable


@pytest.mark.parametrize(
    "question",
    [
        "make a plan that adds slugify to slug.py",
        "Create a plan: a script hello.py",
        "I need a plan for a module temperature.py",
        "Please write a plan which counts words",
        "plan a function is_leap(year) in leap.py for me",
        "could you draft me a small plan for the parser?",
        "Let's write a plan for the release notes",
        "give me a plan for a REST server",
    ],
)
def test_an_order_for_a_plan(question: str) -> None:
    """People say it in many ways."""
    assert asks_for_plan(question)


@pytest.mark.parametrize(
    "question",
    [
        "what failed and why?",
        "Which plan failed?",
        "why did the plan stop",
        "explain the failure",
        "show the plan",
        "retry the plan booklet",
        "cancel the plan",
        "is there a plan for tonight?",
        "create a file hello.py",
        "plans?",
        "what do you need to make the plan pass?",
    ],
)
def test_no_order_for_a_plan(question: str) -> None:
    """Questions about plans, and orders for other things."""
    assert not asks_for_plan(question)


def test_a_repeated_look_is_enough() -> None:
    """Once for a weak model, twice for one with native calls; another call in between makes looking new."""
    weak, strong = Looks(), Looks(15, patience=2)
    assert [weak.again("file_read", {"path": "a"}), weak.again("file_read", {"path": "b"})] == [False, False]
    assert (weak.again("file_read", {"path": "a"}), weak.enough) == (True, True)
    strong.again("pipeline_status", {})
    assert (strong.again("pipeline_status", {}), strong.enough) == (True, False)
    strong.again("retry_failed", {})
    assert (strong.again("pipeline_status", {}), strong.enough) == (False, False)
    assert (strong.again("pipeline_status", {}), strong.enough) == (True, True)


def test_six_looks_are_enough() -> None:
    """A weak model reads on and on."""
    looks = Looks()
    for n in range(6):
        assert not looks.enough
        looks.again("file_read", {"path": str(n)})
    assert looks.enough


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("The task cover page failed: grep found nothing.", True),
        ("```python\nprint(1)\n```\nThis is how.", True),
        ("```\n\n```", False),
        ("```json\n{\"function\": \"create_plan\", \"arguments\": {}}\n```\n```", False),
        ('{"tool": "finish"}', False),
        ("…", False),
    ],
)  # fmt: skip
def test_what_is_an_answer(text: str, good: bool) -> None:
    """A lone call that was not run and empty fences tell nobody anything."""
    assert usable(text) is good


def test_a_plan_in_an_answer() -> None:
    """In a fence or not, with a heading or not; a call is none."""
    rest = "Write `slug.py`.\n\nTest: `python3 slug.py`"
    plan = f"# Slugs\n\nAsked for: plan slugs in slug.py\n\n{rest}"
    assert plan_in(f"```markdown\n# Slugs\n\n{rest}\n```", "plan slugs in slug.py") == ("Slugs", plan)
    assert plan_in(f"# Slugs\n\n{rest}", "plan slugs\nin slug.py") == ("Slugs", plan)
    assert plan_in("Write `a.py`.", "plan a.py") == (
        "plan a.py",
        "# plan a.py\n\nAsked for: plan a.py\n\nWrite `a.py`.",
    )
    assert plan_in('{"tool": "create_plan", "arguments": {}}', "q") == ("", "")
    assert has_check(plan)
    assert not has_check("# Slugs\n\nWrite `slug.py`.")


def test_the_record_speaks_for_itself() -> None:
    """It says that nothing of it is the model's, and is bounded."""
    text = from_record("plan a failed\n" * 5000)
    assert text.startswith("The model gave no usable answer.")
    assert len(text) < 6000
