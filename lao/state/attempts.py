"""What a task's attempts have used and found (the ladder's notes), kept with it. Inside the caller's transaction."""

from __future__ import annotations

from typing import Any

from lao.core.words import Json
from lao.state.tables import TaskRow


def keep(task: Any, ladder: dict[str, Json], reason: str) -> None:
    """Keep the notes of an attempt that the checks refused."""
    fields = {
        "ladder": ladder,
        "reason": reason,
        "feedback": [],
        "verify_failures": task.verify_failures + 1,
    }
    TaskRow.update(**fields).where(TaskRow.id == task.id).execute()
    for name, value in fields.items():
        setattr(task, name, value)


def note_solved(task_id: int, ladder: dict[str, Json]) -> None:
    """Keep the notes of an attempt whose checks pass."""
    TaskRow.update(ladder=ladder).where(TaskRow.id == task_id).execute()


def renew(task: Any) -> None:
    """A fresh budget, and the first rung again; the best candidate so far is kept."""
    if not task.ladder:
        return
    task.ladder = {
        **task.ladder,
        "seconds": 0.0,
        "tokens": 0,
        "seen": [],
        "fresh_code": True,
        "idle": False,
        "base": task.attempts,
    }
    TaskRow.update(ladder=task.ladder).where(TaskRow.id == task.id).execute()
