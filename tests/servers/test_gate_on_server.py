"""Gate, adapter, probe and simulated server together, on one fake clock; and which server and probe are chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lao.config.settings import Settings
from lao.core.clock import FakeClock
from lao.core.errors import ConfigError, ServerAway, Terminal
from lao.core.states import Role
from lao.core.words import Event
from lao.servers.adapters.lmstudio import LMStudioServer
from lao.servers.adapters.openai_compat import OpenAICompatServer
from lao.servers.detect import connect, detect_kind, probe_for
from lao.servers.gate.gate import MemoryGate
from lao.servers.simulated import SimulatedServer, parse_scenario

from .support import GB, make_settings, model

MODELS = [
    {"key": "alpha", "size_bytes": 15 * GB},
    {"key": "beta", "size_bytes": 16 * GB},
    {"key": "embed", "size_bytes": 80_000_000, "type": "embedding"},
]


def simulated(clock: FakeClock | None = None, **more: Any) -> SimulatedServer:
    return SimulatedServer(parse_scenario({"models": MODELS, "vram_total_bytes": 24 * GB, **more}), clock=clock)


def make_gate(settings: Settings, clock: FakeClock) -> tuple[MemoryGate, list[Event]]:
    events: list[Event] = []
    return MemoryGate(connect(settings, clock), settings, probe_for(settings), clock, events.append), events


def test_one_large_model_at_a_time() -> None:
    """Roles in turn: memory that comes back late is waited for, and never are two large models resident."""
    clock = FakeClock()
    with simulated(clock, release_delay=5.0, load_seconds=3.0) as server:
        gate, events = make_gate(make_settings(url=server.url, kind="simulated"), clock)
        roles = (Role.PLANNER, Role.EMBEDDER, Role.CODER, Role.REVIEWER, Role.PLANNER)
        outcomes = [gate.ensure(role) for role in roles]
        assert [o.ok for o in outcomes] == [True] * 5
        assert [o.waited_s for o in outcomes] == [0.0, 0.0, 6.0, 0.0, 6.0]
        stats = server.stats
        assert (stats["loads"], stats["unloads"], stats["swaps"]) == (4, 2, 2)
        assert stats["max_large_resident"] == 1
        assert stats["vram_peak"] <= stats["vram_total"]
        assert [e.data["seconds"] for e in events if e.kind == "model.load"] == [3.0] * 4


def test_memory_that_never_comes_back() -> None:
    """Memory that stays lost after the unload: no load, a deferral that says how much is missing."""
    clock = FakeClock()
    with simulated(clock, release_delay=1000.0) as server:
        gate, _ = make_gate(make_settings(url=server.url, kind="simulated"), clock)
        assert gate.ensure(Role.PLANNER).ok
        outcome = gate.ensure(Role.CODER)
        assert (outcome.ok, outcome.reason, outcome.waited_s) == (False, "out_of_memory", 10.0)
        assert server.stats["loads"] == 1


def test_server_dies_between_phases() -> None:
    """A server that is away defers the phase; when it is back the phase runs."""
    clock = FakeClock()
    with simulated() as server:
        gate, _ = make_gate(make_settings(url=server.url, kind="simulated"), clock)
        assert gate.ensure(Role.CODER).ok
        server.stop()
        away = gate.ensure(Role.CODER)
        assert (away.reason, away.delay_s) == ("server_away", 5.0)
        server.start()
        assert gate.ensure(Role.CODER).ok


@pytest.mark.parametrize("kind", ["auto", "lmstudio", "simulated"])
def test_kinds_that_speak_lm_studio(kind: str) -> None:
    """auto finds LM Studio's API; the simulated server's memory is the one that is measured, whatever the kind."""
    with simulated() as server:
        settings = make_settings(url=f"{server.url}/v1/", kind=kind)
        assert isinstance(connect(settings, FakeClock()), LMStudioServer)
        reading = probe_for(settings).read()
        assert (reading.source, reading.available_bytes) == ("simulated", 24 * GB)


@pytest.mark.parametrize("kind", ["auto", "openai"])
def test_kinds_that_chat_only(kind: str) -> None:
    """auto takes a server without LM Studio's API for chat only."""
    with simulated(api="openai") as server:
        assert isinstance(connect(make_settings(url=server.url, kind=kind), FakeClock()), OpenAICompatServer)


