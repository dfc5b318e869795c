"""How long this project's tasks have taken, and what that says of a plan's time left. An estimate, never a promise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from lao.core.states import Phase, TaskState
from lao.state.spans import together
from lao.state.store import Store
from lao.state.tables import RunRow, TaskRow

LEAST: Final = 3
"""Finished tasks that it takes to say anything."""

LOOKED_BACK: Final = 60
_OF_A_TASK: Final = (Phase.CODE.value, Phase.VERIFY.value, Phase.REVIEW.value)
_LEFT: Final[Mapping[str, tuple[str, ...]]] = {
    **{state.value: _OF_A_TASK for state in (TaskState.WAITING, TaskState.READY, TaskState.CODING)},
    TaskState.VERIFYING.value: _OF_A_TASK[1:],
    TaskState.REVIEWING.value: _OF_A_TASK[2:],
}


@dataclass(frozen=True)
class Pace:
    """What the project's latest finished tasks have taken.

    Attributes:
        tasks: how many of them were looked at.
        seconds: of each phase, the median over the tasks of all that it took, further attempts included.
        overlap: the time in which any of their phases was at work, as a share of the sum of all: 1 when one thing is
            done after the other, less when several are under way.
    """

    tasks: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    overlap: float = 1.0

    def left_s(self, states: Mapping[str, int], under_way: Iterable[tuple[str, float]]) -> float | None:
        """Seconds that open tasks will take, if nothing else is worked on; None without a history.

        Args:
            states: how many tasks are in each state.
            under_way: phases at work on them, with the seconds since they began.
        """
        if self.tasks < LEAST:
            return None
        whole = sum(n * self.seconds.get(phase, 0.0) for state, n in states.items() for phase in _LEFT.get(state, ()))
        done = sum(min(since, self.seconds.get(phase, 0.0)) for phase, since in under_way if phase in _OF_A_TASK)
        return max(0.0, whole - done) * self.overlap + self.seconds.get(Phase.CLOSE.value, 0.0)


def pace(store: Store) -> Pace:
    """The pace of the project's latest ``LOOKED_BACK`` completed tasks."""
    completed = TaskRow.select(TaskRow.id).where(TaskRow.state == TaskState.COMPLETED.value)
    with store.reading():
        tasks = [task for (task,) in completed.order_by(TaskRow.id.desc()).limit(LOOKED_BACK).tuples()]
        fields = (RunRow.task, RunRow.phase, RunRow.started_at, RunRow.finished_at)
        timed = RunRow.started_at.is_null(False) & RunRow.finished_at.is_null(False)
        runs = list(RunRow.select(*fields).where(RunRow.task.in_(tasks), timed).order_by(RunRow.started_at).tuples())
        ends = RunRow.select(RunRow.started_at, RunRow.finished_at).where(timed, RunRow.phase == Phase.CLOSE.value)
        closes = [end - begin for begin, end in ends.order_by(RunRow.id.desc()).limit(LOOKED_BACK).tuples()]
    took: dict[tuple[str, int], float] = {}
    for task, phase, begin, end in runs:
        took[phase, task] = took.get((phase, task), 0.0) + max(0.0, end - begin)
    seconds = {phase: median(s for (p, _), s in took.items() if p == phase) for phase in {p for p, _ in took}}
    if closes:
        seconds[Phase.CLOSE.value] = median(closes)
    return Pace(len(tasks), seconds, _overlap([(begin, end) for _, _, begin, end in runs]))


def _overlap(spans: list[tuple[float, float]]) -> float:
    """The length of the union of spans (in the order of their beginnings) as a share of the sum of their lengths."""
    alone = sum(max(0.0, end - begin) for begin, end in spans)
    return together(spans) / alone if alone > 0 else 1.0
