"""How far a plan's demands are met, by what tasks have come to and what commands did. Reads and runs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from lao.core.states import TERMINAL_TASKS, TaskState
from lao.state.requirements import Requirement

VALIDATED: Final = "validated"
"""Every task that answers it is completed, and every command of it passes on the final commit."""

FAILED: Final = "failed"
"""A command of it fails, or a task that answers it ended otherwise than completed."""

OPEN: Final = "open"
"""It is not decided yet."""

UNCOVERED: Final = "uncovered"
"""No task answers it and no command decides about it."""

STATUSES: Final = (VALIDATED, FAILED, OPEN, UNCOVERED)


@dataclass(frozen=True)
class Covered:
    """A demand and its status, one of ``STATUSES``."""

    requirement: Requirement
    status: str

    @property
    def text(self) -> str:
        """The demand and how it stands, in a line."""
        where = f" (line {self.requirement.line})" if self.requirement.line else ""
        return f"{self.requirement.key}{where} is {self.status}: {self.requirement.text}"


def covered(
    demands: Iterable[Requirement], tasks: Mapping[int, TaskState], passed: Mapping[str, bool]
) -> tuple[Covered, ...]:
    """The status of each demand.

    Args:
        tasks: states of the plan's tasks by id.
        passed: by command line, how it ended on the commit that is judged; those that were not run are missing.
    """
    return tuple(Covered(one, _status(one, tasks, passed)) for one in demands)


def _status(one: Requirement, tasks: Mapping[int, TaskState], passed: Mapping[str, bool]) -> str:
    states = [tasks[number] for number in one.tasks if number in tasks]
    ran = [passed[command] for command in one.commands if command in passed]
    if not states and not one.commands:
        return UNCOVERED
    if not all(ran) or any(s in TERMINAL_TASKS and s is not TaskState.COMPLETED for s in states):
        return FAILED
    if any(s is not TaskState.COMPLETED for s in states) or (not states and len(ran) < len(one.commands)):
        return OPEN
    return VALIDATED
