"""The simulated server over HTTP: LM Studio's API, streams, memory accounting, its log, its faults."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from lao.core.clock import FakeClock
from lao.core.errors import BadInput
from lao.servers.simulated import SimulatedServer, parse_scenario

GB = 1_000_000_000
MODELS = [{"key": "alpha", "size_bytes": 9 * GB}, {"key": "beta", "size_bytes": 9 * GB}]
CHAT = "/v1/chat/completions"
V1 = "/api/v1/models"


def simulated(clock: FakeClock | None = None, **more: Any) -> SimulatedServer:
    return SimulatedServer(parse_scenario({"models": MODELS, "vram_total_bytes": 20 * GB, **more}), clock=clock)


def post(url: str, **options: Any) -> httpx.Response:
    return httpx.post(url, verify=False, **options)  # a TLS context per call would be most of the tests' time


def get(url: str) -> httpx.Response:
    return httpx.get(url, verify=False)


def chat(server: SimulatedServer, text: str = "hello", **body: Any) -> httpx.Response:
    payload = {"model": "alpha", "messages": [{"role": "user", "content": text}], **body}
    return post(server.url + CHAT, json=payload, timeout=5)


def events(text: str) -> list[Any]:
    """The decoded data lines of a stream, without [DONE]."""
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: {")]


def deltas(text: str, name: str) -> str:
    found = (e["choices"][0]["delta"].get(name) for e in events(text) if e.get("choices"))
    return "".join(part or "" for part in found)


def test_load_and_unload_as_lm_studio() -> None:
    """Load gives an instance id, a second load makes key:2, unload goes by the id of the list."""
    with simulated() as server:
        first = post(f"{server.url}{V1}/load", json={"model": "alpha", "context_length": 9000}).json()
        second = post(
            f"{server.url}{V1}/load", json={"model": "alpha", "context_length": 10, "echo_load_config": True}
        ).json()
        assert (first["instance_id"], first["status"], first["type"]) == ("alpha", "loaded", "llm")
        assert (second["instance_id"], second["load_config"]) == ("alpha:2", {"context_length": 10})
        listed = get(f"{server.url}{V1}").json()["models"][0]["loaded_instances"]
        assert [(i["id"], i["config"]["context_length"]) for i in listed] == [("alpha", 9000), ("alpha:2", 10)]
        gone = post(f"{server.url}{V1}/unload", json={"instance_id": "alpha"})
        assert gone.json() == {"instance_id": "alpha"}
        assert post(f"{server.url}{V1}/unload", json={"instance_id": "alpha"}).status_code == 404
        assert server.stats["resident"] == ["alpha:2"]


def test_guardrail_when_memory_is_short() -> None:
    """A load that does not fit is refused with LM Studio's guardrail text, also while released memory is not back."""
    clock = FakeClock()
    with simulated(clock, vram_total_bytes=10 * GB, release_delay=5.0) as server:
        post(f"{server.url}{V1}/load", json={"model": "alpha"})
        post(f"{server.url}{V1}/unload", json={"instance_id": "alpha"})
        refused = post(f"{server.url}{V1}/load", json={"model": "beta"})
        assert "insufficient system resources" in refused.json()["error"]["message"]
        clock.wait(5.0)
        assert post(f"{server.url}{V1}/load", json={"model": "beta"}).status_code == 200


def test_unknown_paths_and_bodies() -> None:
    """Unknown paths get status 200 with LM Studio's text; broken bodies and unknown models are errors."""
    with simulated() as server:
        odd = get(f"{server.url}/api/v1/nothing")
        assert (odd.status_code, odd.json()["error"][:30]) == (200, "Unexpected endpoint or method.")
        assert post(server.url + CHAT, content=b"{").status_code == 400
        assert post(f"{server.url}{V1}/load", json={"model": "nope"}).status_code == 404
        assert post(f"{server.url}{V1}/load", json={}).status_code == 400
        assert post(f"{server.url}{V1}/load", json={"model": "alpha", "context_length": "x"}).status_code == 400
        assert chat(server, model="nope").json()["error"]["type"] == "model_not_found"
        assert [m["id"] for m in get(f"{server.url}/v1/models").json()["data"]] == ["alpha", "beta"]


