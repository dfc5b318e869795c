"""What may be at work side by side; inside the caller's transaction.

Tasks of one plan that meet in the same files go one after the other, in the plan's order, also where the planner forgot
to say so. What has ended its worker is tried alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any, Final

from lao.core.states import PHASE_QUEUE, Phase, RunState
from lao.state.recovery import SELECTIVE_CRASH, STRIKES
from lao.state.tables import RunRow, TaskRow

SAME_FILES: Final = "another task of this plan works on files that this one needs"
TURN_AT_WORK: Final = "another turn of the Pilot is at work"
ALONE: Final = "a phase that has ended its worker is tried alone"

_NAME: Final = 4
"""Letters from which a module's bare name is taken for a mention."""


def hindrance(row: Any) -> str:
    """Why this run must wait for others that are at work, or ""."""
    if row.strikes >= STRIKES:  # it is claimed to be set aside
        return ""
    if row.phase == Phase.PILOT.value:  # a person waits for it; after two crashes it ends (workflows.pilot_turn)
        return TURN_AT_WORK if _turn_is_at_work(row) else ""
    if row.phase == Phase.CODE.value and _meets(row):
        return SAME_FILES
    return ALONE if _is_to_be_alone(row) else ""


def put_off(row: Any, until: float) -> None:
    """Note that the run waits for others; ``called_back`` ends that."""
    RunRow.update(not_before=until, reason=SAME_FILES).where(RunRow.id == row.id).execute()


def called_back(plan_id: str, most: int) -> list[int]:
    """The first runs that waited for others of their plan, of which one has ended; they may be claimed at once."""
    waiting = RunRow.select(RunRow.id).where(
        RunRow.plan == plan_id, RunRow.state == RunState.READY.value, RunRow.reason == SAME_FILES
    )
    ids = [row.id for row in waiting.order_by(RunRow.id).limit(most)]
    RunRow.update(not_before=0.0).where(RunRow.id.in_(ids)).execute()
    return ids


def _meets(row: Any) -> bool:
    """Whether an attempt at work changes files of this task, or one that comes before it writes what this one names."""
    own, text = set(row.task.file_paths or ()), _text(row.task)
    before = (RunRow.state == RunState.READY.value) & (RunRow.reason == SAME_FILES) & (TaskRow.seq < row.task.seq)
    others = (
        RunRow.select(RunRow, TaskRow)
        .join(TaskRow)
        .where(RunRow.plan == row.plan_id, RunRow.phase == Phase.CODE.value, RunRow.id != row.id)
        .where((RunRow.state == RunState.RUNNING.value) | before)
    )
    return any(
        own & set(other.task.file_paths or ())
        or (other.task.seq < row.task.seq and _names(text, other.task.file_paths or ()))
        for other in others
    )


def _text(task: Any) -> str:
    return "\n".join((task.title, task.description, *(task.commands or ())))


def _names(text: str, paths: Iterable[str]) -> bool:
    """Whether the text names one of the files, by its name or that of its module."""
    for path in map(PurePosixPath, paths):
        words = {path.name, path.stem} if len(path.stem) >= _NAME else {path.name}
        if any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) for word in words):
            return True
    return False


def _turn_is_at_work(row: Any) -> bool:
    turns = (RunRow.phase == Phase.PILOT.value) & (RunRow.state == RunState.RUNNING.value)
    return bool(RunRow.select().where(turns, RunRow.id != row.id).exists())


def _is_to_be_alone(row: Any) -> bool:
    queue = PHASE_QUEUE[Phase(row.phase)]
    phases = [phase.value for phase, its in PHASE_QUEUE.items() if its is queue]
    at_work = RunRow.select().where(
        RunRow.phase.in_(phases), RunRow.state == RunState.RUNNING.value, RunRow.id != row.id
    )
    if row.strikes >= SELECTIVE_CRASH:
        return bool(at_work.exists())
    return bool(at_work.where(RunRow.strikes >= SELECTIVE_CRASH).exists())
