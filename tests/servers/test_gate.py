"""The memory gate with a fake clock: one large model at a time, and no load before the memory is back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lao.config.settings import Settings
from lao.core.clock import FakeClock
from lao.core.errors import ConfigError, OutOfMemory, ServerAway, Terminal, Transient
from lao.core.states import Role
from lao.core.words import Event
from lao.servers.gate.gate import MemoryGate
from lao.servers.gate.visit import Tally
from lao.servers.protocol import LoadedModel, ModelInfo

from .support import GB, FakeServer, ScriptedProbe, make_settings, model


def info(key: str, size_gb: float = 10, context: int | None = None, kind: Any = "llm") -> ModelInfo:
    loaded = (LoadedModel(key, key, context),) if context else ()
    return ModelInfo(key, kind, int(size_gb * GB), loaded, 32768)


class Rig:
    """A gate with everything around it recorded."""

    def __init__(self, server: FakeServer, probe: ScriptedProbe, settings: Settings | None = None) -> None:
        self.server = server
        self.clock = FakeClock()
        self.events: list[Event] = []
        self.tally = Tally()
        self.probe = probe
        settings = settings or make_settings()
        self.gate = MemoryGate(server, settings, probe, self.clock, self.events.append, self.tally)

    def kinds(self) -> list[str]:
        return [e.kind for e in self.events]


def test_resident_model_costs_one_look() -> None:
    """When the right model is resident the gate lists once and does nothing else."""
    rig = Rig(FakeServer(info("alpha", context=8192), info("beta")), ScriptedProbe([0]))
    outcome = rig.gate.ensure(Role.PLANNER)
    assert (outcome.ok, outcome.reason, outcome.loads, outcome.unloads) == (True, "resident", 0, 0)
    assert rig.server.calls == ["models"]
    assert rig.events == []
    assert rig.probe.reads == 0


def test_swap_unloads_waits_loads_confirms() -> None:
    """Another role's model: the old one goes, its memory comes back, the new one comes, and is seen in the list."""
    server = FakeServer(info("alpha", context=8192), info("beta"))
    rig = Rig(server, ScriptedProbe([1, 2, 5, 11.5]))
    outcome = rig.gate.ensure(Role.CODER)
    assert outcome.ok
    assert outcome.instance == LoadedModel("beta", "beta", 8192)
    assert (outcome.waited_s, outcome.loads, outcome.unloads) == (4.0, 1, 1)
    assert server.calls == ["models", "unload alpha", "load beta 8192", "models"]
    assert rig.kinds() == ["model.unload", "gate.wait", "gate.wait", "gate.released", "model.load"]
    assert rig.clock.waits == [2.0, 2.0, 0.25, 0.25]


def test_events_carry_figures() -> None:
    """Loads, unloads and waits tell model, role, seconds and sizes."""
    rig = Rig(FakeServer(info("alpha", context=8192), info("beta")), ScriptedProbe([1, 2, 11.5]))
    rig.gate.ensure(Role.CODER)
    data = {e.kind: e.data for e in rig.events}
    assert data["model.unload"]["size_bytes"] == 10 * GB
    assert data["gate.wait"]["available_bytes"] == 2 * GB
    assert data["gate.released"]["seconds"] == 2.0
    assert (data["model.load"]["model"], data["model.load"]["role"]) == ("beta", "coder")


def test_no_load_without_room() -> None:
    """When the memory does not come back in time nothing is loaded, and the phase is deferred with a delay."""
    rig = Rig(FakeServer(info("alpha", context=8192), info("beta")), ScriptedProbe([1, 2]))
    outcome = rig.gate.ensure(Role.CODER)
    assert not outcome.ok
    assert outcome.reason == "out_of_memory"
    assert isinstance(outcome.error, OutOfMemory)
    assert "11.0 GB is needed" in str(outcome.error)
    assert outcome.delay_s == 5.0
    assert outcome.waited_s == 10.0
    assert rig.server.resident() == []
    assert rig.kinds()[-1] == "gate.deferred"
    assert rig.tally.get("deferred") == 1


def test_deferred_phase_runs_when_memory_is_there() -> None:
    """The next try after a deferral loads without anything to unload."""
    rig = Rig(FakeServer(info("alpha", context=8192), info("beta")), ScriptedProbe([1] * 8 + [12]))
    assert not rig.gate.ensure(Role.CODER).ok
    assert rig.gate.ensure(Role.CODER).ok
    assert rig.server.resident() == ["beta"]


def test_release_fraction_is_enough_when_the_weights_fit() -> None:
    """75 % of the unloaded memory back and room for the weights: loaded, although the margin of a tenth is missing."""
    rig = Rig(FakeServer(info("alpha", context=8192), info("beta")), ScriptedProbe([2, 10.5]))
    outcome = rig.gate.ensure(Role.CODER)
    assert (outcome.ok, outcome.waited_s) == (True, 0.0)


