"""Which kind of server answers: told by bodies, with few requests; and the gate on each kind that loads models."""

from __future__ import annotations

from typing import Any

import pytest

from lao.core.clock import FakeClock
from lao.core.errors import ServerAway, Transient
from lao.core.states import Role
from lao.servers.adapters.llamacpp import LlamaCppServer
from lao.servers.adapters.llamaswap import LlamaSwapServer
from lao.servers.adapters.lmstudio import LMStudioServer
from lao.servers.adapters.ollama import OllamaServer
from lao.servers.adapters.vllm import VllmServer
from lao.servers.detect import connect, detect_kind, probe_for
from lao.servers.gate.gate import MemoryGate
from lao.servers.simulated.scenario import Fault, Match, Rule, Scenario
from lao.servers.simulated.server import SimulatedServer

from .stand_ins.llamacpp import LlamaCppStandIn
from .stand_ins.llamaswap import LlamaSwapStandIn
from .stand_ins.old_lmstudio import OldLMStudioStandIn
from .stand_ins.ollama import OllamaStandIn
from .stand_ins.stand_in import Answer, Part, StandIn
from .stand_ins.vllm import VllmStandIn
from .support import ScriptedProbe, make_settings, model

PART = Part("alpha", context=16384)
KINDS = [
    (LlamaCppStandIn, {}, "llamacpp", LlamaCppServer),
    (LlamaCppStandIn, {"router": False}, "llamacpp", LlamaCppServer),
    (OllamaStandIn, {}, "ollama", OllamaServer),
    (LlamaSwapStandIn, {}, "llamaswap", LlamaSwapServer),
    (VllmStandIn, {}, "vllm", VllmServer),
    (OldLMStudioStandIn, {}, "lmstudio", LMStudioServer),
]


@pytest.mark.parametrize(("kind", "more", "name", "adapter"), KINDS)
def test_auto_tells_the_kinds_apart(kind: type[StandIn], more: dict[str, Any], name: str, adapter: type) -> None:
    """auto finds each server by its bodies, with at most seven requests, and takes the adapter that fits."""
    with kind(Part("alpha"), **more) as server:
        settings = make_settings(url=server.url)
        assert detect_kind(settings) == name
        assert len(server.log) <= 7
        assert isinstance(connect(settings, FakeClock()), adapter)


@pytest.mark.parametrize(("kind", "more", "name", "adapter"), KINDS)
def test_a_kind_that_is_told_is_believed(kind: type[StandIn], more: dict[str, Any], name: str, adapter: type) -> None:
    """A configured kind sends nothing to find it out, and its memory is looked for on this machine."""
    with kind(Part("alpha"), **more) as server:
        settings = make_settings(url=server.url, kind=name)
        assert isinstance(connect(settings, FakeClock()), adapter)
        assert server.log == []
        assert probe_for(settings).read().source != "simulated"


def test_what_looks_like_ollama_is_not_taken_for_it() -> None:
    """Others have /api/version and /api/tags as well; only the greeting makes it Ollama."""
    with OllamaStandIn(Part("alpha")) as server:
        server.put("/", Answer("<html>some other server</html>"))
        assert detect_kind(make_settings(url=server.url)) == "openai"


def test_a_llama_server_that_still_loads() -> None:
    """While llama-server loads its model every path is a 503: away for a while, not another kind."""
    with LlamaCppStandIn(Part("alpha"), router=False) as server:
        loading = Answer({"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, 503)
        for path in ("/api/v1/models", "/api/v0/models", "/props", "/running", "/api/version", "/", "/v1/models"):
            server.put(path, loading)
        with pytest.raises(ServerAway, match="Loading model"):
            detect_kind(make_settings(url=server.url))


@pytest.mark.parametrize("kind", [LlamaCppStandIn, OllamaStandIn, LlamaSwapStandIn])
def test_one_large_model_at_a_time(kind: type[StandIn]) -> None:
    """The gate on each kind: roles in turn, one load for each change of the model, the chat's name from the server."""
    with kind(Part("alpha", context=16384), Part("beta", context=16384)) as server:
        clock = FakeClock()
        roles = (model(Role.PLANNER, "alpha"), model(Role.CODER, "beta"), model(Role.REVIEWER, "beta"))
        settings = make_settings(*roles, url=server.url)
        gate = MemoryGate(connect(settings, clock), settings, ScriptedProbe([None]), clock, lambda event: None)
        for role, key in ((Role.PLANNER, "alpha"), (Role.CODER, "beta"), (Role.REVIEWER, "beta")):
            outcome = gate.ensure(role)
            assert (outcome.ok, server.resident) == (True, [key]), outcome.error
            assert outcome.instance is not None
            assert outcome.instance.instance_id == (f"{key}-lao-8192" if kind is OllamaStandIn else key)
        assert server.loads == 2


def test_a_server_that_fails_is_not_taken_for_one_that_only_chats() -> None:
    """Status 500 for the list of LM Studio used to end as kind "openai", without a memory gate until the next start."""
    with SimulatedServer(Scenario(responses=(Rule(Match(path="/api/v1/models"), None, Fault("http"), 1),))) as server:
        settings = make_settings(url=server.url)
        with pytest.raises(Transient):
            detect_kind(settings)
        assert detect_kind(settings) == "simulated"
