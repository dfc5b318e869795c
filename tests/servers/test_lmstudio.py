"""LM Studio's peculiarities: what a load, an unload and their refusals mean."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from lao.core.clock import FakeClock
from lao.core.errors import ConfigError, NotAServer, OutOfMemory, ServerAway, Terminal, Transient
from lao.servers.adapters.lmstudio import LMStudioServer, parse_models
from lao.servers.adapters.pace import Pace
from lao.servers.protocol import LoadedModel
from lao.servers.simulated import SimulatedServer, parse_scenario

from .stand_ins.old_lmstudio import OldLMStudioStandIn
from .stand_ins.stand_in import Part

LOAD = "/api/v1/models/load"
MODELS = [
    {"key": "alpha", "size_bytes": 9_000_000_000, "max_context_length": 32768},
    {"key": "beta", "size_bytes": 9_000_000_000},
]


def simulated(**more: Any) -> SimulatedServer:
    return SimulatedServer(parse_scenario({"models": MODELS, "vram_total_bytes": 12_000_000_000, **more}))


def adapter(server: SimulatedServer, **more: Any) -> LMStudioServer:
    pace = Pace(**{"clock": FakeClock(), "load_timeout_s": 5.0, "poll_interval_s": 1.0, **more})
    return LMStudioServer(server.url, "", pace=pace)


def load_fault(status: int, body: Any) -> dict[str, Any]:
    return {"match": {"path": LOAD}, "fault": {"kind": "http", "status": status, "body": body}}


def test_list_accepts_both_id_names() -> None:
    """``id`` and ``instance_id`` both name an instance; missing figures are None or 0."""
    rows = [
        {
            "key": "a",
            "type": "llm",
            "size_bytes": 5,
            "loaded_instances": [{"id": "a", "config": {"context_length": 7, "parallel": 2}}],
        },
        {"key": "b", "type": "embedding", "loaded_instances": [{"instance_id": "b:2"}], "max_context_length": None},
    ]
    infos = parse_models({"models": rows})
    assert infos is not None
    assert infos[0].loaded == (LoadedModel("a", "a", 7, parallel=2),)
    assert infos[1].loaded == (LoadedModel("b:2", "b", None, parallel=None),)
    assert (infos[1].kind, infos[1].size_bytes, infos[1].max_context_length) == ("embedding", 0, None)


@pytest.mark.parametrize("body", [{}, {"models": None}, {"models": [{"name": "x"}]}, {"data": []}, []])
def test_other_lists_are_not_lm_studios(body: Any) -> None:
    """A body of another shape is not taken for LM Studio's list."""
    assert parse_models(body) is None


def test_guardrail_is_out_of_memory() -> None:
    """The guardrail's refusal is OutOfMemory, so that the phase is deferred and not failed."""
    with simulated() as server:
        lm = adapter(server)
        lm.load("alpha", 8192)
        with pytest.raises(OutOfMemory, match="insufficient system resources"):
            lm.load("beta", 8192)
        assert server.stats["resident"] == ["alpha"]


def test_smaller_context_is_a_failed_load() -> None:
    """A model that came with less context than asked is unloaded again, and the error tells both figures."""
    with simulated(context_cap=8192) as server:
        with pytest.raises(Terminal, match="context 8192 although 16384"):
            adapter(server).load("alpha", 16384)
        assert server.stats["resident"] == []


def test_loaded_with_smaller_context_is_not_loaded_twice() -> None:
    """A loaded model is never loaded again beside itself, even when its context is too small."""
    with simulated() as server:
        lm = adapter(server)
        lm.load("alpha", 4096)
        with pytest.raises(Transient, match="4096"):
            lm.load("alpha", 8192)
        assert server.stats["loads"] == 1


def test_second_instance_is_unloaded_by_its_own_id() -> None:
    """The surplus instance ``alpha:2`` goes and ``alpha`` stays."""
    with simulated(vram_total_bytes=30_000_000_000) as server:
        for _ in range(2):
            httpx.post(f"{server.url}{LOAD}", json={"model": "alpha"})
        lm = adapter(server)
        assert [i.instance_id for i in lm.models()[0].loaded] == ["alpha", "alpha:2"]
        lm.unload("alpha:2")
        assert [i.instance_id for i in lm.models()[0].loaded] == ["alpha"]


