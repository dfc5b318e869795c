"""llama-server's peculiarities: presets fix the context; failed loads, a full router, slots, names of one model."""

from __future__ import annotations

from typing import Any

import pytest

from lao.core.clock import FakeClock
from lao.core.errors import ServerAway, Terminal, Transient
from lao.servers.adapters.llamacpp import LlamaCppServer, preset_context
from lao.servers.adapters.pace import Pace
from lao.servers.protocol import LoadedModel

from .stand_ins.llamacpp import LlamaCppStandIn, error
from .stand_ins.stand_in import Answer, Part

LOAD = "/models/load"


def router(**more: Any) -> LlamaCppStandIn:
    return LlamaCppStandIn(Part("alpha", 5_000, 8192), Part("beta", 6_000, 8192), **more)


def adapter(server: LlamaCppStandIn) -> LlamaCppServer:
    return LlamaCppServer(server.url, "", pace=Pace(FakeClock(), 20.0, 1.0))


@pytest.mark.parametrize(
    ("args", "context"),
    [
        (["llama-server", "-c", "4096"], 4096),
        (["--ctx-size", "16384", "--port", "1"], 16384),
        (["-c", "0"], None),
        (["-c"], None),
        (["--alias", "-c"], None),
        (None, None),
    ],
)
def test_the_context_of_a_preset(args: Any, context: int | None) -> None:
    """The context is read from the model's command line; 0 means the model's own and is unknown."""
    assert preset_context(args) == context


def test_a_preset_that_is_too_small_is_not_even_loaded() -> None:
    """The command line is known before the load; the error names the preset section and both figures."""
    with router() as server:
        with pytest.raises(Terminal, match="8192 although 16384") as caught:
            adapter(server).load("alpha", 16384)
        assert "[alpha]" in caught.value.hint
        assert "c = 16384" in caught.value.hint
        assert server.asked(LOAD) == []


def test_the_slots_share_the_context_of_a_preset() -> None:
    """A preset that looks large enough and gives less to one request is found out after the load, and unloaded."""
    with router() as server:
        server.slots = 4
        with pytest.raises(Terminal, match="2048 although 8192"):
            adapter(server).load("alpha", 8192)
        assert (server.loads, server.resident) == (1, [])


def test_sizes_are_remembered() -> None:
    """A size is told for running models only, and is kept for the time after."""
    with router() as server:
        llama = adapter(server)
        assert [m.size_bytes for m in llama.models()] == [0, 0]
        llama.load("alpha", 8192)
        llama.unload("alpha")
        assert [m.size_bytes for m in llama.models()] == [5_000, 0]


def test_a_load_of_another_client_is_waited_for() -> None:
    """A model that is loading already is waited for, and not asked for a second time."""
    with router(slow=3) as server:
        server.come("alpha")
        assert adapter(server).load("alpha", 8192) == LoadedModel("alpha", "alpha", 8192, parallel=1)
        assert server.asked(LOAD) == []


def test_already_running_is_fine() -> None:
    """Somebody was faster between the look at the list and the load: that is no error."""

    class Race(LlamaCppStandIn):
        def answer(self, method: str, path: str, body: Any) -> Answer:
            if path == LOAD:
                self.come("alpha")
            return super().answer(method, path, body)

    with Race(Part("alpha", context=8192), slow=2) as server:
        assert adapter(server).load("alpha", 8192).key == "alpha"
        assert (len(server.asked(LOAD)), server.loads) == (1, 1)


def test_a_model_that_goes_between_list_and_load() -> None:
    """The load route's 404 (the same as for a missing path) is an unknown model that names the nearest."""
    with router() as server:
        server.put(LOAD, error(404, "File Not Found", "not_found_error"))
        with pytest.raises(Terminal, match="no model 'alpha'"):
            adapter(server).load("alpha", 8192)


def test_a_full_router_is_away_for_a_while() -> None:
    """``model limit reached`` passes: ServerAway, and the load works when there is room."""
    with router() as server:
        server.models_max = 1
        llama = adapter(server)
        llama.load("alpha", 8192)
        with pytest.raises(ServerAway, match="model limit reached"):
            llama.load("beta", 8192)
        llama.unload("alpha")
        assert llama.load("beta", 8192).key == "beta"


def test_a_model_that_never_loads_ends() -> None:
    """Two failed loads are Transient with the exit code, the third in a row is Terminal; a good one starts anew."""
    with router() as server:
        llama = adapter(server)
        server.fails = 2
        for _ in range(2):
            with pytest.raises(Transient, match="exit code 1"):
                llama.load("alpha", 8192)
        llama.load("alpha", 8192)
        llama.unload("alpha")
        server.fails = 3
        for _ in range(2):
            with pytest.raises(Transient, match="exit code 1"):
                llama.load("alpha", 8192)
        with pytest.raises(Terminal, match="3 times in a row") as caught:
            llama.load("alpha", 8192)
        assert "log" in caught.value.hint


