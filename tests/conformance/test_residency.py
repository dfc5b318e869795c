"""One suite for every ResidencyServer, run over each adapter against the simulated server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lao.core.clock import FakeClock
from lao.core.errors import ConfigError, ServerAway, Terminal
from lao.servers.lmstudio import LMStudioServer
from lao.servers.openai_compat import OpenAICompatServer
from lao.servers.protocol import ResidencyServer
from lao.servers.simulated import Scenario, SimulatedServer, parse_scenario

MODELS = [
    {"key": "big/alpha-9b", "size_bytes": 9_000_000_000, "max_context_length": 32768},
    {"key": "beta-9b", "size_bytes": 9_000_000_000},
    {"key": "embedding-tiny", "size_bytes": 90_000_000, "type": "embedding", "max_context_length": 2048},
]
Make = Callable[[str, str], ResidencyServer]


def lmstudio(url: str, token: str = "") -> ResidencyServer:
    return LMStudioServer(url, token, clock=FakeClock(), load_timeout_s=5, poll_interval_s=0.1, connect_timeout_s=2)


def openai_compat(url: str, token: str = "") -> ResidencyServer:
    return OpenAICompatServer(url, token, connect_timeout_s=2)


@pytest.fixture(params=[lmstudio, openai_compat], ids=["lmstudio", "openai_compat"])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param


@pytest.fixture
def simulated(make: Make) -> Iterator[SimulatedServer]:
    with SimulatedServer(scenario(make)) as server:
        yield server


def scenario(make: Make, **more: object) -> Scenario:
    api = "openai" if make is openai_compat else "lmstudio"
    return parse_scenario({"models": MODELS, "vram_total_bytes": 20_000_000_000, "api": api, **more})


def list_path(make: Make) -> str:
    return "/v1/models" if make is openai_compat else "/api/v1/models"


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/", "/api/v1"])
def test_base_url_forms(make: Make, simulated: SimulatedServer, suffix: str) -> None:
    """The address works with and without a trailing /v1, and the chat URL always ends in one."""
    server = make(simulated.url + suffix, "")
    assert [m.key for m in server.models()] == [m["key"] for m in MODELS]
    assert server.chat_base_url == f"{simulated.url}/v1"


def test_kinds(make: Make, simulated: SimulatedServer) -> None:
    """Embedding models are told apart from language models."""
    assert [m.kind for m in make(simulated.url, "").models()] == ["llm", "llm", "embedding"]


def test_load_gives_an_instance_with_the_context(make: Make, simulated: SimulatedServer) -> None:
    """A load returns the instance of the asked model, with at least the asked context."""
    instance = make(simulated.url, "").load("beta-9b", 16384)
    assert instance.key == "beta-9b"
    assert instance.holds(16384)


def test_load_twice_is_one_instance(make: Make, simulated: SimulatedServer) -> None:
    """Loading a loaded model again changes nothing on the server."""
    server = make(simulated.url, "")
    first = server.load("beta-9b", 8192)
    assert server.load("beta-9b", 4096) == first or not server.manages_memory
    assert simulated.stats["loads"] == (1 if server.manages_memory else 0)


def test_unload_is_idempotent(make: Make, simulated: SimulatedServer) -> None:
    """Unloading an instance that is gone is no error, and leaves nothing loaded."""
    server = make(simulated.url, "")
    instance = server.load("beta-9b", 8192)
    server.unload(instance.instance_id)
    server.unload(instance.instance_id)
    assert all(not m.loaded for m in server.models())


def test_no_server(make: Make) -> None:
    """A closed port is ServerAway, with a hint what to start or to check."""
    with SimulatedServer() as gone:
        url = gone.url
    with pytest.raises(ServerAway, match=url) as caught:
        make(url, "").models()
    assert "lm_studio_base_url" in caught.value.hint


@pytest.mark.parametrize("kind", ["html", "garbage", "empty"])
def test_not_a_model_server(make: Make, kind: str) -> None:
    """HTML, broken JSON and empty bodies are a clear configuration error, not a crash."""
    rule = {"match": {"path": list_path(make)}, "fault": {"kind": kind}}
    with (
        SimulatedServer(scenario(make, responses=[rule])) as simulated,
        pytest.raises(ConfigError, match="is not an LM Studio server"),
    ):
        make(simulated.url, "").models()


@pytest.mark.parametrize("status", [429, 503])
def test_busy_server(make: Make, status: int) -> None:
    """A server that is busy or starting is ServerAway, whatever its body is."""
    for body in ({"error": {"message": "Loading model", "code": status}}, "<html>starting</html>"):
        rule = {"match": {"path": list_path(make)}, "fault": {"kind": "http", "status": status, "body": body}}
        with (
            SimulatedServer(scenario(make, responses=[rule])) as simulated,
            pytest.raises(ServerAway),
        ):
            make(simulated.url, "").models()


def test_connection_dropped(make: Make) -> None:
    """A connection that ends without an answer is ServerAway, and the next call works."""
    rule = {"match": {"path": list_path(make)}, "fault": {"kind": "close"}, "times": 1}
    with SimulatedServer(scenario(make, responses=[rule])) as simulated:
        server = make(simulated.url, "")
        with pytest.raises(ServerAway):
            server.models()
        assert len(server.models()) == len(MODELS)


def test_token(make: Make) -> None:
    """The token is sent; without or with a wrong one the error names the setting and shows no part of the token."""
    with SimulatedServer(scenario(make, api_token="sk-right-token-0001")) as simulated:
        assert len(make(simulated.url, "sk-right-token-0001").models()) == len(MODELS)
        for wrong in ("", "sk-wrong-token-9999"):
            with pytest.raises(ConfigError, match="API token") as caught:
                make(simulated.url, wrong).models()
            assert "openai_api_key" in caught.value.hint
            assert "sk-wrong" not in str(caught.value)


def test_restart_of_the_server(make: Make, simulated: SimulatedServer) -> None:
    """A restarted server is used again without a new adapter."""
    server = make(simulated.url, "")
    server.models()
    simulated.stop()
    with pytest.raises(ServerAway):
        server.models()
    simulated.start()
    assert len(server.models()) == len(MODELS)


def test_unknown_model_names_the_nearest(simulated: SimulatedServer, make: Make) -> None:
    """A server that manages its memory refuses an unknown key and names the nearest one."""
    server = make(simulated.url, "")
    if not server.manages_memory:
        assert server.load("alpha", 4096).key == "alpha"
        return
    with pytest.raises(Terminal, match="'alpha-9B-instruct'") as caught:
        server.load("alpha-9B-instruct", 4096)
    assert "'big/alpha-9b'" in caught.value.hint
