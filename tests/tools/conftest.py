"""A workspace with a toolbox over it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lao.core.steps import DirectSteps, Steps
from lao.tools.context import ToolAudit, ToolContext, ToolResult
from lao.tools.toolbox import Toolbox

ALL = (
    "file_read", "file_write", "file_patch", "list_dir", "shell_exec", "find_relevant_files", "task_todo_set",
    "task_todo_get",
)  # fmt: skip


class Todos:
    """A to-do list in memory."""

    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []

    def get(self) -> list[dict[str, Any]]:
        return self.items

    def set(self, items: list[dict[str, Any]]) -> None:
        self.items = items


@dataclass
class Bench:
    root: Path
    todos: Todos = field(default_factory=Todos)
    audits: list[ToolAudit] = field(default_factory=list)

    def context(self, **more: Any) -> ToolContext:
        return ToolContext(self.root, self.marker, self.todos, self.audits.append, **more)

    @property
    def marker(self) -> str:
        """One a test: what carries a marker when a command ends is killed, and tests run side by side."""
        return f"test/{self.root}/"

    def box(self, **more: Any) -> Toolbox:
        return Toolbox(self.context(**more), ALL)

    def call(self, name: str, arguments: Any = None, steps: Steps | None = None, **more: Any) -> ToolResult:
        return self.box(**more).call(name, arguments, steps or DirectSteps(), "step")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    root = tmp_path / "work"
    root.mkdir()
    return Bench(root)
