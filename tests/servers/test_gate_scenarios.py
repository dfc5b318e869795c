"""What happens to memory and servers in practice, each with the gate's right decision and message."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lao.core.errors import ConfigError, ForeignModel, OutOfMemory, Terminal, Transient
from lao.core.states import Role
from lao.servers.gate.record import LoadsInMemory
from lao.servers.gate.residents import check_kind
from lao.servers.protocol import ModelInfo

from .gate_rig import OnServer
from .support import GB, model

LOAD, UNLOAD = "/api/v1/models/load", "/api/v1/models/unload"


def rule(path: str, status: int, body: Any, times: int = 1) -> dict[str, Any]:
    return {"match": {"path": path}, "fault": {"kind": "http", "status": status, "body": body}, "times": times}


def test_slow_release() -> None:
    """Memory that comes back over eight seconds is waited for, with figures, and then the model is loaded."""
    with OnServer(release_seconds=8.0) as rig:
        assert rig.ensure(Role.PLANNER).ok
        outcome = rig.ensure(Role.CODER)
        assert (outcome.ok, outcome.reason, outcome.waited_s) == (True, "loaded", 6.0)
        assert rig.resident == ["beta"]
        assert "9.0 GB is free (simulated), 17.6 GB is needed (its size and a tenth)" in rig.told("gate.wait")[0]
        assert rig.told("gate.released") == ["enough memory is free after 6.0 s"]
        assert rig.server.stats["vram_peak"] <= rig.server.stats["vram_total"]


def test_no_release() -> None:
    """Another process took the memory: no load, a deferral that says what is free, what is needed, what to do."""
    with OnServer() as rig:
        assert rig.ensure(Role.PLANNER).ok
        rig.server.occupy(9 * GB)
        outcome = rig.ensure(Role.CODER)
        assert (outcome.ok, outcome.reason, outcome.waited_s, outcome.delay_s) == (False, "out_of_memory", 10.0, 5.0)
        assert isinstance(outcome.error, OutOfMemory)
        assert "no room for model 'beta' after 10 s: 15.0 GB is free" in outcome.error.message
        assert "close what uses the memory" in outcome.error.hint
        assert rig.resident == []
        assert "coder cannot run now" in rig.told("gate.deferred")[0]
        rig.server.occupy(0)
        assert rig.ensure(Role.CODER).ok
        assert rig.told("gate.open") == ["coder can run again"]


def test_growing_swap() -> None:
    """Memory that is free because something was swapped out is not free; when the swap shrinks the load goes on."""
    with OnServer(release_seconds=4.0) as rig:
        assert rig.ensure(Role.PLANNER).ok
        rig.clock.then = lambda: rig.server.swap(2 * GB)
        outcome = rig.ensure(Role.CODER)
        assert outcome.reason == "out_of_memory"
        assert "swap grew by 2.0 GB, at most 512 MB is allowed" in str(outcome.error)
        assert rig.resident == []
        rig.clock.then = lambda: rig.server.swap(0)
        assert rig.ensure(Role.CODER).ok


def test_listed_too_early() -> None:
    """A model that is listed before it is there: memory still goes down and it says that it is loading; waited for."""
    with OnServer(early_seconds=3.0) as rig:
        started = rig.clock.monotonic()
        assert rig.ensure(Role.CODER).ok
        assert rig.clock.monotonic() - started >= 3.0
        assert rig.server.stats["vram_used"] == 16 * GB
        kinds = [entry["kind"] for entry in rig.server.log]
        assert kinds == ["load", "ping"]
        assert rig.told("gate.learned") == ["beta takes 16.0 GB with a context of 8192 tokens"]


def test_listed_and_never_there() -> None:
    """A model that goes on loading for longer than a load may take is a deferral, not a success."""
    with OnServer(early_seconds=60.0) as rig:
        outcome = rig.ensure(Role.CODER)
        assert (outcome.ok, outcome.reason) == (False, "server_away")
        assert "Loading model" in str(outcome.error)


def test_unload_that_lies_once() -> None:
    """The server says that it unloaded and did not: the list is believed, and the server is asked again."""
    lie = rule(UNLOAD, 200, {"instance_id": "alpha"})
    with OnServer(responses=[lie]) as rig:
        assert rig.ensure(Role.PLANNER).ok
        assert rig.ensure(Role.CODER).ok
        assert rig.resident == ["beta"]
        assert rig.server.stats["max_large_resident"] == 1


def test_unload_that_goes_on_lying() -> None:
    """While the old model stays in the list nothing is loaded beside it, and the reason names it."""
    lie = rule(UNLOAD, 200, {"instance_id": "alpha"}, times=99)
    with OnServer(responses=[lie]) as rig:
        assert rig.ensure(Role.PLANNER).ok
        outcome = rig.ensure(Role.CODER)
        assert (outcome.ok, outcome.reason, outcome.loads) == (False, "transient", 0)
        assert "'alpha' is still loaded 30 s after its unload" in str(outcome.error)
        assert rig.resident == ["alpha"]
        assert rig.told("model.unload") == []


def test_load_that_fails_once() -> None:
    """A load that breaks off leaves nothing, puts the role off, and goes through the next time."""
    with OnServer(
        responses=[rule(LOAD, 500, {"error": {"message": "Failed to load model", "type": "unknown"}})]
    ) as rig:
        outcome = rig.ensure(Role.CODER)
        assert (outcome.ok, outcome.reason) == (False, "transient")
        assert outcome.delay_s > 0
        assert "could not load model 'beta': Failed to load model" in str(outcome.error)
        assert rig.resident == []
        assert rig.ensure(Role.CODER).ok


def test_restart_between_unload_and_load() -> None:
    """The server is replaced before the load: the model is loaded on the new one."""
    with OnServer() as rig:
        assert rig.ensure(Role.PLANNER).ok
        rig.once("load", rig.server.restart)
        assert rig.ensure(Role.CODER).ok
        assert rig.resident == ["beta"]


def test_restart_right_after_the_load() -> None:
    """The server is replaced before the second look: no success, and the reason says what to look at."""
    with OnServer() as rig:
        rig.once("models", rig.server.restart, skip=1)
        outcome = rig.ensure(Role.CODER)
        assert (outcome.ok, outcome.reason) == (False, "transient")
        assert "was loaded, but the server does not list it any more" in str(outcome.error)
        assert rig.ensure(Role.CODER).ok


def test_server_is_away_between_unload_and_load() -> None:
    """No connection at the load: the role is put off; the server is up again and everything goes on."""
    with OnServer() as rig:
        assert rig.ensure(Role.PLANNER).ok
        rig.once("load", rig.server.stop)
        assert rig.ensure(Role.CODER).reason == "server_away"
        rig.server.start()
        assert rig.ensure(Role.CODER).ok


def test_another_hand_loads_a_model_in_the_middle() -> None:
    """A model that comes while LAO loads its own is found at the second look, unloaded, and told as a stranger's."""
    with OnServer(vram_total_bytes=40 * GB) as rig:
        rig.once("load", lambda: rig.server.load_by_hand("alpha"))
        assert rig.ensure(Role.CODER).ok
        assert rig.resident == ["beta"]
        assert rig.told("model.unload") == ["unloaded alpha (15.0 GB), which LAO had not loaded"]


