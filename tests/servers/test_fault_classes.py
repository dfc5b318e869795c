"""The classes of faults of the simulated server: chance, forms, and what they look like on the wire."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from lao.core.clock import FakeClock
from lao.core.errors import BadInput
from lao.core.words import Json
from lao.servers.simulated import FaultRate, SimulatedServer, parse_scenario, scripted_roles
from lao.servers.simulated.faults import CLASSES, Faults, Strike
from lao.servers.simulated.faults.transport import SLOW_S
from lao.servers.simulated.request import SimRequest
from lao.servers.simulated.scenario import CHAT_PATH
from lao.servers.simulated.wire import Form

CHAT = "/v1/chat/completions"
V1 = "/api/v1/models"
BRIEF = (
    "# Your task: a\n\nFiles of this task:\n- a.py\n- b.py\n\ncontent: X = 1 ⏎ Y = 2 ⏎ LONG = 'a value of some length'"
)
WRITTEN = '{"path": "a.py", "content": "X = 1\\n"}'
SCHEMA = {"type": "json_schema", "json_schema": {"schema": {"properties": {"verdict": {}}}}}


def tool(name: str, **properties: Json) -> dict[str, Json]:
    parameters = {"type": "object", "properties": properties}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


TOOLS = [
    *(tool(name) for name in ("file_write", "file_patch", "shell_exec", "list_dir", "task_todo_get")),
    tool("task_todo_set", items={"type": "array", "items": {"type": "string"}}),
]


def system(role: str) -> dict[str, Json]:
    return {"role": "system", "content": f"LAO role: {role}"}


def user(text: str) -> dict[str, Json]:
    return {"role": "user", "content": text}


def called(arguments: str, content: str | None = "") -> dict[str, Json]:
    function = {"name": "file_write", "arguments": arguments}
    return {
        "role": "assistant",
        "content": content,
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }


def result(text: str) -> dict[str, Json]:
    return {"role": "tool", "tool_call_id": "call_1", "content": text}


def body(*messages: dict[str, Json], **more: Json) -> dict[str, Json]:
    return {"model": "m", "stream": True, "max_tokens": 2000, "messages": list(messages), **more}


OCCASIONS = {
    "first turn": body(system("coder"), user(BRIEF), tools=TOOLS, parallel_tool_calls=False),
    "second turn": body(
        system("coder"), user(BRIEF), called(WRITTEN), result("ok"), tools=TOOLS, parallel_tool_calls=False
    ),
    "both at once": body(system("coder"), user(BRIEF), tools=TOOLS),
    "last turn": body(system("coder"), user(BRIEF.replace("- b.py\n", "")), called(WRITTEN), result("ok"), tools=TOOLS),
    "plain text": body(system("coder"), user(BRIEF)),
    "verdict": body(system("reviewer"), user("Review this."), response_format=SCHEMA),
    "too long": body(system("coder"), user(BRIEF + "\n" + "word " * 4000), tools=TOOLS),
    "broken history": body(
        system("coder"),
        user(BRIEF),
        called('{"path": "a', None),
        result("x" * 30_000),
        user("a"),
        user("b"),
        tools=TOOLS,
    ),
}
FORMS = [(code, n) for code, found in CLASSES.items() for n in range(len(found.forms))]


def strike(rate: FaultRate, occasion: dict[str, Json], number: int = 1, seed: int = 0) -> Strike | None:
    request = SimRequest(CHAT_PATH, occasion)
    return Faults([rate], seed, 4096).on_chat(request, scripted_roles.answer(request), number, crowded=True)


@pytest.fixture
def server() -> Iterator[SimulatedServer]:
    models = [{"key": "m", "size_bytes": 9_000_000_000}, {"key": "n", "size_bytes": 9_000_000_000}]
    with SimulatedServer(parse_scenario({"models": models}), clock=FakeClock()) as running:
        yield running


def post(server: SimulatedServer, path: str, payload: Json) -> httpx.Response:
    return httpx.post(server.url + path, json=payload, verify=False, timeout=5)


def chat(server: SimulatedServer, occasion: str, **more: Json) -> httpx.Response:
    return post(server, CHAT, {**OCCASIONS[occasion], **more})


def events(reply: httpx.Response) -> list[Any]:
    return [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: {")]


def test_every_class_of_the_catalogue_is_there() -> None:
    """F1 to F62, each with a wire form or a place of its own where it strikes."""
    assert list(CLASSES) == [f"F{n}" for n in range(1, 63)]
    assert all(found.forms or found.place != "chat" for found in CLASSES.values())
    assert len({found.title for found in CLASSES.values()}) == 62


@pytest.mark.parametrize(("code", "form"), FORMS)
def test_every_form_has_an_occasion(code: str, form: int) -> None:
    """Each wire form strikes one of the usual requests, and what it does differs from the right answer."""
    found = {name: strike(FaultRate(code, form=form), occasion) for name, occasion in OCCASIONS.items()}
    struck = {name: hit for name, hit in found.items() if hit is not None}
    right = {name: scripted_roles.answer(SimRequest(CHAT_PATH, OCCASIONS[name])) for name in struck}
    acts = {name: hit.act for name, hit in struck.items()}
    assert any(
        act.answer not in (None, right[name]) or act.fault or act.form != Form() or act.delay_s
        for name, act in acts.items()
    )


@pytest.mark.parametrize(("code", "form"), FORMS)
def test_every_form_goes_over_the_wire(server: SimulatedServer, code: str, form: int) -> None:
    """Streamed or not, a struck request gets an answer, an error or a hang-up, and the log names the class."""
    if CLASSES[code].forms[form].__name__ == "_goes_on" or code in ("F58",):
        pytest.skip("needs a client that hangs up, or two of them")
    server.set_faults([FaultRate(code, form=form)])
    for occasion in OCCASIONS.values():
        for stream in (True, False):
            payload = {**occasion, "stream": stream}
            timeout = httpx.Timeout(5, read=0.15 if code == "F55" else 5)
            try:
                httpx.post(server.url + CHAT, json=payload, verify=False, timeout=timeout)
            except (httpx.RemoteProtocolError, httpx.ReadTimeout):
                assert code == "F55"
    assert code in {entry["fault"] for entry in server.log if entry["kind"] == "completion"}


def test_chance_is_reproducible_and_near_its_probability() -> None:
    """The same seed strikes the same requests, another seed others, and 0.3 means about three in ten."""

    def struck(seed: int) -> list[int]:
        return [n for n in range(1000) if strike(FaultRate("F50", 0.3), OCCASIONS["verdict"], n, seed)]

    assert struck(1) == struck(1)
    assert struck(1) != struck(2)
    assert 250 < len(struck(1)) < 350


def test_roles_texts_and_numbers_limit_a_class(server: SimulatedServer) -> None:
    """A rate may be for one role, for requests with a text, and for a number of times."""
    server.set_faults(
        [FaultRate("F50", role="reviewer", times=1), FaultRate("F60", contains="too rare"), FaultRate("F52", role="x")]
    )
    assert [chat(server, o).status_code for o in ("plain text", "verdict", "verdict")] == [200, 503, 200]
    assert server.struck == {"F50": 1}
    rare = body(user("this is too rare"))
    assert post(server, CHAT, rare).status_code in (500, 503)


def test_unknown_classes_are_refused(server: SimulatedServer) -> None:
    """A class or form that there is not is one clear message, in a scenario, by HTTP and on the command line."""
    with pytest.raises(BadInput, match="'F99'"):
        SimulatedServer(parse_scenario({"faults": [{"class": "F99"}]}))
    with pytest.raises(BadInput, match="forms"):
        server.set_faults([FaultRate("F1", form=7)])
    for wrong in ({"faults": [{"class": "F99"}]}, {"faults": [{"class": "F1", "odds": 1}]}, []):
        assert post(server, "/_sim/faults", wrong).status_code == 400
    command = [sys.executable, "-m", "lao.servers.simulated", "--port", "0", "--fault"]
    for value, status in (("F99", 42), ("F1:2", 2)):
        done = subprocess.run([*command, value], capture_output=True, text=True, check=False, timeout=30)
        assert done.returncode == status
        assert "Traceback" not in done.stderr


def test_faults_by_http(server: SimulatedServer) -> None:
    """The classes in force can be set and seen while the server runs, with how often each struck."""
    set_to = post(server, "/_sim/faults", {"faults": [{"class": "F50", "probability": 1, "times": 1}]}).json()
    assert set_to["faults"] == [{"class": "F50", "probability": 1, "times": 1}]
    assert [chat(server, "verdict").status_code for _ in range(2)] == [503, 200]
    assert httpx.get(server.url + "/_sim/faults", verify=False).json()["struck"] == {"F50": 1}


def test_faults_from_the_command_line() -> None:
    """``--fault CLASS:P`` is taken by the process."""
    command = [sys.executable, "-m", "lao.servers.simulated", "--port", "0", "--fault", "F50", "--fault", "f1:0.5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[1]
        found = httpx.get(f"{url}/_sim/faults", verify=False).json()["faults"]
        process.terminate()
    assert found == [{"class": "F50", "probability": 1.0}, {"class": "F1", "probability": 0.5}]


def test_streamed_calls_with_one_index(server: SimulatedServer) -> None:
    """F7: two calls with ids of their own and the index 0, or no index at all."""
    for form, indexes in ((0, {0}), (1, {None})):
        server.set_faults([FaultRate("F7", form=form)])
        deltas = [c["delta"] for e in events(chat(server, "first turn")) for c in e["choices"]]
        calls = [call for delta in deltas for call in delta.get("tool_calls", [])]
        assert {call.get("index") for call in calls} == indexes
        assert len({call["id"] for call in calls if "id" in call}) == 2


def test_truncated_arguments(server: SimulatedServer) -> None:
    """F22: a prefix that does not decode, or closed arguments that are too short beside a count at the limit."""
    first = chat(server, "first turn", stream=False).json()["choices"][0]["message"]["tool_calls"][0]
    right = json.loads(first["function"]["arguments"])
    for form, reason in ((0, "length"), (1, "tool_calls"), (2, "length"), (3, "tool_calls")):
        server.set_faults([FaultRate("F22", form=form)])
        answer = chat(server, "first turn", stream=False).json()
        choice = answer["choices"][0]
        text = choice["message"]["tool_calls"][0]["function"]["arguments"]
        assert choice["finish_reason"] == reason
        if form < 2:
            with pytest.raises(ValueError, match=r"\w"):
                json.loads(text)
        else:
            assert right["content"].startswith(json.loads(text)["content"])
            assert answer["usage"]["completion_tokens"] == 2000


def test_ends_of_streams(server: SimulatedServer) -> None:
    """F55: a stream may end without finish reason, without [DONE], without both, or in an error event."""
    seen = {}
    for form in (0, 4, 5, 6):
        server.set_faults([FaultRate("F55", form=form)])
        reply = chat(server, "verdict")
        reasons = [e["choices"][0]["finish_reason"] for e in events(reply) if e.get("choices")]
        seen[form] = ("stop" in reasons, "[DONE]" in reply.text, "event: error" in reply.text)
    assert seen == {0: (False, False, True), 4: (False, False, False), 5: (False, True, False), 6: (True, False, False)}


def test_usage_and_silence(server: SimulatedServer) -> None:
    """F61 leaves usage out or zero; F31 sends usage and no delta; F28 counts the truncated prompt only."""
    load(server)
    counts = {}
    for code, form in (("F61", 0), ("F61", 1), ("F31", 0), ("F28", 0)):
        server.set_faults([FaultRate(code, form=form)])
        found = events(chat(server, "too long", stream_options={"include_usage": True}))
        usage = [e["usage"]["prompt_tokens"] for e in found if e.get("usage")]
        counts[code, form] = (usage, sum(bool(e.get("choices")) for e in found) > 0)
    assert counts["F61", 0] == ([], True)
    assert counts["F61", 1] == ([0], True)
    assert counts["F31", 0] == ([4095], False)
    assert counts["F28", 0] == ([2051], True)


def test_a_crash_unloads_the_model(server: SimulatedServer) -> None:
    """F54: the model that crashed is gone; the next request loads it just in time."""
    server.set_faults([FaultRate("F54", times=1)])
    chat(server, "verdict")
    assert server.stats["resident"] == []
    assert chat(server, "verdict").status_code == 200
    assert server.stats["jit_loads"] == 1


def test_an_abandoned_generation_keeps_the_slot(server: SimulatedServer) -> None:
    """F57: blanks without end; when the client has hung up, the next request waits until the slot is free."""
    server.set_faults([FaultRate("F57", times=1)])
    with httpx.stream("POST", server.url + CHAT, json=OCCASIONS["verdict"], timeout=5) as reply:
        assert next(reply.iter_lines())
    while server.log[0]["status"] != "abandoned":
        threading.Event().wait(0.01)
    chat(server, "verdict")
    assert [entry["status"] for entry in server.log if entry["kind"] == "completion"] == ["abandoned", "ok"]
    assert sum(_clock(server).waits) == pytest.approx(SLOW_S)


def _clock(server: SimulatedServer) -> FakeClock:
    clock = server._clock
    assert isinstance(clock, FakeClock)
    return clock


def load(server: SimulatedServer, key: str = "m") -> httpx.Response:
    return post(server, f"{V1}/load", {"model": key, "context_length": 16_000, "echo_load_config": True})


def test_faults_of_loads(server: SimulatedServer) -> None:
    """F56 refuses once, F33 gives half the context, F51 makes a second instance."""
    server.set_faults([FaultRate("F56", times=1), FaultRate("F33", times=1), FaultRate("F51", times=1)])
    assert "insufficient system resources" in load(server).json()["error"]["message"]
    assert load(server).json()["load_config"] == {"context_length": 8000}
    post(server, f"{V1}/unload", {"instance_id": "m"})
    assert load(server).json()["load_config"] == {"context_length": 16_000}
    assert server.stats["resident"] == ["m", "m:2"]


def test_faults_between_loads(server: SimulatedServer) -> None:
    """F59 takes the model away before a chat; F62 keeps an unloaded model's memory for a while."""
    load(server)
    server.set_faults([FaultRate("F59", times=1), FaultRate("F62", times=1)])
    chat(server, "verdict")
    assert server.stats["jit_loads"] == 1
    assert "F59" in {entry.get("fault") for entry in server.log}
    post(server, f"{V1}/unload", {"instance_id": "m"})
    assert server.stats["vram_used"] == 9_000_000_000
    _clock(server).wait(1.0)
    assert server.stats["vram_used"] == 0


