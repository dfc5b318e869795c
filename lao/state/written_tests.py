"""Tests that a model has written for tasks, and which wrong versions of the code they have noticed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lao.state.acceptance_tables import WrittenTestRow
from lao.state.store import Store
from lao.state.tables import TaskRow

ENOUGH: Final = 3
"""Wrong versions that a test must have noticed, and none missed, to prove anything."""


@dataclass(frozen=True)
class Tried:
    """A wrong version of the code; ``noticed``: the test failed on it."""

    path: str
    line: int
    what: str
    noticed: bool


@dataclass(frozen=True)
class WrittenTest:
    """The test of a task.

    Attributes:
        digest: SHA-256 of its text in hex.
        tried: None while it was not tried on wrong versions.
    """

    task: int
    path: str
    command: str
    digest: str
    tried: tuple[Tried, ...] | None = None

    @property
    def proves(self) -> bool:
        """Whether work that passes it counts as proved by it."""
        return self.tried is not None and len(self.tried) >= ENOUGH and all(one.noticed for one in self.tried)


def keep(written: Sequence[WrittenTest]) -> None:
    """Inside a transaction: these tests were written."""
    for one in written:
        WrittenTestRow.replace(task=one.task, path=one.path, command=one.command, digest=one.digest).execute()


def note_tried(task_id: int, tried: Sequence[Tried]) -> None:
    """Inside a transaction: what the task's test has noticed of wrong versions of the present code."""
    listed = [[one.path, one.line, one.what, one.noticed] for one in tried]
    WrittenTestRow.update(mutants=listed).where(WrittenTestRow.task == task_id).execute()


def of_plan(store: Store, plan_id: str) -> tuple[WrittenTest, ...]:
    """The tests that were written for the plan's tasks, in the order of these."""
    with store.reading():
        query = WrittenTestRow.select().join(TaskRow).where(TaskRow.plan == plan_id).order_by(TaskRow.seq)
        return tuple(_record(row) for row in query)


def unproven() -> frozenset[tuple[int, str]]:
    """Inside a block of reads: (task, command) of all written tests that prove nothing."""
    found = (_record(row) for row in WrittenTestRow.select())
    return frozenset((one.task, one.command) for one in found if not one.proves)


def _record(row: WrittenTestRow) -> WrittenTest:
    tried = None if row.mutants is None else tuple(Tried(*item) for item in row.mutants)
    return WrittenTest(row.task_id, row.path, row.command, row.digest, tried)
