"""Ollama's peculiarities: the context of a chat, derived names, reloads, what is left on the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lao.core.chat import ChatRequest
from lao.core.clock import FakeClock
from lao.core.errors import Terminal, Transient
from lao.llm.client import OpenAIModel
from lao.llm.faults import ContextOverflow
from lao.servers.adapters.ollama import OllamaServer, base_of
from lao.servers.adapters.pace import Pace
from lao.servers.protocol import LoadedModel

from .stand_ins.ollama import OllamaStandIn
from .stand_ins.stand_in import GB, Part

ALPHA = "alpha:7b"


def ollama(**more: Any) -> OllamaStandIn:
    return OllamaStandIn(Part(ALPHA, context=32768), Part("beta:9b", context=8192), **more)


def adapter(server: OllamaStandIn) -> OllamaServer:
    return OllamaServer(server.url, "", pace=Pace(FakeClock(), 20.0, 1.0))


def chat(server: OllamaStandIn, name: str, words: int, reports: Callable[[Any], None] = lambda event: None) -> int:
    """Tokens that the server read of a prompt of so many words (two tokens each)."""
    model = OpenAIModel(
        f"{server.url}/v1", "", connect_timeout_s=2, first_token_timeout_s=60, idle_timeout_s=60, retry_attempts=1,
        retry_backoff_base_s=0.1, clock=FakeClock(), report=reports,
    )  # fmt: skip
    try:
        return model.complete(ChatRequest(name, ({"role": "user", "content": "function" * words},), 64)).usage.prompt
    finally:
        model.close()


def test_a_chat_gets_the_context_that_was_asked_for() -> None:
    """The model is loaded under a derived name with the context built in: the chat causes no reload, nothing is cut."""
    with ollama() as server:
        instance = adapter(server).load(ALPHA, 16384)
        assert instance == LoadedModel(f"{ALPHA}-lao-16384", ALPHA, 16384)
        assert chat(server, instance.instance_id, 6000) == 12_000
        assert (server.loads, server.reloads) == (1, 0)


def test_a_chat_under_the_plain_name_would_be_cut_and_that_is_found_out() -> None:
    """What the derived name is for: under the plain one Ollama loads again with its default and cuts in silence."""
    faults = []
    with ollama() as server:
        adapter(server).load(ALPHA, 16384)
        with pytest.raises(ContextOverflow, match="read 4096 tokens") as caught:
            chat(server, ALPHA, 6000, lambda event: faults.append(event.data["class"]))
        assert (server.loads, server.reloads) == (2, 1)
    assert caught.value.kind == "silent_truncation"
    assert faults == ["silent_truncation"]


def test_derived_models_are_not_models_of_the_user() -> None:
    """Derived names are shown as instances of their base; names that only look like it stay models."""
    with ollama() as server:
        llm = adapter(server)
        llm.load(ALPHA, 16384)
        assert [m.key for m in llm.models()] == [ALPHA, "beta:9b"]
    names = {"a", "a-lao-8192", "b-lao-8192", "a-lao-x"}
    assert {name: base_of(name, names) for name in names} == {
        "a": "a",
        "a-lao-8192": "a",
        "b-lao-8192": "b-lao-8192",
        "a-lao-x": "a-lao-x",
    }


def test_a_model_with_the_right_context_is_not_derived() -> None:
    """A Modelfile with just this num_ctx is used under its own name."""
    with ollama() as server:
        server.names[ALPHA].num_ctx = 16384
        assert adapter(server).load(ALPHA, 16384) == LoadedModel(ALPHA, ALPHA, 16384)
        assert server.asked("/api/create") == []


def test_what_another_client_loaded_is_not_what_a_chat_gets() -> None:
    """A plain model that is loaded with a large num_ctx counts with the default only, and is in the way."""
    with ollama() as server:
        server._schedule({"model": ALPHA, "options": {"num_ctx": 32768}})
        llm = adapter(server)
        assert llm.models()[0].loaded == (LoadedModel(ALPHA, ALPHA, 4096),)
        with pytest.raises(Transient, match="context 4096, 16384 is needed"):
            llm.load(ALPHA, 16384)
        llm.unload(ALPHA)
        assert llm.load(ALPHA, 16384).context_length == 16384


def test_no_more_context_than_the_model_was_made_for() -> None:
    """Beyond the model's own limit Ollama would only load again and again: the limit is asked for, and told."""
    with ollama() as server:
        instance = adapter(server).load("beta:9b", 32768, 4096)
        assert instance == LoadedModel("beta:9b-lao-8192", "beta:9b", 8192)
        server.forget()
        with pytest.raises(Terminal, match="8192 although 32768"):
            adapter(server).load("beta:9b", 32768)


def test_a_derived_model_follows_its_base() -> None:
    """It is made anew at each load, so that a pulled update of its base is not missed."""
    with ollama() as server:
        llm = adapter(server)
        for _ in range(2):
            llm.unload(llm.load(ALPHA, 16384).instance_id)
        assert [b["model"] for b in server.asked("/api/create")] == [f"{ALPHA}-lao-16384"] * 2
        assert all(b["from"] == ALPHA for b in server.asked("/api/create"))


def test_what_is_on_the_cpu_is_told() -> None:
    """A model that does not fit into the GPU says how much of it does not."""
    with ollama() as server:
        server.gpu = 6 * GB
        assert adapter(server).load(ALPHA, 8192).cpu_bytes == 3 * GB
        server.gpu = 10 * GB
        assert adapter(server).models()[0].loaded[0].cpu_bytes == 0


def test_it_stays_loaded_between_calls() -> None:
    """Loads ask for no expiry: a pause between two phases must not cost a load."""
    with ollama() as server:
        adapter(server).load(ALPHA, 8192)
        assert [b["keep_alive"] for b in server.asked("/api/generate")] == [-1]


def test_an_older_server_tells_no_context() -> None:
    """Then a derived name tells it, and a plain one counts with the smallest default."""
    with ollama() as server:
        server.tells_context = False
        llm = adapter(server)
        assert llm.load(ALPHA, 16384).context_length == 16384
        llm.load("beta:9b", None)
        assert llm.models()[1].loaded[0].context_length == 4096
