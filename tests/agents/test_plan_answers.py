"""Which tasks answer a demand is decided by ids, commands, files and words, in that order, and by no model."""

from __future__ import annotations

from lao.agents.plan_answers import Answer, answer, bound, gaps
from lao.core.words import TaskSpec
from lao.state.requirements import Requirement

BASKET = TaskSpec("Basket", "Write `basket.py` with a total of all prices.", ("basket.py",), (), ("pytest -q b.py",))
REPORT = TaskSpec("Report", "Print the sales of the month. ABC-12", ("report.py",))


def of(text: str, key: str = "R1", *tasks: TaskSpec) -> Answer:
    return answer(Requirement(key, text, 3, "numbered"), text, tasks or (BASKET, REPORT))


def test_the_surest_sign_decides() -> None:
    """D10: an id that a task names, a command that it runs, a file that it writes, then shared words; else nobody."""
    assert of("ABC-12 lists `basket.py`", "ABC-12").tasks == (1,)
    assert of("x\nCheck: `pytest -q b.py`") == Answer((0,), ("pytest -q b.py",))
    assert of("`src/report.py` runs").tasks == (1,)
    assert of("The total of all prices in a basket").tasks == (0,)
    assert of("Nothing about anything else here") == Answer((), ())


def test_one_task_answers_all_of_its_plan() -> None:
    """A plan that is one task is about nothing else."""
    assert of("Whatever it says", "R1", BASKET) == Answer((0,), BASKET.commands)


def test_binding_names_ids_of_tasks() -> None:
    """Rows hold the ids of tasks, in the plan's order."""
    given = bound(Requirement("R1", "x", 3, "numbered"), Answer((1,), ("true",)), [40, 41])
    assert (given.tasks, given.commands) == ((41,), ("true",))


def test_gaps_are_told_with_what_to_do() -> None:
    """A demand that no task answers, that no command shows, or that nobody can check is told before the GPU works."""
    demands = [Requirement("R1", "a", 3, "numbered"), Requirement("R2", "It is fast.", 4, "numbered")]
    told = gaps(demands, [Answer((), ()), Answer((0,), ("true",))])
    assert [what.split(":")[0] for what, _ in told] == [
        "no task answers R1 (line 3)",
        "no command decides about R1 (line 3)",
        "R2 (line 4) is vague",
    ]