def test_the_limit_of_an_answer_is_kept(server: SimulatedServer) -> None:
    """``max_tokens`` cuts text and arguments, with the finish reason "length"; a complete answer keeps its own."""
    cut = chat(server, "plain text", stream=False, max_tokens=5).json()
    assert (cut["choices"][0]["finish_reason"], cut["usage"]["completion_tokens"]) == ("length", 5)
    call = chat(server, "first turn", stream=False, max_tokens=6).json()["choices"][0]
    assert call["finish_reason"] == "length"
    assert len(call["message"]["tool_calls"][0]["function"]["arguments"]) <= 24
    assert chat(server, "plain text", stream=False).json()["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("overflow", ["error", "truncate", "empty"])
def test_prompts_longer_than_the_context(overflow: str) -> None:
    """A prompt that does not fit is refused in words that name the window, or truncated, or answered with nothing."""
    scenario = {"models": [{"key": "m"}], "jit_context_length": 1024, "overflow": overflow}
    with SimulatedServer(parse_scenario(scenario)) as server:
        reply = chat(server, "too long", stream_options={"include_usage": True})
        if overflow == "error":
            assert reply.status_code == 400
            assert re.search(r"context", reply.text, re.IGNORECASE)
            return
        found = events(reply)
        assert found[-1]["usage"]["prompt_tokens"] == 1023
        assert any(e["choices"] for e in found) is (overflow == "truncate")


def test_embeddings(server: SimulatedServer) -> None:
    """The same text has the same unit vector, like words are nearer than unlike ones, wrong input is refused."""
    texts = ["read the config file", "read a config file", "bananas and apples"]
    reply = post(server, "/v1/embeddings", {"model": "m", "input": texts}).json()
    one, two, other = (row["embedding"] for row in reply["data"])
    assert post(server, "/v1/embeddings", {"model": "m", "input": texts[0]}).json()["data"][0]["embedding"] == one

    def dot(left: list[float], right: list[float]) -> float:
        return sum(a * b for a, b in zip(left, right, strict=True))

    assert dot(one, one) == pytest.approx(1.0, abs=1e-3)
    assert dot(one, two) > dot(one, other)
    assert reply["usage"]["prompt_tokens"] > 0
    assert post(server, "/v1/embeddings", {"model": "m", "input": []}).status_code == 400


def test_counting_a_prompt(server: SimulatedServer) -> None:
    """The count is that of the completion's usage; with F12 the tools are not shown to the model and do not count."""
    used = chat(server, "first turn", stream=False).json()["usage"]["prompt_tokens"]

    def count(**more: Json) -> int:
        return int(post(server, f"{CHAT}/input_tokens", {**OCCASIONS["first turn"], **more}).json()["input_tokens"])

    assert count() == used
    assert count(tools=[]) < used
    server.set_faults([FaultRate("F12", 0.0)])
    assert count() == count(tools=[])


def test_the_prompt_cache_is_counted(server: SimulatedServer) -> None:
    """A prompt that begins as the last one is mostly cached, unless F34 throws the cache away."""

    def cached() -> int:
        usage = chat(server, "too long", stream=False).json()["usage"]
        return int(usage["prompt_tokens_details"]["cached_tokens"])

    server.set_faults([FaultRate("F34", contains="nothing has this")])
    assert post(server, f"{V1}/load", {"model": "m", "context_length": 30_000}).status_code == 200
    assert (cached(), cached() > 4000) == (0, True)
    server.set_faults([FaultRate("F34")])
    assert cached() == 0
