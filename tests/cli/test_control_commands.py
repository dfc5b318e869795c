"""cancel, pause, resume, stop and replay at the command line: what they print, their JSON and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lao.cli.main import main
from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES
from lao.core.clock import SystemClock
from lao.core.states import PlanState
from lao.core.words import TaskSpec
from lao.servers.simulated.scenario import Scenario
from lao.servers.simulated.server import SimulatedServer
from lao.state import pipeline
from lao.state.store import Store, open_store
from lao.state.tables import PlanRow
from lao.state.transitions import move_plan

GOOD = "# Parts\n\n- task: part 1 | file: part_1.txt | content: x\n"
SPECS = (TaskSpec("one", "one", ("one.txt",)), TaskSpec("two", "two", ("two.txt",), dependencies=("one",)))


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*VARIABLES, *CONFIG_VARIABLES, FLAGS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "plans").mkdir()


class Terminal:
    """Commands and what they print."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        assert main(list(arguments)) == code, self._capsys.readouterr().err
        shown = self._capsys.readouterr()
        assert "Traceback" not in shown.err
        return shown.out + shown.err

    def json(self, *arguments: str, code: int = 0) -> dict:
        assert main([*arguments, "--json"]) == code
        return json.loads(self._capsys.readouterr().out)


@pytest.fixture
def lao(capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capsys)


def opened(tmp_path: Path) -> Store:
    return open_store(tmp_path / ".lao" / "state.db", SystemClock())


def planned(tmp_path: Path, lao: Terminal) -> str:
    """The plan ``soup`` with two open tasks, the second of which needs the first."""
    (tmp_path / "plans" / "soup.md").write_text(GOOD)
    plan_id = lao("submit", "plans/soup.md").split()[0]
    store = opened(tmp_path)
    with store.write():
        move_plan(PlanRow.get_by_id(plan_id), PlanState.PLANNING, 1.0)
        pipeline.add_tasks(plan_id, SPECS, 1.0)
    store.close()
    return plan_id


@pytest.mark.parametrize("command", ["cancel", "pause", "resume", "replay", "retry-failed"])
@pytest.mark.parametrize(("name", "words"), [("suop", "soup"), ("#77", "lao status")])
def test_what_is_not_there(tmp_path: Path, lao: Terminal, command: str, name: str, words: str) -> None:
    """M3: one message with the nearest name, exit code 42, nothing changed."""
    planned(tmp_path, lao)
    said = lao(command, name, code=42)
    assert words in said or (command == "replay" and "number" in said)
    assert lao.json(command, name, code=42)["error"]["kind"] == "BadInput"
    assert {task["state"] for task in lao.json("status")["tasks"]} == {"ready", "waiting"}


@pytest.mark.parametrize("how", ["soup", "plans/soup.md", "soup.md", "id", "prefix"])
def test_a_plan_is_cancelled_by_any_of_its_names_and_once(tmp_path: Path, lao: Terminal, how: str) -> None:
    """M3: the second time it says so and exits with 0; status shows it, a run has nothing to do."""
    plan_id = planned(tmp_path, lao)
    name = {"id": plan_id, "prefix": plan_id[:7]}.get(how, how)
    done = lao.json("cancel", name)
    assert done == {
        "plan": plan_id,
        "task": None,
        "changed": True,
        "state": "cancelled",
        "plan_state": "cancelled",
        "tasks": [1, 2],
        "phases": 0,
    }
    assert "is cancelled already" in lao("cancel", name)
    assert lao.json("cancel", name)["changed"] is False
    assert "cancelled by a person" in lao("status")
    assert "nothing to pause" in lao("pause", name)
    assert "0 open tasks" not in lao("retry-failed")
    assert lao("retry-failed", name).startswith("2 set back")


def test_a_task_is_cancelled_with_what_needs_it(tmp_path: Path, lao: Terminal) -> None:
    """M3: by its number; the plan stays open for its close."""
    planned(tmp_path, lao)
    assert lao("cancel", "#1") == "cancelled task 1 one and what needs it: 2\n"
    assert "already" in lao("cancel", "1")
    done = lao.json("cancel", "2")
    assert (done["task"], done["changed"], done["state"], done["plan_state"]) == (2, False, "cancelled", "active")


def test_pause_and_resume(tmp_path: Path, lao: Terminal) -> None:
    """M3: status says PAUSED and since when, twice is said, resume goes on; a single run ends with 4 meanwhile."""
    plan_id = planned(tmp_path, lao)
    assert lao.json("pause", "soup")["changed"] is True
    assert "already" in lao("pause", "soup")
    shown = lao.json("status")
    assert shown["paused"] is None
    assert isinstance(shown["plans"][0]["paused"], float)
    assert f"'lao resume {plan_id}' goes on" in lao("status")
    assert "PAUSED: everything" in lao("pause")
    assert "PAUSED since" in lao("status").splitlines()[0]
    with SimulatedServer(Scenario()) as server:
        (tmp_path / "factory.yaml").write_text(f"lm_studio_base_url: {server.url}\n")
        (tmp_path / "factory.yaml").write_text(
            f"lm_studio_base_url: {server.url}\nmodels:\n  planner: {{key: sim-planner}}\n"
            "  coder: {key: sim-coder}\n  reviewer: {key: sim-reviewer}\n"
        )
        for which in (["--single-run"], ["--plan", "plans/soup.md"]):
            said = lao("run", *which, code=4)
            assert "PAUSED: everything" in said
            assert "'lao resume' goes on" in said
        assert server.stats["completions"] == 0
    assert "everything is PAUSED" in lao("resume", "soup")
    assert "was not paused" in lao("resume", "soup")
    done = lao.json("resume")
    assert (done["resumed"], done["woken"] > 0, done["paused"]) == (True, True, None)
    assert lao("resume") == "nothing was paused\n"


def test_a_replay_says_what_it_does(tmp_path: Path, lao: Terminal) -> None:
    """M3: refused while at work (exit code 1), for want of a need, and with an unknown phase (2)."""
    planned(tmp_path, lao)
    assert "at work" in lao("replay", "1", code=1)
    lao("cancel", "soup")
    assert "needs task 1" in lao("replay", "2", code=1)
    lao("replay", "1", "--from", "nowhere", code=2)
    assert lao("replay", "#1") == "task 1 one is tried again from code\n"
    done = lao.json("replay", "2", "--from", "verify")
    assert (done["state"], done["from"], done["woken"]) == ("waiting", "verify", 0)


def test_stop_where_nothing_runs(tmp_path: Path, lao: Terminal) -> None:
    """M3: it says so, exits with 0 and makes nothing."""
    assert lao("stop") == "nothing runs here\n"
    assert not (tmp_path / ".lao").exists()
    planned(tmp_path, lao)
    assert lao.json("stop") == {"stopped": [], "left": []}
