"""The chat client against a scripted server: the request, retries, deadlines, stopping."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

from lao.core.chat import ChatRequest
from lao.core.errors import Interrupted, ServerAway
from lao.core.words import Event

from .client_bench import REQUEST, Bench
from .scripted import USAGE, ScriptedServer, chunk, cut, hang, say, status, stream

LOADING = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}


def test_answer_is_whole(server: ScriptedServer, bench: Bench) -> None:
    """Text, usage and cached tokens arrive; line separators inside JSON do not cut an event."""
    server.script = [
        stream(chunk({"role": "assistant", "content": ""}), chunk({"content": "a\u2028"}), chunk({"content": "b"}),
               chunk(None, "stop"), chunk(usage=USAGE))
    ]  # fmt: skip
    answer = bench.model.complete(REQUEST)
    assert (answer.text, answer.finish_reason, answer.model) == ("a\u2028b", "stop", "m")
    assert (answer.usage.prompt, answer.usage.completion, answer.usage.cached) == (11, 3, 7)
    assert not answer.usage.estimated


def test_request_on_the_wire(server: ScriptedServer, bench: Bench) -> None:
    """Every request streams with usage and a token limit; tools, schema and sampling go in the documented form."""
    schema = {"type": "object", "title": "plan"}
    tool = {"type": "function", "function": {"name": "t", "parameters": {"type": "object"}}}
    server.script = [say("x"), say("{}")]
    bench.model.complete(REQUEST)
    bench.model.complete(ChatRequest("m", REQUEST.messages, 9, (tool,), schema, 0.1, 0.9, 3, 1.05, ("END",)))
    plain, full = server.requests
    assert plain == {
        "model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 50, "stream": True,
        "stream_options": {"include_usage": True},
    }  # fmt: skip
    assert full["parallel_tool_calls"] is False
    assert full["response_format"] == {
        "type": "json_schema", "json_schema": {"name": "plan", "strict": True, "schema": schema}
    }  # fmt: skip
    assert (full["temperature"], full["top_p"], full["seed"], full["repeat_penalty"]) == (0.1, 0.9, 3, 1.05)
    assert full["stop"] == ["END"]
    assert server.headers[0]["authorization"] == "Bearer key"


def test_loading_then_ok(server: ScriptedServer, bench: Bench) -> None:
    """A server that is loading is waited for with doubling pauses, and each wait is reported."""
    server.script = [status(503, LOADING), status(503, LOADING), say("ready")]
    assert bench.model.complete(REQUEST).text == "ready"
    assert bench.faults == ["loading", "loading"]
    first, second = (e.data["delay_s"] for e in bench.retries)
    assert 3.75 <= first <= 6.25
    assert 7.5 <= second <= 12.5


def test_retry_after_is_obeyed(server: ScriptedServer, bench: Bench) -> None:
    """A pause that the server asks for replaces the standard one."""
    server.script = [status(429, {"error": "slow down"}, Retry_After="17"), say("ok")]
    bench.model.complete(REQUEST)
    assert bench.retries[0].data["delay_s"] == 17.0
    assert bench.faults == ["busy"]


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (cut(), "stream_cut"),
        (cut(chunk({"content": "half"})), "stream_cut"),
        (stream(chunk({"content": "half"}), done=False), "stream_cut"),
        (stream(chunk({"content": "x"}), {"error": {"message": "The model has crashed without further notice."}}),
         "model_crashed"),
        (stream(chunk({"content": "x"}), {"error": {"message": "something odd"}}), "stream_error"),
        (stream('{"choices": [', done=False), "stream_cut"),
        (status(502, "<html>Bad gateway</html>", "text/html"), "server_away"),
        (status(404, {"error": {"message": "No models loaded. Please load a model", "code": "model_not_found"}}),
         "loading"),
        (status(400, {"error": "Model is unloaded."}), "loading"),
        (status(200, {"error": "Model is unloaded."}), "loading"),
        (status(503, {"error": "server busy, please try again"}), "busy"),
        (status(500, {"error": "model requires more system memory than is available"}), "out_of_memory"),
    ],
)  # fmt: skip
def test_passing_faults_are_tried_again(server: ScriptedServer, bench: Bench, fault: Any, name: str) -> None:
    """Cut streams, in-stream errors, crashes and unloads are named and lead to another try without the first's text."""
    server.script = [fault, say("good")]
    assert bench.model.complete(REQUEST).text == "good"
    assert bench.faults == [name]


