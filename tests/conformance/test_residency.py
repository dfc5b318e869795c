"""One suite for every ResidencyServer: LM Studio and chat-only on the simulated server, the others on stand-ins."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lao.core.clock import FakeClock
from lao.core.errors import ConfigError, ServerAway, Terminal, Transient

from .worlds import FAILING_LOAD, LYING_UNLOAD, SMALL, WORLDS, World

BETA = "beta-9b"


def worlds(wanted: Callable[[World], bool] = lambda world: True) -> pytest.MarkDecorator:
    chosen = [world for world in WORLDS if wanted(world)]
    return pytest.mark.parametrize("world", chosen, ids=[world.name for world in chosen])


every = worlds()
loading = worlds(lambda world: world.loads_models)
chatting = worlds(lambda world: not world.loads_models)
choosy = worlds(lambda world: world.name not in ("lmstudio_v0", "openai_compat", "vllm", "vllm_awake"))
drawn_out = worlds(lambda world: world.loads_models and world.slow)


@every
@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/", "/api/v1"])
def test_base_url_forms(world: World, suffix: str) -> None:
    """The address works with and without a trailing /v1, and the chat URL always ends in one."""
    with world.serve() as served:
        server = world.adapter(served.url + suffix)
        assert tuple(m.key for m in server.models()) == world.keys
        assert server.chat_base_url == f"{served.url}/v1"


@every
def test_who_manages_memory(world: World) -> None:
    """Whether loading is ours to do is told without anything having been asked before."""
    with world.serve() as served:
        assert world.adapter(served.url).manages_memory is world.loads_models


@every
def test_kinds(world: World) -> None:
    """Embedding models are told apart from language models."""
    with world.serve() as served:
        kinds = {m.key: m.kind for m in world.adapter(served.url).models()}
        assert kinds == {key: "embedding" if "embed" in key else "llm" for key in world.keys}


@every
def test_load_gives_an_instance_with_the_context(world: World) -> None:
    """A load returns the instance of the asked model, with at least the asked context."""
    with world.serve() as served:
        instance = world.adapter(served.url).load(BETA, 16384)
        assert instance.key == BETA
        assert instance.holds(16384)


@loading
def test_the_list_shows_what_was_loaded(world: World) -> None:
    """After a load the list has the same instance, id and context included, and no other; that id unloads it."""
    with world.serve() as served:
        server = world.adapter(served.url)
        instance = server.load(BETA, 16384)
        assert [i for m in server.models() for i in m.loaded] == [instance]
        assert len(served.resident) == 1
        server.unload(instance.instance_id)
        assert served.resident == []


@every
def test_how_many_requests_at_once(world: World) -> None:
    """An instance has the server's own figure and the context of one request, or None where it is not told; a look
    at the list loads nothing."""
    with world.serve() as served:
        server = world.adapter(served.url)
        before = served.resident
        assert {m.key: m.loaded for m in server.models()}.keys() == set(world.keys)
        assert served.resident == before
        instance = server.load(BETA, 16384)
        assert instance.parallel == world.parallel
        assert instance.context_length in (16384, 32768)


@worlds(lambda world: world.loads_models and len(world.keys) > 1)
def test_an_embedding_model_can_be_loaded(world: World) -> None:
    """Loading works for models that cannot chat."""
    with world.serve() as served:
        assert world.adapter(served.url).load("embedding-tiny", 2048).key == "embedding-tiny"
        assert served.resident == ["embedding-tiny"]


@loading
def test_load_twice_is_one_instance(world: World) -> None:
    """Loading a loaded model again changes nothing on the server, also for another process."""
    with world.serve() as served:
        first = world.adapter(served.url).load(BETA, 8192)
        assert world.adapter(served.url).load(BETA, 4096) == first
        assert served.loads == 1


@every
def test_unload_is_idempotent(world: World) -> None:
    """Unloading an instance that is gone is no error; a chat-only server is left as it is."""
    with world.serve() as served:
        server = world.adapter(served.url)
        instance = server.load(BETA, 8192)
        there = served.resident
        server.unload(instance.instance_id)
        server.unload(instance.instance_id)
        assert served.resident == ([] if world.loads_models else there)
        assert all(not m.loaded for m in server.models()) or not world.loads_models


@drawn_out
def test_slow_changes_are_waited_for(world: World) -> None:
    """Servers that answer before they are done: a load ends when the model is there, an unload when it is gone."""
    with world.serve(slow=3) as served:
        clock = FakeClock()
        server = world.adapter(served.url, clock=clock)
        instance = server.load(BETA, 8192)
        assert len(served.resident) == 1
        looks = len(clock.waits)
        server.unload(instance.instance_id)
        assert served.resident == []
        assert 2 <= looks < len(clock.waits)


@drawn_out
def test_a_load_has_an_end(world: World) -> None:
    """A model that never comes is ServerAway after the load timeout, and names the setting."""
    with world.serve(slow=10_000) as served:
        clock = FakeClock()
        with pytest.raises(ServerAway, match="20 s") as caught:
            world.adapter(served.url, clock=clock).load(BETA, 8192)
        assert "model_load_timeout_s" in caught.value.hint
        assert 20 <= sum(clock.waits) < 25


@loading
def test_an_unload_that_lies(world: World) -> None:
    """A server that says "unloaded" and keeps the model is not believed, and the wait has an end."""
    with world.serve(LYING_UNLOAD) as served:
        server = world.adapter(served.url)
        instance = server.load(BETA, 8192)
        with pytest.raises(Transient, match=BETA):
            server.unload(instance.instance_id)
        assert len(served.resident) == 1


@loading
def test_a_load_that_fails(world: World) -> None:
    """A load that fails in the server is Transient and names the model; the next one works."""
    with world.serve(FAILING_LOAD) as served:
        server = world.adapter(served.url)
        with pytest.raises(Transient, match=BETA):
            server.load(BETA, 8192)
        assert served.resident == []
        assert server.load(BETA, 8192).key == BETA


@loading
def test_a_context_that_is_too_small(world: World) -> None:
    """Less context than asked is a failed load with both figures and nothing left loaded; less will do where told."""
    with world.serve(SMALL) as served:
        server = world.adapter(served.url)
        with pytest.raises(Terminal, match="4096 although 8192") as caught:
            server.load(BETA, 8192)
        assert caught.value.hint
        assert [i for m in server.models() for i in m.loaded if m.kind == "llm"] == []
        assert server.load(BETA, 8192, 4096).context_length == 4096


@drawn_out
def test_a_restart_in_the_middle_of_a_load(world: World) -> None:
    """A server that restarts while it loads: the load says so or has it, and the next one works."""
    with world.serve(slow=3) as served:
        clock = RestartingClock(served.stop, served.start)
        server = world.adapter(served.url, clock=clock)
        try:
            instance = server.load(BETA, 8192)
        except ServerAway as error:
            assert BETA in error.message
            instance = server.load(BETA, 8192)
        assert clock.restarts == 1
        assert [i for m in server.models() for i in m.loaded] == [instance]


class RestartingClock(FakeClock):
    """At the first wait the server is restarted."""

    def __init__(self, stop: Callable[[], object], start: Callable[[], object]) -> None:
        super().__init__()
        self.restarts = 0
        self._steps = (stop, start)

    def wait(self, seconds: float) -> None:
        super().wait(seconds)
        if not self.restarts:
            self.restarts += 1
            for step in self._steps:
                step()


@every
def test_no_server(world: World) -> None:
    """A closed port is ServerAway, with a hint what to start or to check."""
    with world.serve() as gone:
        url = gone.url
    with pytest.raises(ServerAway, match=url) as caught:
        world.adapter(url).models()
    assert "lm_studio_base_url" in caught.value.hint


@every
@pytest.mark.parametrize("trouble", ["html", "garbage", "empty"])
def test_not_a_model_server(world: World, trouble: str) -> None:
    """HTML, broken JSON and empty bodies are a clear configuration error, not a crash."""
    with world.serve(trouble) as served, pytest.raises(ConfigError, match="is not a model server") as caught:
        world.adapter(served.url).models()
    assert "lm_studio_base_url" in caught.value.hint


@choosy
def test_another_kind_of_server(world: World) -> None:
    """A server of another kind at the address is a configuration error that names the setting."""
    stranger = next(w for w in WORLDS if w.name == ("lmstudio" if world.name != "lmstudio" else "ollama"))
    with stranger.serve() as served, pytest.raises(ConfigError, match="is not") as caught:
        world.adapter(served.url).models()
    assert "server.kind" in caught.value.hint


@every
@pytest.mark.parametrize("trouble", ["busy", "busy page", "too many"])
def test_busy_server(world: World, trouble: str) -> None:
    """A server that is busy or starting is ServerAway, whatever its body is."""
    with world.serve(trouble) as served, pytest.raises(ServerAway):
        world.adapter(served.url).models()


@every
def test_connection_dropped(world: World) -> None:
    """A connection that ends without an answer is ServerAway, and the next call works."""
    with world.serve("hang up once") as served:
        server = world.adapter(served.url)
        with pytest.raises(ServerAway):
            server.models()
        assert len(server.models()) == len(world.keys)


@every
def test_token(world: World) -> None:
    """The token is sent; without or with a wrong one the error names the setting and shows no part of the token."""
    with world.serve(token="sk-right-token-0001") as served:
        right = world.adapter(served.url, "sk-right-token-0001")
        assert len(right.models()) == len(world.keys)
        for wrong in ("", "sk-wrong-token-9999"):
            server = world.adapter(served.url, wrong)
            with pytest.raises(ConfigError, match="API token") as caught:
                server.models() if world.guards_list else server.load(BETA, 8192)
            assert "openai_api_key" in caught.value.hint
            assert "sk-wrong" not in str(caught.value)


@every
def test_restart_of_the_server(world: World) -> None:
    """A restarted server is used again without a new adapter."""
    with world.serve() as served:
        server = world.adapter(served.url)
        server.models()
        served.stop()
        with pytest.raises(ServerAway):
            server.models()
        served.start()
        assert len(server.models()) == len(world.keys)


@loading
def test_unknown_model_names_the_nearest(world: World) -> None:
    """A server that manages its memory refuses an unknown key and names the nearest one."""
    with world.serve() as served:
        with pytest.raises(Terminal, match="'beta-9B-instruct'") as caught:
            world.adapter(served.url).load("beta-9B-instruct", 4096)
        assert f"'{BETA}'" in caught.value.hint
        assert served.loads == 0


@chatting
def test_chat_only_servers_tell_their_context(world: World) -> None:
    """Where loading is not ours to do, the context is the real one where the server tells it, else the asked one."""
    with world.serve(SMALL) as served:
        instance = world.adapter(served.url).load(BETA, 8192)
        assert (instance.key, instance.context_length) == (BETA, 8192 if world.name == "openai_compat" else 4096)
