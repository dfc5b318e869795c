"""``lao retry-failed`` at the command line: choosing by class and age, looking first, and what is refused."""

# ruff: noqa: F811
from __future__ import annotations

from pathlib import Path

import pytest

from lao.core.states import PlanState, TaskState
from lao.state import pipeline
from lao.state.tables import PlanRow
from lao.state.transitions import move_plan
from tests.cli.test_control_commands import Terminal, _project, lao, opened, planned  # noqa: F401  # fixtures


def failed(tmp_path: Path, lao: Terminal) -> str:
    """A plan whose first task failed with a reason, and the second with it."""
    plan_id = planned(tmp_path, lao)
    store = opened(tmp_path)
    with store.write():
        pipeline.end_task(1, TaskState.FAILED, 5.0, "its checks fail")
        move_plan(PlanRow.get_by_id(plan_id), PlanState.FAILED, 5.0)
    store.close()
    return plan_id


def test_it_looks_first_and_changes_nothing(tmp_path: Path, lao: Terminal) -> None:
    """K3: --dry-run lists what would be set back with class and reason."""
    plan_id = failed(tmp_path, lao)
    said = lao("retry-failed", "--dry-run")
    assert "2 would be set back" in said and "its checks fail" in said
    view = lao.json("retry-failed", "--dry-run", "--class", "coder")
    assert view["retried"] == 0 and view["dry_run"]
    assert [(item["plan"], item["task"], item["class"]) for item in view["chosen"]] == [
        (plan_id, 1, "coder"),
        (plan_id, 2, "coder"),
    ]
    assert {task["state"] for task in lao.json("status")["tasks"]} == {"failed"}


def test_class_and_age_choose(tmp_path: Path, lao: Terminal) -> None:
    """K3: what does not fit stays as it is, and the message says so; what fits is set back."""
    failed(tmp_path, lao)
    assert "of this kind" in lao("retry-failed", "--class", "review")
    assert "of this kind" in lao("retry-failed", "--newer-than", "1m")
    assert lao.json("retry-failed", "--older-than", "2h", "--class", "coder", "--class", "verify")["retried"] == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--class", "reviw"), "did you mean 'review'?"),
        (("--older-than", "soon"), "--older-than 'soon' is no length of time"),
        (("--newer-than", "-1h"), "--newer-than '-1h'"),
        (("nowhere",), "no plan 'nowhere'"),
    ],
)
def test_bad_input(tmp_path: Path, lao: Terminal, arguments: tuple[str, ...], said: str) -> None:
    """K3: one message, exit code 42."""
    failed(tmp_path, lao)
    assert said in lao("retry-failed", *arguments, code=42)


def test_an_empty_project(lao: Terminal) -> None:
    """K3: nothing has failed where nothing is."""
    assert lao("retry-failed") == "nothing has failed\n"