def test_a_strangers_model_is_spared() -> None:
    """With evict_foreign off a model that LAO has not loaded stays, and the role waits, naming it."""
    with OnServer(gate={"evict_foreign": False}) as rig:
        rig.server.load_by_hand("alpha")
        outcome = rig.ensure(Role.CODER)
        assert (outcome.ok, outcome.reason, outcome.loads, outcome.unloads) == (False, "foreign_model", 0, 0)
        assert isinstance(outcome.error, ForeignModel)
        assert outcome.error.message == "'alpha' is in the model server's memory, and LAO has not loaded it"
        assert "evict_foreign" in outcome.error.hint
        assert outcome.delay_s == 5.0
        assert rig.resident == ["alpha"]
        rig.server.restart()
        assert rig.ensure(Role.CODER).ok


def test_a_stranger_in_the_middle_is_given_way() -> None:
    """With evict_foreign off LAO's own model goes when another comes beside it: never two for long."""
    with OnServer(gate={"evict_foreign": False}, vram_total_bytes=40 * GB) as rig:
        rig.once("load", lambda: rig.server.load_by_hand("alpha"))
        outcome = rig.ensure(Role.CODER)
        assert (outcome.ok, outcome.reason) == (False, "foreign_model")
        assert rig.resident == ["alpha"]
        rig.server.restart()
        assert rig.ensure(Role.CODER).ok
        rig.server.load_by_hand("alpha")
        assert rig.ensure(Role.CODER).reason == "foreign_model"
        assert rig.resident == ["alpha"]


