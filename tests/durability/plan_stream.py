"""Plans that are dropped into a project's folder one after the other, and how many of them are over."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from lao.core.states import TERMINAL_PLANS
from tests.durability.factory_run import Project, plan_text


class PlanStream:
    """Small plans whose tasks each write a file and have a command.

    Attributes:
        plans: the number of tasks by the plan's name, as ``invariants.check_plans`` wants it.
        command: of each task; ``{n}`` is its number.
    """

    def __init__(self, factory: Project, command: str = "test -s part_{n}.txt") -> None:
        self._factory = factory
        self.plans: dict[str, int] = {}
        self.command = command

    @property
    def steps(self) -> int:
        """The model calls that they take undisturbed: one a plan, two of the coder and one of the reviewer a task."""
        return sum(1 + 3 * tasks for tasks in self.plans.values())

    def open(self) -> int:
        """How many are not over."""
        return len(self.plans) - plans_over(self._factory)

    def keep_open(self, count: int) -> None:
        """Hand in another one when fewer than so many are open: two to four tasks, in a chain or not."""
        if self.open() >= count:
            return
        number = len(self.plans) + 1
        name, tasks = f"plan{number}", 2 + number % 3
        text = plan_text(tasks, chained=number % 2 == 0, check=self.command).replace("parts", name)
        (self._factory.root / "plans" / f"{name}.md").write_text(text)
        self.plans[name] = tasks


def plans_over(factory: Project) -> int:
    """By the state, read beside running workers; 0 while it cannot be read."""
    over = ", ".join(f"'{state.value}'" for state in TERMINAL_PLANS)
    path = factory.root / ".lao" / "state.db"
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as connection:
            query = f"SELECT count(*) FROM lao_plan WHERE state IN ({over})"
            return int(connection.execute(query).fetchone()[0])
    except sqlite3.OperationalError:  # it is being made, or lies without its log between two workers
        return 0
