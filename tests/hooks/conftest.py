"""A project with hooks, opened from its factory.yaml."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from lao.config.load import load
from lao.config.settings import Settings
from lao.durable.containment import Containment, choose
from lao.hooks.contract import About
from lao.hooks.project import Means, ProjectHooks, load_hooks
from lao.hooks.tool_calls import ToolCallHooks


@dataclass
class Project:
    """A folder with a factory.yaml; ``notes`` has what was said to be wrong with hooks."""

    root: Path
    notes: list[str] = field(default_factory=list)

    def settings(self, **hooks: Any) -> Settings:
        (self.root / "factory.yaml").write_text(yaml.safe_dump({"hooks": hooks}))
        return load(cwd=self.root, env={})

    def hooks(self, **hooks: Any) -> ProjectHooks:
        return load_hooks(self.settings(**hooks), choose("auto"), {"MY_TOKEN": "t0p"})

    @property
    def means(self) -> Means:
        return Means(f"test/{self.root}/hook", self.notes.append)

    @property
    def about(self) -> About:
        cwd = self.root / "plan"
        cwd.mkdir(exist_ok=True)
        return About(self.root, cwd, "p1", "plan", 7, "the task", "code", 1, 3, "coder")

    def around_tools(self, **hooks: Any) -> ToolCallHooks:
        return ToolCallHooks(self.hooks(**hooks), self.about, self.means)

    def program(self, body: str) -> str:
        """The command line of a Python program."""
        number = len(list(self.root.glob("program_*.py")))
        path = self.root / f"program_{number}.py"
        path.write_text(body)
        return f"{shlex.quote(sys.executable)} {shlex.quote(str(path))}"


def command(line: str, matcher: str | None = None, **more: Any) -> list[dict[str, Any]]:
    """One group with one command."""
    return [{"matcher": matcher, "hooks": [{"type": "command", "command": line, **more}]}]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


Open = Callable[..., Project]
NONE = Containment.NONE
