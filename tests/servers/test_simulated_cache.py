"""The simulated server's prompt cache: what it serves, and what it tells of that."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from lao.core.clock import FakeClock
from lao.core.words import Json
from lao.servers.simulated import SimulatedServer, parse_scenario

CHAT = "/v1/chat/completions"
V1 = "/api/v1/models"


@pytest.fixture
def server() -> Iterator[SimulatedServer]:
    with SimulatedServer(parse_scenario({"models": [{"key": "m"}]}), clock=FakeClock()) as running:
        yield running


def post(server: SimulatedServer, path: str, payload: Json) -> httpx.Response:
    return httpx.post(server.url + path, json=payload, verify=False, timeout=5)


def test_the_prompt_cache_is_a_prefix_of_one_instance(server: SimulatedServer) -> None:
    """The longest common beginning with the instance's last prompt, in tokens, told as llama-server tells it: streamed
    and plain, in usage and timings; one token at least is read; an unload empties the cache."""

    def told(text: str, *, stream: bool) -> tuple[int, int]:
        body = {"model": "m", "messages": [{"role": "user", "content": text}], "stream": stream}
        answer = post(server, CHAT, {**body, "stream_options": {"include_usage": True}})
        data = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")]
        last = json.loads(data[-1]) if stream else answer.json()
        usage, timings = last["usage"], last["timings"]
        assert timings["cache_n"] == usage["prompt_tokens_details"]["cached_tokens"]
        assert timings["cache_n"] + timings["prompt_n"] == usage["prompt_tokens"]
        return timings["cache_n"], timings["prompt_n"]

    role, kept = 4, 100
    assert post(server, f"{V1}/load", {"model": "m", "context_length": 30_000}).status_code == 200
    assert told("a" * 4 * kept + "one more", stream=False) == (0, role + kept + 2)
    assert told("a" * 4 * kept + "and now something else", stream=True) == (role + kept, 6)
    assert told("a" * 4 * kept + "and now something else", stream=False) == (role + kept + 5, 1)
    assert post(server, f"{V1}/unload", {"instance_id": "m"}).status_code == 200
    assert told("a" * 4 * kept, stream=False)[0] == 0


def test_a_server_that_does_not_tell_its_cache() -> None:
    """With ``tell_cache: false`` neither usage nor timings say anything of the cache."""
    scenario = {"tell_cache": False, "models": [{"key": "m"}]}
    with SimulatedServer(parse_scenario(scenario), clock=FakeClock()) as server:
        body = post(server, CHAT, {"model": "m", "messages": [{"role": "user", "content": "hello"}]}).json()
    assert "prompt_tokens_details" not in body["usage"]
    assert "timings" not in body
