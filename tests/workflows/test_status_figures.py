"""Promise: ``lao status`` shows what the server's cache served and what the work took, of a plan that really ran."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lao.cli.status_cmd import _print, collect
from lao.servers.energy import Counter, Readings
from tests.workflows.conftest import Plant

PLAN = "# Parts\n\n- task: part 1 | file: a.txt | content: one\n- task: part 2 | file: b.txt | content: two\n"


class Meter:
    """Counters of one device that uses 250 J between two readings; ``fails_at``: readings that give nothing."""

    name = "nvml"

    def __init__(self, *fails_at: int) -> None:
        self._reads, self._fails_at = 0, fails_at

    def read(self) -> Readings:
        self._reads += 1
        return {} if self._reads in self._fails_at else {"gpu 0": Counter(250.0 * self._reads)}


def ran(plant: Callable[..., Plant], meter: Meter | None, **scenario: object) -> Plant:
    project = plant(scenario=scenario or None)
    project.factory.__dict__["energy"] = meter  # what the machine would offer; it is looked up once
    project.submit("parts", PLAN)
    project.turn()
    return project


def test_cache_and_joules_of_a_plan(plant: Callable[..., Plant], capsys: pytest.CaptureFixture[str]) -> None:
    """A share for the plan and each of its phases; 250 J for each of five gpu phases; one figure each for people."""
    view = collect(ran(plant, Meter()).factory)
    (plan,) = view["plans"]
    assert set(plan["cache"]["phases"]) == {"plan", "code", "review"}
    assert plan["cache"]["source"] == "server"
    assert plan["cache"]["counted"] == plan["cache"]["calls"] == view["calls"]["model"]
    assert plan["cache"]["cached"] == view["tokens"]["cached"] > 0
    assert plan["energy"]["joules"] == 1250.0
    assert {name: part["joules"] for name, part in plan["energy"]["phases"].items()} == {
        "plan": 250.0, "code": 500.0, "review": 500.0,
    }  # fmt: skip
    assert [task["energy"] for task in view["tasks"]] == [
        {"joules": 500.0, "source": "nvml gpu 0", "complete": True}
    ] * 2
    _print(view)
    line = capsys.readouterr().out.splitlines()[0]
    assert f", {round(100 * plan['cache']['share'])} % of prompts from cache, 1.25 kJ (nvml gpu 0)" in line


def test_a_reader_that_fails_midway(plant: Callable[..., Plant], capsys: pytest.CaptureFixture[str]) -> None:
    """The phase at whose end nothing could be read has no figure; the plan's sum says that it was more."""
    view = collect(ran(plant, Meter(2)).factory)
    (plan,) = view["plans"]
    assert "plan" not in plan["energy"]["phases"]
    assert (plan["energy"]["joules"], plan["energy"]["complete"]) == (1000.0, False)
    _print(view)
    assert "at least 1 kJ" in capsys.readouterr().out.splitlines()[0]


def test_nothing_told_and_nothing_counted(plant: Callable[..., Plant], capsys: pytest.CaptureFixture[str]) -> None:
    """A silent server on a machine without counters: null, and not a word for people."""
    view = collect(ran(plant, None, tell_cache=False).factory)
    (plan,) = view["plans"]
    assert plan["cache"]["calls"] > 0
    assert (plan["cache"]["share"], plan["cache"]["cached"], plan["energy"]) == (None, None, None)
    assert [task["energy"] for task in view["tasks"]] == [None, None]
    _print(view)
    line = capsys.readouterr().out.splitlines()[0]
    assert line.endswith("2 of 2 tasks completed")


def test_inferred_commands_are_said_before_they_are_used(
    plant: Callable[..., Plant], capsys: pytest.CaptureFixture[str]
) -> None:
    """I1: one line for a plan that names no command, from the moment it is queued until it is over; none for others."""
    project = plant(orchestration={"infer_validation_commands": True})
    for name in ("parts", "named"):
        (project.root / name).mkdir()
        (project.root / name / "Makefile").write_text("test:\n\ttrue\n")
    project.submit("parts", PLAN)
    project.submit("named", "---\nvalidation: 'true'\n---\n" + PLAN)
    view = collect(project.factory)
    assert {plan["name"]: plan["inferred"] for plan in view["plans"]} == {
        "parts": ["make test (Makefile)"],
        "named": [],
    }
    _print(view)
    assert capsys.readouterr().out.count("no command is named, inferred: make test (Makefile)") == 1
    (project.root / "parts" / "Makefile").unlink()
    (project.root / "parts" / "Makefile").mkdir()
    assert collect(project.factory)["plans"][0]["inferred"] == []
    (project.root / "parts" / "Makefile").rmdir()
    project.turn()
    assert [plan["inferred"] for plan in collect(project.factory)["plans"]] == [[], []]
