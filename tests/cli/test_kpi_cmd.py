"""``lao kpi``: figures from rows, the stretch before, the history file, bad input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lao.cli.main import main
from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES
from lao.state import kpi
from tests.workflows.conftest import Plant, identity, plant  # noqa: F401  # fixtures

SHORT = {"repairs": 0, "candidates": 1, "split": False, "idle": False}
ONE = {"retry_cap_coder": 1, "retry_cap_reviewer": 1, "retry_cap_validation": 1, "max_task_attempts": 1}


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*VARIABLES, *CONFIG_VARIABLES, FLAGS_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def test_the_figures_are_those_of_the_rows(plant: Callable[..., Plant]) -> None:  # noqa: F811
    """M2: one good and one bad plan are counted as such, before them there is nothing, and nothing is made up."""
    it = plant(orchestration=ONE, attempts=SHORT)
    for name, command in (("good", "true"), ("bad", "false")):
        text = f"---\nvalidation: '{command}'\n---\n# P\n\n- task: part {name} | file: {name}.txt | content: x\n"
        it.submit(name, text)
    it.turn()
    until = it.factory.clock.now() + 1
    now = kpi.kpi(it.factory.store, until - 3600, until)
    assert (now.plans_completed, now.plans_ended, now.tasks_completed, now.tasks_ended) == (1, 2, 1, 2)
    assert now.first_pass == 1.0 and now.attempts == 1.0 and now.rework == 0.5
    assert now.false_done == 0 and now.tokens > 0 and now.tokens_per_task == now.tokens
    assert now.working_h is not None and now.joules is None
    before = kpi.kpi(it.factory.store, until - 7200, until - 3600)
    assert (before.plans_ended, before.first_pass, before.tokens_per_task, before.working_h) == (0, None, None, None)


def test_an_empty_project_measures_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """M2: "not measured" instead of zeros; --write keeps snapshot and history beside factory.yaml, as LAO 3.1 did."""
    assert main(["kpi"]) == 0
    assert "first-pass rate" in (said := capsys.readouterr().out) and "not measured" in said
    assert not (tmp_path / "kpi_snapshot.json").exists()
    (tmp_path / "kpi_history.json").write_text('[{"since": 1}]')
    assert main(["kpi", "--write", "--since", "24h", "--json"]) == 0
    view = json.loads(capsys.readouterr().out)
    assert view["trend"]["plans_completed"] == "same" and view["trend"]["first_pass"] is None
    assert view["written"] == [str(tmp_path / "kpi_snapshot.json"), str(tmp_path / "kpi_history.json")]
    kept = json.loads((tmp_path / "kpi_history.json").read_text())
    assert [entry["since"] for entry in kept] == [1, view["now"]["since"]]
    assert json.loads((tmp_path / "kpi_snapshot.json").read_text()) == {
        name: view[name] for name in ("now", "before", "trend")
    }


def test_a_wrong_stretch_is_bad_input(capsys: pytest.CaptureFixture[str]) -> None:
    """M2: exit code 42."""
    assert main(["kpi", "--since", "yesterday"]) == 42
    assert "'yesterday' is no length of time" in capsys.readouterr().err
