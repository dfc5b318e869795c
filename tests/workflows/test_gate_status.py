"""What the memory gate decided is seen in the status, and what LAO loaded is known to its next process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lao.cli import status_cmd
from lao.core.states import Role
from lao.state.loads import KeptLoads
from workflows.factory import Factory

from .conftest import MODELS, Plant

GB = 1_000_000_000
Open = Callable[..., Plant]
WORLD = {
    "models": [{"key": key, "size_bytes": 9 * GB} for key in MODELS.values()],
    "vram_total_bytes": 12 * GB,
}
QUICK = {"settle_timeout_s": 0.05, "poll_interval_s": 0.01}


def shown(factory: Factory, capsys: pytest.CaptureFixture[str]) -> str:
    status_cmd._print(status_cmd.collect(factory))
    return capsys.readouterr().out


def test_a_shut_gate_is_seen_in_the_status(plant: Open, capsys: pytest.CaptureFixture[str]) -> None:
    """E4: while a role waits the status says which, why and what to do; once it runs the line is gone."""
    project = plant(WORLD, memory_gate=QUICK)
    assert status_cmd.collect(project.factory)["gate"] is None
    project.server.occupy(8 * GB)
    assert not project.factory.ensure_resident(Role.PLANNER).ok
    gate = status_cmd.collect(project.factory)["gate"]
    assert (gate["decision"], gate["shut"], gate["reason"]) == ("deferred", True, "out_of_memory")
    assert (gate["role"], gate["model"]) == ("planner", MODELS["planner"])
    assert "no room for model" in gate["text"]
    assert "close what uses the memory" in gate["hint"]
    line = next(row for row in shown(project.factory, capsys).splitlines() if row.startswith("memory gate:"))
    assert "4.0 GB is free" in line
    project.server.occupy(0)
    assert project.factory.ensure_resident(Role.PLANNER).ok
    gate = status_cmd.collect(project.factory)["gate"]
    assert (gate["decision"], gate["shut"]) == ("open", False)
    assert "memory gate:" not in shown(project.factory, capsys)


def test_a_put_off_phase_shows_the_gate_s_reason(plant: Open, capsys: pytest.CaptureFixture[str]) -> None:
    """E4: a stranger's model that may not be unloaded is named at the phase that waits for it."""
    project = plant(WORLD, memory_gate={"evict_foreign": False})
    project.server.load_by_hand(MODELS["coder"])
    project.submit("waits", "# Plan\n\nWrite a.py.\n")
    with pytest.raises(AssertionError, match="not idle"):
        project.turn(limit=6)
    view = status_cmd.collect(project.factory)
    assert view["gate"]["reason"] == "foreign_model"
    assert any(MODELS["coder"] in run["reason"] for run in view["running"])
    assert f"'{MODELS['coder']}' is in the model server's memory, and LAO has not loaded it" in shown(
        project.factory, capsys
    )
    assert project.server.stats["resident"] == [MODELS["coder"]]


def test_the_next_process_knows_what_lao_loaded(plant: Open) -> None:
    """E4: what a killed worker had loaded is LAO's to unload, also where strangers' models are spared; and what the
    load took is kept."""
    project = plant(WORLD, memory_gate={**QUICK, "evict_foreign": False})
    assert project.factory.ensure_resident(Role.PLANNER).ok
    second = Factory(project.factory.settings)
    try:
        assert second.ensure_resident(Role.CODER).ok
        assert project.server.stats["resident"] == [MODELS["coder"]]
        kept = KeptLoads(second.store, second.settings.server.base_url)
        assert list(kept.loaded()) == [MODELS["coder"]]
        context = second.settings.models[Role.CODER].context_length
        assert kept.taken(MODELS["coder"], context) == (9 * GB,)
    finally:
        second.close()
