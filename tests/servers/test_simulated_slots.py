"""The simulated server's slots: how many chats it answers at once, what waits, and what it tells of that."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest

from lao.core.clock import SystemClock
from lao.core.errors import BadInput
from lao.core.words import Json
from lao.servers.adapters.lmstudio import LMStudioServer
from lao.servers.adapters.pace import Pace
from lao.servers.simulated import SimulatedServer, parse_scenario

CHAT = "/v1/chat/completions"
HANGS = {"match": {"contains": "hang"}, "fault": {"kind": "hang"}}


def simulated(**more: Json) -> SimulatedServer:
    return SimulatedServer(parse_scenario({"models": [{"key": "m"}], "responses": [HANGS], **more}))


def ask(server: SimulatedServer, text: str) -> httpx.Response:
    body = {"model": "m", "messages": [{"role": "user", "content": text}]}
    return httpx.post(server.url + CHAT, json=body, verify=False, timeout=20)


@contextmanager
def hanging(server: SimulatedServer, count: int) -> Iterator[None]:
    """So many chats that are not answered until the client hangs up, which is at the end."""
    data = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hang"}]}).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    lines = [socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0)) for _ in range(count)]
    try:
        for line in lines:
            line.sendall(head + data)
        yield
    finally:
        for line in lines:
            line.close()


def until(server: SimulatedServer, name: str, value: int) -> None:
    """Look until a figure of the statistics is there."""
    clock = SystemClock()
    end = clock.monotonic() + 20
    while server.stats[name] != value:
        assert clock.monotonic() < end, server.stats
        clock.wait(0.005)


def test_chats_beyond_the_slots_wait() -> None:
    """Two slots are taken by chats that hang: the third chat waits, is answered when they go, and never were three
    answered at once."""
    with simulated(parallel=2) as server:
        answers: list[int] = []
        with hanging(server, 2):
            until(server, "most_at_once", 2)
            third = threading.Thread(target=lambda: answers.append(ask(server, "hello").status_code))
            third.start()
            until(server, "most_waiting", 1)
            assert answers == []
        third.join(20)
        assert answers == [200]
        told = httpx.get(f"{server.url}/_sim/stats", verify=False).json()
    assert (told["most_at_once"], told["most_waiting"]) == (2, 1)


def test_one_after_the_other_is_one_at_once() -> None:
    """Chats that follow one another are never two at once, and do not wait; a ping is no chat."""
    with simulated() as server:
        assert (server.stats["most_at_once"], server.stats["most_waiting"]) == (0, 0)
        for text in ("one", "two", "three"):
            assert ask(server, text).status_code == 200
        assert (server.stats["most_at_once"], server.stats["most_waiting"]) == (1, 0)


def test_the_server_ends_with_chats_that_wait() -> None:
    """Stopping hangs up on the chats in the slots and on those that wait for one, and does not wait for either."""
    with simulated(parallel=1) as server, hanging(server, 3):
        until(server, "most_waiting", 2)
        server.stop()
    assert server.stats["most_at_once"] == 1


def test_the_list_tells_the_slots_and_a_load_cannot_set_them() -> None:
    """As LM Studio 0.4: ``config.parallel`` of an instance is its figure; a load that asks for one is refused."""
    with simulated(parallel=3) as server:
        refused = httpx.post(f"{server.url}/api/v1/models/load", json={"model": "m", "parallel": 8}, verify=False)
        assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request")
        assert "'parallel'" in refused.json()["error"]["message"]
        assert LMStudioServer(server.url, "", pace=Pace(SystemClock())).load("m", 4096).parallel == 3


def test_a_server_has_a_slot() -> None:
    """No slot at all is no scenario."""
    with pytest.raises(BadInput, match="parallel"):
        parse_scenario({"parallel": 0})