def test_fixed_kinds_send_nothing() -> None:
    """Kinds that are told are believed: connecting works while the server is away."""
    for kind in ("lmstudio", "openai", "simulated"):
        connect(make_settings(kind=kind), FakeClock())
        probe_for(make_settings(kind=kind))


def test_nothing_answers() -> None:
    """auto with a closed port is ServerAway, with the address and what to start."""
    with simulated() as server:
        url = server.url
    with pytest.raises(ServerAway, match=url) as caught:
        connect(make_settings(url=url), FakeClock())
    assert "lms server start" in caught.value.hint


@pytest.mark.parametrize("status", [200, 404])
def test_a_web_server_is_no_model_server(status: int) -> None:
    """auto with another web server's pages is a configuration error that names the address and the setting."""
    page = {"kind": "http", "status": status, "body": "<html>hello</html>"}
    rules = [{"match": {"path": path}, "fault": page} for path in ("/api/v1/models", "/v1/models")]
    with simulated(responses=rules) as server, pytest.raises(ConfigError, match=server.url) as caught:
        detect_kind(make_settings(url=server.url))
    assert "lm_studio_base_url" in caught.value.hint


def test_token_is_wanted() -> None:
    """auto with a server that wants a token says so instead of falling back to chat only."""
    with simulated(api_token="secret-token") as server:
        with pytest.raises(ConfigError, match="API token"):
            connect(make_settings(url=server.url), FakeClock())
        assert detect_kind(make_settings(url=server.url, key="secret-token")) == "simulated"


def test_memory_of_another_machine() -> None:
    """The memory of a server elsewhere cannot be read, and this machine's is not taken for it."""
    with simulated() as server:
        settings = make_settings(url=server.url.replace("127.0.0.1", "localhost"), kind="openai")
        assert probe_for(settings).read().available_bytes is not None
    assert probe_for(make_settings(url="http://gpu-box:1234", kind="openai")).read().available_bytes is None


def test_a_default_context_takes_what_the_server_gives() -> None:
    """E2: nobody set the length, so less will do; it is told once, kept in mind, and the model is not loaded again."""
    clock = FakeClock()
    with simulated(clock, context_cap=8192) as server:
        settings = make_settings(model(Role.CODER, "beta", 16384), url=server.url, kind="simulated")
        settings = replace(settings, sources={"models.coder.context_length": "default"})
        gate, events = make_gate(settings, clock)
        outcomes = [gate.ensure(Role.CODER) for _ in range(2)]
        assert [(o.ok, o.loads) for o in outcomes] == [(True, 1), (True, 0)]
        assert [o.instance.context_length for o in outcomes if o.instance] == [8192, 8192]
        (told,) = [e for e in events if e.kind == "gate.context"]
        assert "8192" in told.text
        assert "16384" in told.text


def test_a_context_that_the_user_set_is_not_made_smaller_in_silence() -> None:
    """F33: what factory.yaml asks for must come, or the load has failed with both figures."""
    clock = FakeClock()
    with simulated(clock, context_cap=8192) as server:
        settings = make_settings(model(Role.CODER, "beta", 16384), url=server.url, kind="simulated")
        gate, _ = make_gate(replace(settings, sources={"models.coder.context_length": "factory.yaml:3"}), clock)
        outcome = gate.ensure(Role.CODER)
        assert not outcome.ok
        assert isinstance(outcome.error, Terminal)
        assert "8192" in outcome.error.message


def test_a_context_too_small_for_any_work_fails_also_by_default() -> None:
    """F33: under 4096 tokens neither a plan nor a task can be shown."""
    clock = FakeClock()
    with simulated(clock, context_cap=2048) as server:
        settings = make_settings(model(Role.CODER, "beta", 16384), url=server.url, kind="simulated")
        gate, _ = make_gate(replace(settings, sources={"models.coder.context_length": "default"}), clock)
        assert isinstance(gate.ensure(Role.CODER).error, Terminal)
