"""What each task of a report changed, as patches out of the plan's repository. Reads git, writes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lao.core.errors import LaoError
from lao.reports.model import PlanReport, TaskReport
from lao.workspace.git_calls import Git

MOST: Final = 60_000
"""Characters of one task's patches that are kept."""

_SHOW: Final = ("show", "--format=", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")


def patches(report: PlanReport) -> dict[int, str]:
    """Task id to its patches, the oldest commit first; a task is missing that committed nothing, or whose commits or
    repository are gone. Needs git where the plan has commits; without it there are none."""
    root = Path(report.workspace) if report.workspace else None
    if root is None or not (root / ".git").exists():
        return {}
    found = {task.id: _patch(Git(root), task) for task in report.tasks}
    return {task: patch for task, patch in found.items() if patch}


def _patch(git: Git, task: TaskReport) -> str:
    parts: list[str] = []
    for commit in task.commits or ((task.commit,) if task.commit else ()):
        try:
            parts.append(git.call(*_SHOW, commit)[1].lstrip("\n"))
        except LaoError:  # no git, or the commit is gone: the page says that there is nothing to show
            continue
        if sum(map(len, parts)) > MOST:
            break
    return "".join(parts)[:MOST]