def test_release_of_a_small_model_makes_no_room_for_a_big_one() -> None:
    """A small model's memory that is back does not let a big one in for which there is no room."""
    rig = Rig(FakeServer(info("alpha", 2, context=8192), info("beta", 20)), ScriptedProbe([3, 5]))
    assert rig.gate.ensure(Role.CODER).reason == "out_of_memory"


def test_swap_growth_is_not_settled() -> None:
    """Free memory that was won by swapping is not free; when the swap shrinks again the load goes on."""
    server = FakeServer(info("alpha", context=8192), info("beta"))
    rig = Rig(server, ScriptedProbe([1, 12, 12], swap=[1, 2, 1.2]))
    assert rig.gate.ensure(Role.CODER).ok
    assert "swap grew by 1.0 GB" in rig.events[1].text


def test_model_larger_than_the_device() -> None:
    """A model larger than the whole device can ask for an empty device only."""
    rig = Rig(FakeServer(info("alpha", context=8192), info("beta", 40)), ScriptedProbe([1, 23.5], total=24))
    assert rig.gate.ensure(Role.CODER).ok


def test_unknown_sizes_rely_on_the_release() -> None:
    """Without a size the released fraction decides, and with nothing unloaded the model is loaded."""
    server = FakeServer(info("alpha", 10, context=8192), info("beta", 0))
    assert Rig(server, ScriptedProbe([1, 3, 9])).gate.ensure(Role.CODER).waited_s == 2.0
    assert Rig(FakeServer(info("alpha"), info("beta", 0)), ScriptedProbe([0])).gate.ensure(Role.CODER).ok
    unknown = FakeServer(info("alpha", 0, context=8192), info("beta", 0))
    busy = Rig(unknown, ScriptedProbe([9, 8.99])).gate.ensure(Role.CODER)  # another program took a little meanwhile
    assert (busy.ok, busy.waited_s) == (True, 0.0)


def test_size_of_the_settings() -> None:
    """A server that tells no sizes: factory.yaml's figure is used."""
    settings = make_settings(model(Role.CODER, "beta", size=10 * GB))
    rig = Rig(FakeServer(info("beta", 0)), ScriptedProbe([9]), settings)
    assert rig.gate.ensure(Role.CODER).reason == "out_of_memory"


def test_memory_that_cannot_be_read() -> None:
    """A server on another machine: the gate unloads, loads and confirms without figures."""
    rig = Rig(FakeServer(info("alpha", context=8192), info("beta")), ScriptedProbe([None]))
    assert rig.gate.ensure(Role.CODER).ok
    assert rig.server.resident() == ["beta"]


def test_same_key_across_roles_is_no_swap() -> None:
    """Two roles with one model share one load, with the larger of their contexts."""
    settings = make_settings(model(Role.CODER, "beta", 8192), model(Role.REVIEWER, "beta", 16384))
    rig = Rig(FakeServer(info("beta")), ScriptedProbe([20]), settings)
    assert [rig.gate.ensure(r).loads for r in (Role.CODER, Role.REVIEWER, Role.CODER)] == [1, 0, 0]
    assert "load beta 16384" in rig.server.calls
    assert rig.tally.get("role_changes") == 2
    assert rig.tally.get("swaps") == 0


def test_too_small_context_is_loaded_again() -> None:
    """The wanted model with less context than its role needs is unloaded and loaded anew."""
    rig = Rig(FakeServer(info("beta", context=4096)), ScriptedProbe([2, 12]))
    outcome = rig.gate.ensure(Role.CODER)
    assert (outcome.loads, outcome.unloads) == (1, 1)
    assert outcome.instance == LoadedModel("beta", "beta", 8192)


def test_embedder_stays_and_comes_beside() -> None:
    """The embedder is not unloaded for a large model, and a large model not for the embedder."""
    embed = info("embed", 2, 2048, "embedding")
    rig = Rig(FakeServer(embed, info("beta"), info("alpha", context=8192)), ScriptedProbe([12]))
    assert rig.gate.ensure(Role.CODER).ok
    assert sorted(rig.server.resident()) == ["beta", "embed"]
    rig = Rig(FakeServer(replace(embed, loaded=()), info("beta", context=8192)), ScriptedProbe([12]))
    assert rig.gate.ensure(Role.EMBEDDER).ok
    assert sorted(rig.server.resident()) == ["beta", "embed"]


def test_large_foreign_embedding_model_goes() -> None:
    """Another program's large embedding model makes way, a small one may stay."""
    server = FakeServer(info("beta"), info("huge-embed", 8, 512, "embedding"), info("tiny", 0.1, 512, "embedding"))
    assert Rig(server, ScriptedProbe([1, 12])).gate.ensure(Role.CODER).ok
    assert sorted(server.resident()) == ["beta", "tiny"]