@pytest.mark.parametrize("missing", ["200", "404"])
def test_just_in_time_fallback(missing: str) -> None:
    """Without a load endpoint a one-token chat makes the server load, and the context is checked all the same."""
    extra: dict[str, Any] = {"load_endpoint": False, "jit_context_length": 8192}
    if missing == "404":
        extra["responses"] = [load_fault(404, "<html>Cannot POST</html>")]
    with simulated(**extra) as server:
        lm = adapter(server)
        assert lm.load("alpha", 8192) == LoadedModel("alpha", "alpha", 8192, parallel=4)
        lm.unload("alpha")
        with pytest.raises(Terminal, match="8192"):
            lm.load("alpha", 16384)
        assert server.stats["jit_loads"] == 2


def test_unknown_to_the_load_endpoint() -> None:
    """A listed model that the load endpoint does not know is a Terminal error and no reason for a chat request."""
    rule = load_fault(404, {"error": {"type": "model_not_found", "message": "Model 'alpha' not found"}})
    with simulated(responses=[rule]) as server:
        with pytest.raises(Terminal, match="alpha"):
            adapter(server).load("alpha", 8192)
        assert server.stats["completions"] == 0


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {"error": {"type": "invalid_request", "message": "bad context"}}, Terminal),
        (400, {"error": "bad context"}, Terminal),
        (500, {"error": {"message": "The model has crashed without additional information."}}, Transient),
        (500, {"error": {"message": "Failed to load model. Error: Operation canceled."}}, ServerAway),
        (500, {"error": {"message": "ggml: out of memory"}}, OutOfMemory),
        (503, {"error": {"message": "Loading model"}}, ServerAway),
        (500, "<html>oops</html>", NotAServer),
    ],
)
def test_what_a_refused_load_means(status: int, body: Any, kind: type[Exception]) -> None:
    """Each shape of error has one meaning; status 200 with an error object is an error."""
    with simulated(responses=[load_fault(status, body)]) as server, pytest.raises(kind) as caught:
        adapter(server).load("alpha", 8192)
    assert type(caught.value) is kind


def test_load_that_takes_too_long() -> None:
    """A load without an answer in time is ServerAway and names the setting."""
    rule = {"match": {"path": LOAD}, "fault": {"kind": "hang"}}
    with simulated(responses=[rule]) as server, pytest.raises(ServerAway) as caught:
        adapter(server, load_timeout_s=0.1).load("alpha", 8192)
    assert "model_load_timeout_s" in caught.value.hint


def test_load_answered_before_the_model_is_there() -> None:
    """An early "loaded" is not believed: the list is read until the model is in it, or the time is over."""
    rule = load_fault(200, {"instance_id": "alpha", "status": "loaded"})
    with simulated(responses=[rule]) as server:
        clock = FakeClock()
        lm = adapter(server, clock=clock, poll_interval_s=2.0)
        with pytest.raises(ServerAway, match="not in the list after 5 s"):
            lm.load("alpha", 8192)
        assert clock.waits == [0.25, 0.5, 1.0, 2.0, 2.0]


def test_unload_that_does_nothing() -> None:
    """A refused unload of an instance that stays is an error."""
    rule = {"match": {"path": "/api/v1/models/unload"}, "fault": {"kind": "http", "status": 500}}
    with simulated(responses=[rule]) as server:
        lm = adapter(server)
        lm.load("alpha", 8192)
        with pytest.raises(Transient, match="'alpha'"):
            lm.unload("alpha")


@pytest.mark.parametrize("url", ["", "http://", "ftp://x", "http://x:99999", "http://x:port"])
def test_bad_address(url: str) -> None:
    """An address that is none is a configuration error before anything is sent."""
    with pytest.raises(ConfigError, match="http address"):
        LMStudioServer(url, "", pace=Pace(FakeClock()))


def test_before_0_4_the_first_request_loads() -> None:
    """With /api/v0 only: the list is read there, a one-token chat loads, and the context is what LM Studio has set."""
    with OldLMStudioStandIn(Part("alpha", context=8192)) as server:
        lm = LMStudioServer(server.url, "", pace=Pace(FakeClock()))
        assert [(m.key, m.loaded, m.max_context_length) for m in lm.models()] == [("alpha", (), 32768)]
        assert lm.load("alpha", 16384) == LoadedModel("alpha", "alpha", 8192)
        with pytest.raises(Terminal, match="8192 although 16384") as caught:
            lm.load("alpha", 16384, 16384)
        assert "LM Studio" in caught.value.hint


def test_before_0_4_a_wrong_key_is_not_served_by_another_model() -> None:
    """Old servers answer with whatever is loaded; the list shows that it is not the one asked for."""
    with OldLMStudioStandIn(Part("alpha")) as server, pytest.raises(Terminal, match="'alfa'") as caught:
        LMStudioServer(server.url, "", pace=Pace(FakeClock())).load("alfa", 4096)
    assert "'alpha'" in caught.value.hint