def test_own_models_are_known_after_a_restart_of_lao() -> None:
    """What an earlier process of LAO loaded is LAO's to unload, also with evict_foreign off, and no stranger's."""
    with OnServer(record=LoadsInMemory(), gate={"evict_foreign": False}) as rig:
        assert rig.ensure(Role.PLANNER).ok
        rig.new_gate()
        assert rig.ensure(Role.CODER).ok
        assert rig.told("model.unload") == ["unloaded alpha (15.0 GB)"]


def test_what_was_loaded_anew_by_hand_is_not_lao_s() -> None:
    """A model that went and came back without LAO is a stranger's, although its name is the same."""
    with OnServer(record=LoadsInMemory(), gate={"evict_foreign": False}) as rig:
        assert rig.ensure(Role.PLANNER).ok
        rig.server.restart()
        assert rig.ensure(Role.CODER).ok
        rig.server.restart()
        rig.server.load_by_hand("alpha", 8192)
        assert rig.ensure(Role.CODER).reason == "foreign_model"


def test_a_second_instance_of_its_own_load_is_lao_s() -> None:
    """A load that made two instances (F51) is put right, also with evict_foreign off."""
    with OnServer(
        gate={"evict_foreign": False}, vram_total_bytes=40 * GB, faults=[{"class": "F51", "times": 1}]
    ) as rig:
        assert rig.ensure(Role.CODER).ok
        assert rig.resident == ["beta"]


def test_context_larger_than_the_model() -> None:
    """What the user set and the model cannot hold is an error of the configuration, before anything is unloaded."""
    models = [{"key": "beta", "size_bytes": GB, "max_context_length": 8192}, {"key": "alpha", "size_bytes": GB}]
    with OnServer(model(Role.CODER, "beta", 16384), models=models) as rig:
        rig.server.load_by_hand("alpha")
        outcome = rig.ensure(Role.CODER)
        assert (outcome.ok, outcome.reason, outcome.delay_s) == (False, "config_error", 0.0)
        expected = "model 'beta' holds at most 8192 tokens, but models.coder.context_length is 16384"
        assert outcome.error is not None
        assert outcome.error.message == expected
        assert "8192 or less" in outcome.error.hint
        assert rig.resident == ["alpha"]


def test_embedder_that_is_a_language_model() -> None:
    """A language model as embedder, and an embedding model as coder: the role and the key are named."""
    with OnServer(model(Role.EMBEDDER, "alpha", 2048), model(Role.CODER, "embed", 2048)) as rig:
        outcome = rig.ensure(Role.EMBEDDER)
        assert isinstance(outcome.error, ConfigError)
        assert "models.embedder.key: 'alpha' is a language model, role 'embedder' needs an embedding model" in str(
            outcome.error
        )
        assert "models.coder.key: 'embed' is an embedding model" in str(rig.ensure(Role.CODER).error)
        assert rig.resident == []


def test_a_kind_that_is_only_a_guess_stands_in_nobodys_way() -> None:
    """Ollama's bge-m3 does not look like an embedder: what the user says of it counts where the server says nothing."""
    guess = ModelInfo("bge-m3", "llm", 1, (), None, guessed=True)
    check_kind(guess, Role.EMBEDDER)
    with pytest.raises(ConfigError, match="bge-m3"):
        check_kind(replace(guess, guessed=False), Role.EMBEDDER)


def test_key_that_the_server_does_not_have() -> None:
    """The nearest key is named, and nothing is unloaded for a key that does not exist."""
    with OnServer(model(Role.CODER, "publisher/beta-instruct")) as rig:
        rig.server.load_by_hand("alpha")
        outcome = rig.ensure(Role.CODER)
        assert isinstance(outcome.error, Terminal)
        assert "no model 'publisher/beta-instruct'" in outcome.error.message
        assert "'beta'" in outcome.error.hint
        assert rig.resident == ["alpha"]


KV = [{"key": "beta", "size_bytes": 16 * GB, "kv_bytes_per_token": 500_000}]


def test_a_smaller_context_is_taken_when_the_server_refuses() -> None:
    """The guardrail refuses 16384 tokens: where min_context allows it half is tried, told, and enough from then on."""
    with OnServer(model(Role.CODER, "beta", 16384), models=KV, gate={"min_context": 4096}) as rig:
        outcome = rig.ensure(Role.CODER)
        assert outcome.ok
        assert outcome.instance is not None
        assert outcome.instance.context_length == 8192
        assert "8192 tokens are tried" in rig.told("gate.refused")[0]
        assert rig.told("gate.context") == ["beta has a context of 8192 tokens, not 16384; prompts are kept within it"]
        assert rig.ensure(Role.CODER).reason == "resident"