def test_a_restart_is_noticed_at_once() -> None:
    """A model that is unloaded again while it loads is not waited for until the timeout."""
    clock = FakeClock()
    with router(slow=1000) as server:
        clock.wait = lambda seconds: (FakeClock.wait(clock, seconds), server.forget())  # type: ignore[method-assign]
        with pytest.raises(ServerAway, match="restarted"):
            LlamaCppServer(server.url, "", pace=Pace(clock, 20.0, 1.0)).load("alpha", 8192)
    assert sum(clock.waits) < 2


def test_a_load_that_never_begins_is_noticed() -> None:
    """A router that was restarted before the first look shows no trace of the load: some looks, not the timeout."""
    clock = FakeClock()
    with router() as server:
        server.put(LOAD, Answer({"success": True}))
        with pytest.raises(ServerAway, match="restarted"):
            LlamaCppServer(server.url, "", pace=Pace(clock, 20.0, 1.0)).load("alpha", 8192)
    assert sum(clock.waits) < 5


def test_a_sleeping_model_is_there() -> None:
    """A sleeping model counts as loaded: its process has the memory back at the first request."""
    with router() as server:
        llama = adapter(server)
        llama.load("alpha", 8192)
        rows = [{"id": "alpha", "status": {"value": "sleeping"}, "meta": {"n_ctx": 8192}}]
        server.put("/models", Answer({"data": rows}))
        (info,) = llama.models()
        assert info.loaded == (LoadedModel("alpha", "alpha", 8192, parallel=1),)


def test_a_single_model_tells_the_context_of_a_slot() -> None:
    """Without a router: one model, loaded, with the context that one request can have."""
    with LlamaCppStandIn(Part("alpha", context=8192), router=False) as server:
        server.slots = 2
        llama = adapter(server)
        (info,) = llama.models()
        assert info.loaded == (LoadedModel("alpha", "alpha", 4096, parallel=2),)
        assert llama.load("alpha.gguf", 8192) == LoadedModel("alpha.gguf", "alpha.gguf", 4096, parallel=2)


@pytest.mark.parametrize("routed", [True, False], ids=["router", "single"])
@pytest.mark.parametrize(("unified", "context"), [(True, 8192), (False, 2048)])
def test_slots_and_the_context_of_one(routed: bool, unified: bool, context: int) -> None:
    """The slots are counted, and the context is that of one: a part of ``-c``, or all of a unified cache."""
    with LlamaCppStandIn(Part("big/alpha", context=8192), router=routed) as server:
        server.slots, server.unified = 4, unified
        server.come("big/alpha")
        assert adapter(server).models()[0].loaded == (LoadedModel("big/alpha", "big/alpha", context, parallel=4),)


def test_asking_for_the_slots_loads_nothing() -> None:
    """A router starts a model to answer /props for it: only loaded ones are asked, and never with autoload."""
    with router() as server:
        llama = adapter(server)
        llama.models()
        llama.load("alpha", 8192)
        llama.models()
        llama.unload("alpha")
        llama.models()
        props = {path for _, path, _ in server.log if path.startswith("/props")}
        assert props == {"/props?model=alpha&autoload=false"}
        assert (server.loads, server.resident) == (1, [])


def test_a_model_that_goes_before_its_slots_are_asked() -> None:
    """What the list says stands when the model's own server does not answer; the number of slots is unknown then."""
    with router() as server:
        llama = adapter(server)
        llama.load("alpha", 8192)
        server.put("/props?model=alpha&autoload=false", error(400, "model is not loaded"))
        assert llama.models()[0].loaded == (LoadedModel("alpha", "alpha", 8192, parallel=None),)


@pytest.mark.parametrize("key", ["qwen-7b", "QWEN-7B.gguf", "/models/qwen-7b.gguf", "publisher/qwen-7b"])
def test_a_single_model_by_its_names(key: str) -> None:
    """The single model is known by its path, file name or bare name; it is chatted with under the name as given."""
    with LlamaCppStandIn(Part("/models/qwen-7b.gguf"), router=False) as server:
        llama = adapter(server)
        assert llama.load(key, 4096).instance_id == key
        assert [info.key for info in llama.models()] == ["qwen-7b"]


def test_a_single_model_is_not_taken_for_another() -> None:
    """llama-server answers for any name; LAO does not let one model pass for another."""
    with (
        LlamaCppStandIn(Part("/models/qwen-7b.gguf"), router=False) as server,
        pytest.raises(Terminal, match="'gemma-9b'") as caught,
    ):
        adapter(server).load("gemma-9b", 4096)
    assert "qwen-7b" in caught.value.hint
