"""What is peculiar to llama-swap and to vLLM: no call that loads, unknown contexts, sleep that may not be there."""

from __future__ import annotations

import pytest

from lao.core.clock import FakeClock
from lao.core.errors import OutOfMemory, Terminal
from lao.servers.adapters.llamaswap import LlamaSwapServer
from lao.servers.adapters.pace import Pace
from lao.servers.adapters.vllm import VllmServer
from lao.servers.protocol import LoadedModel

from .stand_ins.llamaswap import LlamaSwapStandIn
from .stand_ins.stand_in import Part
from .stand_ins.vllm import VllmStandIn

PACE = Pace(FakeClock(), 20.0, 1.0)


def swap(*keys: str) -> LlamaSwapStandIn:
    return LlamaSwapStandIn(*(Part(key, context=8192) for key in keys or ("alpha", "beta")))


def test_an_upstream_that_is_no_llama_server_leaves_the_context_unknown() -> None:
    """Where nothing tells the context it is unknown, and counts as enough."""
    with swap() as server:
        server.props = False
        assert LlamaSwapServer(server.url, "", pace=PACE).load("alpha", 32768) == LoadedModel("alpha", "alpha", None)


def test_models_that_do_not_run_are_left_alone() -> None:
    """Listing and unloading start nothing; the stand-in fails on an upstream request to a model that is out."""
    with swap() as server:
        adapter = LlamaSwapServer(server.url, "", pace=PACE)
        adapter.models()
        adapter.unload("alpha")
        assert {path for _, path, _ in server.log} == {"/v1/models", "/running"}


def test_an_unload_of_one_does_not_become_an_unload_of_all() -> None:
    """Where there is a call for one model, the call for all is never used, not even for a name with a slash."""
    with swap("big/alpha", "beta") as server:
        adapter = LlamaSwapServer(server.url, "", pace=PACE)
        adapter.unload(adapter.load("big/alpha", 8192).instance_id)
        assert server.resident == []
        assert server.asked("/api/models/unload/big/alpha") == [{}]
        assert server.asked("/unload") == []


def test_a_context_that_is_too_small_names_the_place() -> None:
    """The context is in llama-swap's own configuration, and the error says where."""
    with swap() as server, pytest.raises(Terminal) as caught:
        LlamaSwapServer(server.url, "", pace=PACE).load("alpha", 16384)
    assert "models.alpha" in caught.value.hint


def test_vllm_with_adapters_is_left_awake() -> None:
    """Adapters beside the model cannot be put to sleep one by one: chat only, all of them loaded."""
    with VllmStandIn(Part("base", context=16384), Part("adapter", context=16384)) as server:
        adapter = VllmServer(server.url, "", pace=PACE)
        assert not adapter.manages_memory
        adapter.load("adapter", 4096)
        adapter.unload("base")
        assert server.resident == ["base"]


def test_vllm_that_cannot_wake_up_for_lack_of_memory() -> None:
    """Another program took the memory while it slept: OutOfMemory, so that the phase is put off."""
    with VllmStandIn(Part("base")) as server:
        adapter = VllmServer(server.url, "", pace=PACE)
        adapter.unload("base")
        server.fails = 1
        with pytest.raises(OutOfMemory, match="'base'"):
            adapter.load("base", 4096)