def test_plain_completion() -> None:
    """Without stream: one object with text, finish reason, usage and the model's instance id."""
    with simulated(responses=[{"answer": {"text": "hi there", "reasoning": "hm"}}]) as server:
        body = chat(server).json()
        assert body["model"] == "alpha"
        choice = body["choices"][0]
        assert (choice["message"]["content"], choice["message"]["reasoning_content"]) == ("hi there", "hm")
        assert (choice["finish_reason"], body["usage"]["completion_tokens"]) == ("stop", 3)


def test_streamed_completion() -> None:
    """With stream: role chunk, text in pieces, finish reason, usage when asked for, [DONE]."""
    text = "word " * 40
    with simulated(responses=[{"answer": {"text": text, "reasoning": "thinking"}}]) as server:
        reply = chat(server, stream=True, stream_options={"include_usage": True})
        assert reply.headers["content-type"] == "text/event-stream"
        found = events(reply.text)
        assert found[0]["choices"][0]["delta"] == {"role": "assistant"}
        assert deltas(reply.text, "content") == text
        assert deltas(reply.text, "reasoning_content") == "thinking"
        assert found[-2]["choices"][0]["finish_reason"] == "stop"
        assert (found[-1]["choices"], found[-1]["usage"]["completion_tokens"]) == ([], 52)
        assert reply.text.endswith("data: [DONE]\n\n")
        assert "usage" not in chat(server, stream=True).text


def test_streamed_tool_calls() -> None:
    """Tool calls come in pieces: id and name first, the arguments after them, by index."""
    calls = [
        {"name": "file_write", "arguments": {"path": "a.py", "content": "x" * 60}},
        {"name": "b", "arguments": "{"},
    ]
    with simulated(responses=[{"answer": {"tool_calls": calls}}]) as server:
        found = [e["choices"][0] for e in events(chat(server, stream=True).text)]
        parts = [d for c in found for d in c["delta"].get("tool_calls", [])]
        heads = [(p["index"], p["function"]["name"], p["type"]) for p in parts if "id" in p]
        assert heads == [(0, "file_write", "function"), (1, "b", "function")]
        joined = ["".join(p["function"]["arguments"] for p in parts if p["index"] == i) for i in (0, 1)]
        assert (json.loads(joined[0]), joined[1]) == (calls[0]["arguments"], "{")
        assert found[-1]["finish_reason"] == "tool_calls"
        plain = chat(server).json()["choices"][0]["message"]["tool_calls"]
        assert [c["function"]["name"] for c in plain] == ["file_write", "b"]


def test_just_in_time_load_is_counted() -> None:
    """A chat loads its model with a small context; the last such model makes way for the next."""
    with simulated() as server:
        for model in ("alpha", "alpha", "beta"):
            chat(server, model=model)
        stats = server.stats
        assert (stats["loads"], stats["jit_loads"], stats["unloads"], stats["swaps"]) == (2, 2, 1, 1)
        assert (stats["max_large_resident"], stats["completions"], stats["vram_used"]) == (1, 3, 9 * GB)
        assert get(f"{server.url}{V1}").json()["models"][1]["loaded_instances"][0]["config"]["context_length"] == 4096


def test_two_large_models_are_seen() -> None:
    """The accounting shows when two large models were resident at once, even after one has gone."""
    with simulated() as server:
        for model in ("alpha", "beta"):
            post(f"{server.url}{V1}/load", json={"model": model})
        post(f"{server.url}{V1}/unload", json={"instance_id": "alpha"})
        assert get(f"{server.url}/_sim/stats").json()["max_large_resident"] == 2