def test_gives_up_after_the_last_try(server: ScriptedServer, bench: Bench) -> None:
    """After the configured tries the error is ServerAway and says how many there were."""
    server.script = [status(503, LOADING)] * 3
    with pytest.raises(ServerAway, match=r"Loading model.*3 tries") as caught:
        bench.model.complete(REQUEST)
    assert "lao health" in caught.value.hint
    assert len(bench.retries) == 2
    assert bench.faults == ["loading"] * 3


def test_refused_connection() -> None:
    """A server that is not there is ServerAway with its address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    bench = Bench(f"http://127.0.0.1:{port}/v1", retry_attempts=2)
    with pytest.raises(ServerAway, match=f"cannot reach the model server at http://127.0.0.1:{port}"):
        bench.model.complete(REQUEST)
    bench.model.close()


@pytest.mark.parametrize("headers", [True, False])
def test_silence_before_the_first_token(server: ScriptedServer, headers: bool) -> None:
    """A missed first-token deadline hangs up, so that the server stops; also before it has sent any header."""
    server.script = [hang(*([chunk({"role": "assistant", "content": ""})] if headers else []), headers=headers)]
    bench = Bench(server.url, first_token_timeout_s=1.0, retry_attempts=1)
    with pytest.raises(ServerAway, match=r"silent for 1 s before the first token"):
        bench.model.complete(REQUEST)
    assert server.hung_up.wait(5)
    assert not [t for t in threading.enumerate() if t.name == "lao-model-stream"]
    bench.model.close()


def test_silence_between_tokens(server: ScriptedServer) -> None:
    """After the first token the shorter idle deadline counts; the call is hung up and tried again."""
    server.script = [hang(chunk({"content": "beg"})), say("whole")]
    bench = Bench(server.url, idle_timeout_s=1.0)
    assert bench.model.complete(REQUEST).text == "whole"
    assert "1 s between tokens" in bench.events[0].text
    assert bench.faults == ["silence"]
    assert server.hung_up.wait(5)
    bench.model.close()


def test_stopping_hangs_up(server: ScriptedServer) -> None:
    """A worker that is stopping leaves a running call at once, and the server is hung up on."""
    server.script = [hang(chunk({"content": "beg"}))]
    bench = Bench(server.url, stopping=lambda: bool(server.requests))
    with pytest.raises(Interrupted):
        bench.model.complete(REQUEST)
    assert server.hung_up.wait(5)
    bench.model.close()


def test_who_watches_hangs_up_only_their_own_call(server: ScriptedServer) -> None:
    """E6: a cancelled run leaves its call at once; others that share the client go on, and know what it has learned."""
    server.script = [hang(chunk({"content": "beg"})), say("here")]
    bench = Bench(server.url)
    with pytest.raises(Interrupted):
        bench.model.watched(lambda: bool(server.requests)).complete(REQUEST)
    assert server.hung_up.wait(5)
    assert bench.model.watched(lambda: False).complete(REQUEST).text == "here"
    bench.model.close()


def test_stopping_ends_a_pause(server: ScriptedServer) -> None:
    """A worker that is stopping does not sit out a back-off."""
    server.script = [status(503, LOADING)]
    events: list[Event] = []
    bench = Bench(server.url, stopping=lambda: bool(events), retry_backoff_base_s=1000.0)
    bench.model.report = events.append
    with pytest.raises(Interrupted):
        bench.model.complete(REQUEST)
    assert sum(bench.clock.waits) <= 1.0
    bench.model.close()
