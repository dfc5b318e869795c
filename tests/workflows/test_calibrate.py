"""Calibration in the factory: which models, when by itself, what a profile changes, and that it never costs a phase."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml

from lao.config.load import load
from lao.config.settings import Settings
from lao.core.errors import BadInput, Refused, ServerAway
from lao.core.profile import Profile, Score
from lao.core.states import Phase, Queue, Role
from lao.core.steps import StepKind
from lao.durable.journal import Journal
from lao.state import profiles, queries
from lao.state.tables import ModelEventRow, StepRow
from tests.state.pipeline_steps import ready_run, take
from tests.workflows.conftest import Plant
from tests.workflows.relay import relaying
from workflows.calibrate import (
    calibrate_models,
    first_token_limit_s,
    overlaid,
    profile_of_run,
    targets,
)
from workflows.factory import Factory
from workflows.supervisor import queue_lock

Open = Callable[..., Plant]
PLAN = "# Parts\n\n- task: one | file: one.txt | content: text one\n"
NO_TOOLS = {role: {"key": key} for role, key in (("planner", "sim-planner"), ("coder", "sim-coder"))}
KNOWN = Profile(
    "http://s",
    "m",
    context=4096,
    tools_stream="salvage",
    schema=True,
    edits=MappingProxyType({"search_replace": Score(3, 3)}),
    prefill_tokens_s=20.0,
    figures=MappingProxyType({"manages_memory": False}),
)


def settings_of(folder: Path, **document: Any) -> Settings:
    (folder / "factory.yaml").write_text(yaml.safe_dump(document))
    return load(cwd=folder, env={})


def completions(plant: Plant) -> int:
    return int(plant.server.stats["completions"])


def behind_relay(plant: Plant, url: str, **orchestration: Any) -> Factory:
    """The same project on the server at ``url``, which says nothing of being simulated."""
    settings = plant.factory.settings
    limits = replace(settings.orchestration, **orchestration)
    plant.factory.settings = replace(settings, server=replace(settings.server, base_url=url), orchestration=limits)
    return plant.factory


def test_each_model_is_a_target_once(tmp_path: Path) -> None:
    """E8: all roles of the pipeline by default, a distinct key once; others only where the user named their model."""
    models = {"planner": {"key": "a"}, "coder": {"key": "b"}, "reviewer": {"key": "a"}}
    settings = settings_of(tmp_path, models=models)
    assert targets(settings, None) == (Role.PLANNER, Role.CODER)
    assert targets(settings, "reviewer") == (Role.REVIEWER,)
    assert targets(settings, "b") == (Role.CODER,)
    settings = settings_of(tmp_path, models={**models, "pilot": {"key": "c"}, "embedder": {"key": "e"}})
    assert targets(settings, None) == (Role.PLANNER, Role.CODER, Role.PILOT)
    for unknown in ("z", "embedder", "e", ""):
        with pytest.raises(BadInput, match=f"no role or chat model {unknown!r}"):
            targets(settings, unknown)


def test_a_profile_fills_what_the_user_left_open(tmp_path: Path) -> None:
    """E8: tools, schema, edit format and context come from the profile."""
    settings = settings_of(tmp_path, models={"coder": {"key": "m"}})
    assert settings.models[Role.CODER].supports_tools
    model = overlaid(settings, Role.CODER, KNOWN)
    assert (model.supports_tools, model.supports_json_schema, model.edit_format) == (False, True, "search_replace")
    assert model.context_length == 4096
    assert overlaid(settings, Role.CODER, None) == settings.models[Role.CODER]
    assert overlaid(settings, Role.CODER, Profile("http://s", "m")) == settings.models[Role.CODER]
    assert overlaid(settings, Role.CODER, replace(KNOWN, context=10**6)).context_length == 16384
    managed = replace(KNOWN, figures=MappingProxyType({"manages_memory": True}))
    assert overlaid(settings, Role.CODER, managed).context_length == 16384


def test_what_the_user_set_wins(tmp_path: Path) -> None:
    """E8: a key in factory.yaml stands, also when it says what the default says."""
    given = {"supports_tools": True, "supports_json_schema": False, "edit_format": "whole", "context_length": 16384}
    settings = settings_of(tmp_path, models={"coder": {"key": "m", **given}})
    assert overlaid(settings, Role.CODER, KNOWN) == settings.models[Role.CODER]


def test_a_slow_model_is_waited_for(tmp_path: Path) -> None:
    """E8: the wait for the first token grows with what the model needs, and never shrinks below the default."""
    settings = settings_of(tmp_path, models={"coder": {"key": "m"}})
    model = overlaid(settings, Role.CODER, KNOWN)
    assert first_token_limit_s(settings, model, KNOWN) == 30 + 3 * 4096 / 20
    assert first_token_limit_s(settings, model, replace(KNOWN, prefill_tokens_s=5000.0)) == 300
    assert first_token_limit_s(settings, model, None) == 300
    fixed = settings_of(tmp_path, orchestration={"llm_request_timeout_s": 200})
    assert first_token_limit_s(fixed, model, KNOWN) == 200


def test_calibrating_keeps_a_profile_and_measures_it_once(plant: Open) -> None:
    """E8: each model of the pipeline is made resident through the gate and measured; a second time costs no call."""
    factory = plant()
    found = calibrate_models(factory.factory)
    assert [p.model for p in found] == ["sim-planner", "sim-coder", "sim-reviewer"]
    assert [p.context for p in found] == [32768, 16384, 8192]
    assert sorted(found, key=lambda p: p.model) == list(profiles.every(factory.factory.store))
    assert factory.server.stats["loads"] == 3
    assert factory.server.stats["max_large_resident"] == 1
    calls = completions(factory)
    assert 0 < calls < 60
    assert calibrate_models(factory.factory) == found
    assert completions(factory) == calls
    assert ModelEventRow.select().where(ModelEventRow.kind == "calibrate").count() == 3
    calibrate_models(factory.factory, "coder", force=True)
    assert completions(factory) > calls


def test_a_chat_only_server_can_be_calibrated(plant: Open) -> None:
    """E2 E8: nothing is loaded there, and the profile is kept all the same."""
    factory = plant({"api": "openai"})
    (profile,) = calibrate_models(factory.factory, "coder")
    assert profile.figures["manages_memory"] is False
    assert queries.models_view(factory.factory.store)["loads"] == 0


def test_a_worker_at_work_is_not_disturbed(plant: Open) -> None:
    """E8: while a worker has the gpu nothing is measured; what is known already is still shown."""
    factory = plant()
    (known,) = calibrate_models(factory.factory, "coder")
    lock = queue_lock(factory.factory.settings, Queue.GPU)
    lock.acquire()
    try:
        with pytest.raises(Refused, match="cannot calibrate 'sim-planner'"):
            calibrate_models(factory.factory, "planner")
        with pytest.raises(Refused):
            calibrate_models(factory.factory, "coder", force=True)
        assert calibrate_models(factory.factory, "coder") == (known,)
    finally:
        lock.release()
    assert calibrate_models(factory.factory, "planner")[0].model == "sim-planner"


def test_the_simulated_server_is_not_calibrated_by_itself(plant: Open) -> None:
    """E8: tests and the demonstration make no call that the plan does not need."""
    factory = plant()
    factory.submit("parts", PLAN)
    factory.turn()
    assert completions(factory) == 4
    assert profiles.every(factory.factory.store) == ()


def test_unknown_models_are_calibrated_at_their_first_use(plant: Open, caplog: pytest.LogCaptureFixture) -> None:
    """E8: each once, in the phase that needs it first, and the plan is done as ever."""
    factory = plant()
    with relaying(factory.server.url) as url, caplog.at_level(logging.INFO, "lao"):
        behind_relay(factory, url)
        factory.submit("parts", PLAN)
        factory.turn()
        made = profiles.every(factory.factory.store)
        assert {(p.server, p.model) for p in made} == {
            (url, "sim-planner"),
            (url, "sim-coder"),
            (url, "sim-reviewer"),
        }
        calls = completions(factory)
        factory.submit("more", PLAN.replace("one", "two"))
        factory.turn()
        assert completions(factory) == calls + 3
    assert [t["state"] for t in factory.tasks()] == ["completed"] * 2
    assert (factory.root / "parts" / "one.txt").read_text() == "text one\n"
    lines = [r.message for r in caplog.records if r.message.startswith("calibrated ")]
    assert len(lines) == 3
    assert factory.server.stats["loads"] <= 6


def test_it_can_be_switched_off(plant: Open) -> None:
    """E8: with calibration.auto false only ``lao calibrate`` measures."""
    factory = plant(calibration={"auto": False})
    with relaying(factory.server.url) as url:
        behind_relay(factory, url)
        factory.submit("parts", PLAN)
        factory.turn()
    assert completions(factory) == 4
    assert profiles.every(factory.factory.store) == ()


def test_a_failing_calibration_costs_no_phase(plant: Open, caplog: pytest.LogCaptureFixture) -> None:
    """E8: a server in trouble while it is probed leaves no profile, one warning, and the plan is done."""
    fault = {"match": {"contains": "capital of France"}, "fault": {"kind": "http", "status": 503}}
    factory = plant({"responses": [fault]})
    with relaying(factory.server.url) as url, caplog.at_level(logging.WARNING, "lao"):
        behind_relay(factory, url, llm_retry_backoff_base_s=0.01)
        factory.submit("parts", PLAN)
        factory.turn()
    assert [t["state"] for t in factory.tasks()] == ["completed"]
    assert profiles.every(factory.factory.store) == ()
    assert sum("could not be calibrated" in r.message for r in caplog.records) == 3


def test_a_failing_calibration_by_command_says_so(plant: Open) -> None:
    """E8: ``lao calibrate`` does not hide that the server failed, and frees the gpu."""
    fault = {"match": {"contains": "capital of France"}, "fault": {"kind": "http", "status": 503}}
    factory = plant({"responses": [fault]})
    with pytest.raises(ServerAway):
        calibrate_models(factory.factory, "coder")
    assert profiles.every(factory.factory.store) == ()
    lock = queue_lock(factory.factory.settings, Queue.GPU)
    lock.acquire()
    lock.release()


def test_a_resumed_run_goes_the_way_that_it_began(plant: Open) -> None:
    """K2: a profile that is found or changed while a run is interrupted does not change the run."""
    factory = plant().factory
    known = replace(KNOWN, server=factory.settings.server.base_url, model="sim-coder")
    plant_run = _begun_run(factory)
    store = factory.store

    def journal() -> Journal:
        return Journal(store, plant_run)

    without = journal()
    assert profile_of_run(factory, plant_run.run.id, Role.CODER, without, "") is None
    without.run(StepKind.READ, "files", lambda: 1)
    profiles.put(store, known)
    resumed = journal()
    assert profile_of_run(factory, plant_run.run.id, Role.CODER, resumed, "") is None
    assert resumed.run(StepKind.READ, "files", lambda: 2) == 1
    StepRow.delete().execute()
    assert profile_of_run(factory, plant_run.run.id, Role.CODER, journal(), "") == known
    profiles.note_rung(store, known.server, known.model, "schema")
    assert profile_of_run(factory, plant_run.run.id, Role.CODER, journal(), "") == known


def _begun_run(factory: Factory) -> Any:
    from tests.state.pipeline_steps import hand_in

    hand_in(factory.store)
    return take(factory.store, ready_run(Phase.INGEST))