def test_log() -> None:
    """Every load, unload and completion is in the log, with who asked for what and what was resident."""
    with simulated() as server:
        post(f"{server.url}{V1}/load", json={"model": "alpha"})
        form = {"type": "json_schema", "json_schema": {"schema": {}}}
        tool = {"type": "function", "function": {"name": "t"}}
        messages = [{"role": "system", "content": "x\nLAO role: planner\n"}, {"role": "user", "content": "## a"}]
        chat(server, messages=messages, response_format=form, tools=[tool])
        post(f"{server.url}{V1}/unload", json={"instance_id": "alpha"})
        log = get(f"{server.url}/_sim/log").json()
        assert log == server.log
        assert [e["kind"] for e in log] == ["load", "completion", "unload"]
        call = log[1]
        assert (call["model"], call["role"], call["tools"], call["schema"]) == ("alpha", "planner", 1, True)
        assert (call["messages"], call["status"], call["resident"]) == (2, "ok", ["alpha"])
        assert call["prompt_tokens"] > 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "status", "contained"),
    [
        ({"kind": "http", "status": 503, "body": {"error": {"message": "Loading model"}}}, 503, "Loading model"),
        ({"kind": "http", "status": 502, "body": "<html>bad</html>"}, 502, "bad"),
        ({"kind": "html"}, 200, "It works!"),
        ({"kind": "garbage"}, 200, '{"mess'),
    ],
)
def test_faults_instead_of_an_answer(stream: bool, fault: dict[str, Any], status: int, contained: str) -> None:
    """Status and body of the scenario, HTML and garbage come as they are told, and only as often as told."""
    with simulated(responses=[{"fault": fault, "times": 1}]) as server:
        reply = chat(server, stream=stream)
        assert reply.status_code == status
        assert contained in reply.text
        assert '"finish_reason": "stop"' in chat(server, stream=stream).text
        assert [e["fault"] for e in server.log if e["kind"] == "completion"] == [fault["kind"], None]


def test_empty_answer_and_wrong_model() -> None:
    """An empty answer has a finish reason and nothing else; a wrong model has another name."""
    rules = [{"fault": {"kind": "empty"}, "times": 1}, {"fault": {"kind": "wrong_model", "name": "other"}}]
    with simulated(responses=rules) as server:
        empty = chat(server, stream=True).text
        assert (deltas(empty, "content"), events(empty)[-1]["choices"][0]["finish_reason"]) == ("", "stop")
        assert chat(server).json()["model"] == "other"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("kind", ["close", "cut"])
def test_broken_connections(kind: str, stream: bool) -> None:
    """A closed connection and an answer that breaks off are protocol errors for the client."""
    with simulated(responses=[{"fault": {"kind": kind, "after": 2}}]) as server:
        with pytest.raises(httpx.RemoteProtocolError):
            chat(server, stream=stream)
        assert server.log[0]["status"] == kind


def test_cut_after_n_chunks() -> None:
    """Exactly the asked number of chunks comes before the stream is cut."""
    rule = {"answer": {"text": "word " * 40}, "fault": {"kind": "cut", "after": 3}}
    with simulated(responses=[rule]) as server:
        lines: list[str] = []
        payload = {"model": "alpha", "messages": [], "stream": True}
        with pytest.raises(httpx.RemoteProtocolError), httpx.stream("POST", server.url + CHAT, json=payload) as reply:
            lines.extend(line for line in reply.iter_lines() if line)
        assert len(lines) == 3


def test_error_inside_a_stream() -> None:
    """An error event comes with status 200 after the asked chunks, and no [DONE] follows."""
    rule = {"answer": {"text": "word " * 40}, "fault": {"kind": "error_event", "after": 2, "body": {"error": "bang"}}}
    with simulated(responses=[rule]) as server:
        reply = chat(server, stream=True)
        assert reply.status_code == 200
        assert "event: error\ndata: " in reply.text
        assert events(reply.text)[-1] == {"error": "bang"}
        assert "[DONE]" not in reply.text


