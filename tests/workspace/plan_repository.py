"""What the tests of plan repositories share: one with given settings, a commit, git itself to look at the result."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from lao.config.settings import GitSettings
from lao.core.steps import DirectSteps
from lao.workspace.commits import Commit
from lao.workspace.git import Repository
from lao.workspace.git_calls import Git

SETTINGS = GitSettings(enabled=True, plan_file_name="LAO_PLAN.md", commit_trailers=True, worktrees=False)
DATE = 1_800_000_000


def repository(root: Path, **more: Any) -> Repository:
    return Repository(root, settings=SETTINGS, state_dir=root.parent / ".lao", **more)


def git(root: Path, *args: str) -> str:
    return subprocess.run(["git", *args], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def commit(repo: Repository, step: str, message: str = "lao(coder): work", **more: Any) -> str | None:
    return repo.commit_step(DirectSteps(), "commit", message=message, step_id=step, date=DATE, **more)


def effect(root: Path, step: str, **more: Any) -> Commit:
    return Commit(Git(root), f"work\n\nLAO-Step: {step}\n", step, DATE, **more)


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def steps_in(root: Path) -> list[str]:
    return [s for s in git(root, "log", "--format=%(trailers:key=LAO-Step,valueonly)").splitlines() if s]