def test_stranger_beside_the_resident_model_goes() -> None:
    """A second large model or a second instance beside the wanted one is unloaded, without a load."""
    server = FakeServer(info("alpha", context=8192), info("beta", context=8192))
    server.put(LoadedModel("beta:2", "beta", 8192))
    outcome = Rig(server, ScriptedProbe([0])).gate.ensure(Role.CODER)
    assert (outcome.ok, outcome.reason, outcome.unloads) == (True, "resident", 2)
    assert server.resident() == ["beta"]


def test_stranger_that_comes_during_the_load_goes() -> None:
    """Another program loads a model meanwhile: the look after the load finds and unloads it."""
    server = FakeServer(info("alpha"), info("beta"))
    server.before_call = lambda call: server.put(LoadedModel("alpha", "alpha", 1)) if "load beta" in call else None
    assert Rig(server, ScriptedProbe([20])).gate.ensure(Role.CODER).ok
    assert server.resident() == ["beta"]


def test_stranger_that_does_not_go_fails_closed() -> None:
    """Two large models that cannot be parted are no success."""
    server = FakeServer(info("alpha"), info("beta"))

    def comes_back(call: str) -> None:
        if call == "models" and server.resident() == ["beta"]:
            server.put(LoadedModel("alpha", "alpha", 1))

    server.before_call = comes_back
    outcome = Rig(server, ScriptedProbe([20])).gate.ensure(Role.CODER)
    assert (outcome.ok, outcome.reason) == (False, "transient")
    assert outcome.delay_s > 0


def test_unloaded_by_somebody_else_is_noticed() -> None:
    """A model that was unloaded by hand is loaded again by the next call."""
    server = FakeServer(info("beta"))
    rig = Rig(server, ScriptedProbe([20]))
    rig.gate.ensure(Role.CODER)
    server.unload("beta")
    assert rig.gate.ensure(Role.CODER).loads == 1


@pytest.mark.parametrize(
    ("error", "reason", "delayed"),
    [
        (ServerAway("gone"), "server_away", 5.0),
        (OutOfMemory("guardrail"), "out_of_memory", 5.0),
        (Transient("later", delay_s=1.5), "transient", 1.5),
        (Terminal("never"), "terminal", 0.0),
        (ConfigError("token"), "config_error", 0.0),
    ],
)
@pytest.mark.parametrize("call", ["models", "unload alpha", "load beta 8192"])
def test_errors_become_outcomes(call: str, error: Exception, reason: str, delayed: float) -> None:
    """No error of the server leaves ``ensure``: it is in the outcome, with a delay where a new try makes sense."""

    def fails(name: str) -> None:
        if name == call:
            raise error

    server = FakeServer(info("alpha", context=8192), info("beta"))
    server.before_call = fails
    outcome = Rig(server, ScriptedProbe([12])).gate.ensure(Role.CODER)
    assert (outcome.ok, outcome.reason, outcome.delay_s, outcome.error) == (False, reason, delayed, error)


def test_probe_error_becomes_an_outcome() -> None:
    """A probe that cannot reach its server defers the phase."""
    rig = Rig(FakeServer(info("alpha", context=8192), info("beta")), ScriptedProbe([ServerAway("gone")]))
    assert rig.gate.ensure(Role.CODER).reason == "server_away"
    assert rig.server.resident() == ["alpha"]


def test_unknown_model_and_unset_role() -> None:
    """An unknown key names the nearest, a role without a model names the setting; nothing is unloaded for either."""
    rig = Rig(FakeServer(info("betas"), info("other", context=8192)), ScriptedProbe([20]))
    outcome = rig.gate.ensure(Role.CODER)
    assert isinstance(outcome.error, Terminal)
    assert "'betas'" in outcome.error.hint
    outcome = rig.gate.ensure(Role.PILOT)
    assert isinstance(outcome.error, ConfigError)
    assert "models.pilot.key" in outcome.error.hint
    assert rig.server.resident() == ["other"]


def test_chat_only_server() -> None:
    """Without memory management the gate is open, asks nothing, and says so once."""
    server = FakeServer(manages_memory=False)
    rig = Rig(server, ScriptedProbe([0]))
    assert [rig.gate.ensure(Role.CODER).reason for _ in range(2)] == ["skipped", "skipped"]
    assert "models" not in server.calls
    assert rig.kinds() == ["gate.skipped"]


def test_swaps_are_counted() -> None:
    """A swap is a load of another large model than the last one; a first load and a reload are none."""
    rig = Rig(FakeServer(info("alpha"), info("beta")), ScriptedProbe([20]))
    for role in (Role.PLANNER, Role.CODER, Role.REVIEWER, Role.PLANNER):
        assert rig.gate.ensure(role).ok
    counted = {n: rig.tally.get(n) for n in ("loads", "unloads", "swaps", "role_changes", "deferred")}
    assert counted == {"loads": 3, "unloads": 2, "swaps": 2, "role_changes": 3, "deferred": 0}
