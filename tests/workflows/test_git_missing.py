"""Git that is missing or does not know its user: a clear reason on the plan, and nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lao.state import plans
from tests.workflows.conftest import Plant

Open = Callable[..., Plant]
PLAN = "# Parts\n\n- task: part 1 | file: part_1.txt | content: x\n"


def end(factory: Plant) -> tuple[str, str]:
    plan_id = factory.submit("p", PLAN)
    factory.turn()
    plan = plans.get(factory.factory.store, plan_id)
    return plan.state.value, plan.reason


def test_without_git(plant: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """J1: no git on PATH parks the plan with what to do; with git again retry-failed finishes it."""
    factory = plant()
    path = tmp_path / "empty-path"
    path.mkdir()
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(path))
        state, reason = end(factory)
    assert state == "needs_human"
    assert "git is not on PATH" in reason
    assert "--no-git" in reason
    plans.retry(factory.factory.store, None)
    factory.turn()
    assert factory.plans()[0]["state"] == "completed"


def test_without_identity(plant: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """J1: git without user.name and user.email parks the plan and names the two commands."""
    factory = plant()
    for who in ("AUTHOR", "COMMITTER"):
        for what in ("NAME", "EMAIL"):
            monkeypatch.delenv(f"GIT_{who}_{what}")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    state, reason = end(factory)
    assert state == "needs_human"
    assert "user.name" in reason