@pytest.mark.parametrize("after", [0, 2])
def test_hang_notices_the_client_leaving(after: int) -> None:
    """A hanging answer ends when the client goes, and is logged as abandoned."""
    with simulated(responses=[{"fault": {"kind": "hang", "after": after}}]) as server:
        with pytest.raises(httpx.ReadTimeout):
            post(server.url + CHAT, json={"model": "alpha", "stream": True}, timeout=httpx.Timeout(5, read=0.5))
        server.stop()  # waits for the connection's thread
        assert server.log[0]["status"] == "abandoned"


def test_slow_generation_notices_the_client_leaving() -> None:
    """A paced stream stops when nobody reads it any more."""
    with simulated(tokens_per_second=0.5, responses=[{"answer": {"text": "word " * 40}}]) as server:
        with pytest.raises(httpx.ReadTimeout):
            chat_timeout = httpx.Timeout(5, read=0.5)
            post(server.url + CHAT, json={"model": "alpha", "stream": True}, timeout=chat_timeout)
        server.stop()
        assert [e["status"] for e in server.log if e["kind"] == "completion"] == ["abandoned"]


def test_pace() -> None:
    """Tokens per second and the time to the first token take their time."""
    scenario = {"tokens_per_second": 100, "first_token_s": 0.05, "responses": [{"answer": {"text": "x" * 40}}]}
    with simulated(**scenario) as server:
        assert chat(server, stream=True).elapsed.total_seconds() >= 0.14
        assert chat(server).elapsed.total_seconds() >= 0.14


def test_stop_ends_open_connections() -> None:
    """Stopping does not wait for clients that keep a connection open."""
    with simulated() as server, socket.create_connection(("127.0.0.1", int(server.url.rsplit(":", 1)[1]))) as idle:
        chat(server)
        server.stop()
        idle.settimeout(5)
        assert idle.recv(1) == b""


def test_many_clients_at_once() -> None:
    """Concurrent requests are all answered and all counted."""
    with simulated() as server:
        chat(server)
        with httpx.Client() as client:

            def one() -> None:
                for _ in range(5):
                    body = {"model": "alpha", "messages": [], "stream": True}
                    assert client.post(server.url + CHAT, json=body).status_code == 200

            threads = [threading.Thread(target=one) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert server.stats["completions"] == 41
        assert {e["status"] for e in server.log if e["kind"] == "completion"} == {"ok"}


def test_port_in_use() -> None:
    """A taken port is one clear message."""
    with simulated() as server:
        port = int(server.url.rsplit(":", 1)[1])
        with pytest.raises(BadInput, match=f"cannot listen on port {port}"):
            SimulatedServer(port=port).start()


def test_as_a_process(tmp_path: Path) -> None:
    """``python -m`` prints its URL, serves the scenario of a file, and ends with status 0 on SIGTERM."""
    file = tmp_path / "scenario.yaml"
    file.write_text("models: [{key: only}]\nresponses:\n  - answer: {text: from the file}\n")
    command = [sys.executable, "-W", "error", "-m", "lao.servers.simulated", "--port", "0", "--scenario", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = process.stdout.readline().split()
        assert ready[0] == "ready"
        reply = post(ready[1] + CHAT, json={"model": "only", "messages": []})
        assert reply.json()["choices"][0]["message"]["content"] == "from the file"
        process.terminate()
        _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (0, "")


def test_as_a_process_with_a_bad_scenario(tmp_path: Path) -> None:
    """A scenario that is not there ends the process with one message and the exit status of bad input."""
    command = [sys.executable, "-m", "lao.servers.simulated", "--port", "0", "--scenario", str(tmp_path / "none.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 42
    assert "none.yaml" in done.stderr
    assert "Traceback" not in done.stderr