def test_no_smaller_context_without_leave() -> None:
    """Without min_context the same refusal puts the role off."""
    with OnServer(model(Role.CODER, "beta", 16384), models=KV) as rig:
        outcome = rig.ensure(Role.CODER)
        assert (outcome.ok, outcome.reason) == (False, "out_of_memory")
        assert rig.resident == []


def test_learned_figures_choose_the_context() -> None:
    """What 16384 and 8192 tokens really took is known: when another process leaves room for 8192 only, that is taken
    after the wait; when there is room again, the whole."""
    record = LoadsInMemory()
    record.note_taken("beta", 16384, int(24.2 * GB))
    record.note_taken("beta", 8192, int(20.1 * GB))
    with OnServer(
        model(Role.CODER, "beta", 16384),
        models=KV,
        vram_total_bytes=26 * GB,
        record=record,
        gate={"min_context": 4096},
    ) as rig:
        rig.server.occupy(4 * GB)
        outcome = rig.ensure(Role.CODER)
        assert outcome.ok
        assert outcome.waited_s == 10.0
        assert outcome.instance is not None
        assert outcome.instance.context_length == 8192
        assert "22.0 GB is free (simulated), 24.2 GB is needed (as the last load took)" in rig.told("gate.wait")[0]
        rig.server.restart()
        outcome = rig.ensure(Role.CODER)
        assert (outcome.ok, outcome.waited_s) == (True, 0.0)
        rig.server.restart()
        rig.server.occupy(0)
        outcome = rig.ensure(Role.CODER)
        assert outcome.instance is not None
        assert outcome.instance.context_length == 16384
        assert record.taken("beta", 16384)[-1] == 16 * GB + 16384 * 500_000


def test_too_small_for_any_context() -> None:
    """When not even min_context fits, nothing is loaded."""
    record = LoadsInMemory()
    for context, taken in ((16384, 24.2), (8192, 20.1), (4096, 18.1)):
        for _ in range(3):
            record.note_taken("beta", context, int(taken * GB))
    with OnServer(
        model(Role.CODER, "beta", 16384), models=KV, vram_total_bytes=26 * GB, record=record, gate={"min_context": 4096}
    ) as rig:
        rig.server.occupy(9 * GB)
        outcome = rig.ensure(Role.CODER)
        assert (outcome.reason, outcome.loads) == ("out_of_memory", 0)


def test_a_learned_need_is_no_guess() -> None:
    """Where it is known what a load takes, room for the weights alone does not do."""
    record = LoadsInMemory()
    for _ in range(3):
        record.note_taken("beta", 8192, 20 * GB)
    with OnServer(record=record, vram_total_bytes=26 * GB) as rig:
        assert rig.ensure(Role.PLANNER).ok
        rig.server.occupy(7 * GB)
        outcome = rig.ensure(Role.CODER)
        assert outcome.reason == "out_of_memory"
        assert "19.0 GB is free (simulated), 20.0 GB is needed (as the last 3 loads took)" in str(outcome.error)


def test_one_measurement_does_not_shut_the_gate_for_ever() -> None:
    """A single figure that was too large is waited for, then doubted; what the load takes then corrects it."""
    record = LoadsInMemory()
    record.note_taken("beta", 8192, 23 * GB)
    with OnServer(record=record) as rig:
        rig.server.occupy(4 * GB)
        outcome = rig.ensure(Role.CODER)
        assert (outcome.ok, outcome.waited_s) == (True, 10.0)
        assert "20.0 GB is free (simulated), 23.0 GB is needed" in rig.told("gate.doubt")[0]
        assert record.taken("beta", 8192) == (23 * GB, 16 * GB)


def test_interference_is_not_learned() -> None:
    """Memory that another process takes during the load is not put down to the model."""
    record = LoadsInMemory()
    with OnServer(record=record, vram_total_bytes=90 * GB) as rig:
        rig.once("load", lambda: rig.server.occupy(60 * GB))
        assert rig.ensure(Role.CODER).ok
        assert record.taken("beta", 8192) == ()


def test_errors_of_the_middle_are_transient() -> None:
    """A list that shows the model with less context than was loaded is no success."""

    def shrink() -> None:
        rig.server.restart()
        rig.server.load_by_hand("beta", 2048)

    with OnServer() as rig:
        rig.once("models", shrink, skip=1)
        outcome = rig.ensure(Role.CODER)
        assert isinstance(outcome.error, Transient)
        assert "8192 tokens, but the server lists 2048" in outcome.error.message
