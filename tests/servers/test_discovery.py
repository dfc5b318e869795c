"""Looking for servers: each kind is found by what it answers, other programs are told, silence is nothing."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from lao.core.clock import FakeClock
from lao.servers.discovery import PORTS, addresses, find_servers, look
from lao.servers.simulated.scenario import Scenario
from lao.servers.simulated.server import SimulatedServer

from .stand_ins.stand_in import Answer, StandIn
from .support import make_settings
from .test_detect import KINDS, PART


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class WebServer(StandIn):
    """Says the same page at every path."""

    def answer(self, method: str, path: str, body: Any) -> Answer:
        return Answer("<html>hello</html>")


@pytest.mark.parametrize(("stand_in", "more", "kind", "_adapter"), KINDS, ids=lambda v: getattr(v, "__name__", ""))
def test_each_kind_is_found(stand_in: type[StandIn], more: dict[str, Any], kind: str, _adapter: Any) -> None:
    """Issue 7: LM Studio, Ollama, llama-server, llama-swap and vLLM on their ports, with their real models."""
    with stand_in(PART, **more) as server:
        found = look(make_settings(), FakeClock(), server.url)
    assert found is not None
    assert (found.kind, found.problem) == (kind, "")
    assert [info.key for info in found.models] == ["alpha"]
    assert found.name != kind


def test_all_that_answer_are_told_in_the_order_of_the_ports() -> None:
    """Two servers and a dead port: two servers, the first port first."""
    settings = make_settings()
    with SimulatedServer(Scenario()) as one, SimulatedServer(Scenario()) as two:
        urls = [two.url, *addresses([closed_port()]), one.url]
        assert [found.url for found in find_servers(settings, FakeClock(), urls)] == [two.url, one.url]
    assert addresses()[:2] == ("http://127.0.0.1:1234", "http://127.0.0.1:11434")
    assert set(PORTS) == {1234, 11434, 8080, 8000}


def test_another_program_on_the_port_is_told_as_such() -> None:
    """A web server on 8000 is no model server, and is not offered; one that asks for a token says so."""
    with WebServer(PART) as server:
        found = look(make_settings(), FakeClock(), server.url)
    assert found is not None
    assert found.kind == ""
    assert "is not a model server" in found.problem
    with SimulatedServer(Scenario(api_token="secret-token")) as locked:
        found = look(make_settings(), FakeClock(), locked.url)
    assert found is not None
    assert "refused the API token" in found.problem


def test_a_port_that_never_answers_is_nothing() -> None:
    """Something that accepts and stays silent is given up after seconds."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        assert look(make_settings(), FakeClock(), f"http://127.0.0.1:{silent.getsockname()[1]}") is None
