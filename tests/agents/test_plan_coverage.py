"""Parts of a plan that a planner forgot."""

from __future__ import annotations

import json

import pytest

from lao.agents.plan_coverage import parts, with_forgotten
from lao.agents.planner import make_plan
from lao.core.states import Role
from lao.core.words import TaskSpec

from .fakes import ScriptedModel, Tape, settings

PLAN = """# Unit conversion

## 1. Litres

Write `litres.py` with a function `gallons(x)`.

Test: `python3 -c "from litres import gallons"`

## 2. Temperature

Write `temperature.py` with `celsius(f)`; it uses `litres.py`.

Test: `python3 -c "from temperature import celsius"`
"""
LITRES = TaskSpec("Litres", "Write gallons.", ("litres.py",))
ITEMS = """# Tools

1. Create `a.py`, which prints a.
   - Test: `python3 a.py`
2. Add `b.py` beside it.
   - Test: `python3 b.py`
"""


def test_parts_have_a_file_and_a_test() -> None:
    """Leaf sections and numbered items that order a file and name a command; titles lose their numbers."""
    assert [(p.title, p.files, len(p.commands)) for p in parts(PLAN)] == [
        ("Litres", ("litres.py",), 1),
        ("Temperature", ("temperature.py",), 1),
    ]
    assert [(p.title, p.files, p.commands) for p in parts(ITEMS)] == [
        ("Write a.py", ("a.py",), ("python3 a.py",)),
        ("Write b.py", ("b.py",), ("python3 b.py",)),
    ]


def test_a_forgotten_part_becomes_a_task_in_the_plans_words() -> None:
    """With its file, its command, and the task whose file it speaks of before it."""
    first, second = with_forgotten([LITRES], PLAN)
    assert first == LITRES
    assert (second.title, second.file_paths, second.dependencies) == ("Temperature", ("temperature.py",), ("Litres",))
    assert "`celsius(f)`" in second.description
    assert second.commands == ('python3 -c "from temperature import celsius"',)


def test_a_forgotten_first_part_comes_first() -> None:
    """The plan's order is kept."""
    (only,) = (TaskSpec("Temperature", "Write celsius.", ("temperature.py",)),)
    assert [t.title for t in with_forgotten([only], PLAN)] == ["Litres", "Temperature"]


@pytest.mark.parametrize(
    "task",
    [
        TaskSpec("All", "Write both.", ("litres.py", "temperature.py")),
        TaskSpec("All", "Write gallons; then `temperature.py`.", ("litres.py",)),
        TaskSpec("All", "Write both.", ("litres.py", "units/temperature.py")),
        TaskSpec("litres.py and temperature.py", "Write both.", ("litres.py",)),
    ],
    ids=["writes it", "speaks of it", "elsewhere", "title"],
)
def test_what_a_task_is_about_is_not_asked_for_again(task: TaskSpec) -> None:
    """A planner may merge, move and rename."""
    assert with_forgotten([task], PLAN) == [task]


@pytest.mark.parametrize(
    "text",
    [
        "Write `litres.py`. It is like `other.py`.\n\nTest: `python3 litres.py`",
        "Write `litres.py`.\n\n## Background\n\nHistory is in `notes.md`; write nothing there.",
        "Write `litres.py`.\n\n## Later\n\nCreate `later.py` one day.",
        "Write `litres.py`.\n\n## Tests\n\nCreate no file; `test_litres.py` is given.\n\nTest: `pytest test_litres.py`",
    ],
    ids=["read only", "background", "no test of its own", "given test"],
)
def test_what_is_no_work_of_its_own_makes_no_task(text: str) -> None:
    """Only a part with an order and a test of its own counts; given tests never do."""
    assert with_forgotten([LITRES], f"# Plan\n\n{text}\n", {"test_litres.py"}) == [LITRES]


def test_the_planner_stops_after_the_first_part() -> None:
    """What a real small model did: one task of two, and the second one's command went to the first."""
    answer = {"tasks": [{"title": "litres.py", "description": "gallons", "file_paths": ["litres.py"]}]}
    tasks = make_plan(
        PLAN, model=ScriptedModel(json.dumps(answer)), settings=settings(Role.PLANNER), steps=Tape(),
        utilization=0.8, reserved_tokens=300,
    )  # fmt: skip
    assert [(t.title, t.commands) for t in tasks] == [
        ("litres.py", ('python3 -c "from litres import gallons"',)),
        ("Temperature", ('python3 -c "from temperature import celsius"',)),
    ]
