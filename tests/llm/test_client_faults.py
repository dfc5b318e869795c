"""The chat client against a scripted server: each fault of an answer is named and met in its own way."""

from __future__ import annotations

from typing import Any

import pytest

from lao.core.chat import ChatRequest, Usage
from lao.core.errors import AttemptFailed, ConfigError, Terminal
from lao.llm.faults import ContextOverflow

from .client_bench import REQUEST, Bench
from .scripted import USAGE, ScriptedServer, chunk, hang, say, status, stream

LOADING = {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}


@pytest.mark.parametrize(
    ("text", "prompt", "context"),
    [
        ("request (6031 tokens) exceeds the available context size (1024 tokens), try increasing it", 6031, 1024),
        ("The number of tokens to keep from the initial prompt is greater than the context length (n_keep: 13055>= "
         "n_ctx: 4096). Try to load the model with a larger context length", 13055, 4096),
        ("Trying to keep the first 15857 tokens when context the overflows. However, the model is loaded with context "
         "length of only 4096 tokens, which is not enough.", 15857, 4096),
        ("Cannot truncate prompt with n_keep (15028) >= n_ctx (7424)", 15028, 7424),
        ("This model's maximum context length is 16384 tokens. However, you requested 122946 tokens", 122946, 16384),
        ("Context size has been exceeded", 0, 0),
    ],
)  # fmt: skip
def test_overflow_is_never_retried(server: ScriptedServer, bench: Bench, text: str, prompt: int, context: int) -> None:
    """Each server's overflow text is known, its numbers are read, and the same prompt is not sent again."""
    server.script = [status(400, {"error": {"message": text, "code": 400}})]
    with pytest.raises(ContextOverflow) as caught:
        bench.model.complete(REQUEST)
    assert (caught.value.kind, caught.value.prompt_tokens, caught.value.context) == (
        "context_overflow",
        prompt,
        context,
    )


@pytest.mark.parametrize(
    ("fault", "kind", "words", "name"),
    [
        (status(401, {"error": {"message": "token required", "code": "invalid_api_key"}}), ConfigError, "API key",
         "unauthorised"),
        (status(404, {"error": "model 'm' not found, try pulling it first"}), Terminal, "does not know model 'm'",
         "unknown_model"),
        (status(400, {"error": {"message": "model 'm' not found", "code": 400}}), Terminal, "does not know model 'm'",
         "unknown_model"),
        (status(200, "<html>hello</html>", "text/html"), Terminal, "not an OpenAI-compatible server", "not_compatible"),
        (status(404, "<html>none</html>", "text/html"), Terminal, "not an OpenAI-compatible server", "not_compatible"),
        (status(200, {"hello": 1}), Terminal, "not an OpenAI-compatible server", "not_compatible"),
        (status(400, {"error": "gemma3 does not support tools"}), AttemptFailed, "cannot use tools", "tools_refused"),
        (status(400, {"error": {"message": "max_tokens must be positive"}}), Terminal, "refused the request",
         "request_refused"),
    ],
)  # fmt: skip
def test_lasting_faults_are_not_retried(
    server: ScriptedServer, bench: Bench, fault: Any, kind: type[Exception], words: str, name: str
) -> None:
    """A wrong key, model, address or request fails at once with a message that names the cause."""
    server.script = [fault]
    with pytest.raises(kind, match=words):
        bench.model.complete(REQUEST)
    assert bench.retries == []
    assert bench.faults == [name]


def test_unknown_endpoint_is_asked_twice_more(server: ScriptedServer, bench: Bench) -> None:
    """A server that is still starting may not know its paths; one that never does is a wrong address, soon."""
    unknown = status(200, {"error": "Unexpected endpoint or method. (POST /x)"})
    server.script = [unknown, unknown, say("a")]
    assert bench.model.complete(REQUEST).text == "a"
    wrong = Bench(server.url)
    server.script = [unknown, unknown, unknown]
    with pytest.raises(Terminal, match="not an OpenAI-compatible"):
        wrong.model.complete(REQUEST)
    assert wrong.faults == ["server_away", "server_away", "not_compatible"]
    wrong.model.close()


def test_server_parse_fault_is_tried_once_more(server: ScriptedServer, bench: Bench) -> None:
    """What the server could not parse is the model's fault: one more try with another sample, then a named failure."""
    fault = status(500, {"error": {"code": 500, "message": "Failed to parse input at pos 1360: <tool_call>"}})
    server.script = [fault, fault]
    with pytest.raises(AttemptFailed) as caught:
        bench.model.complete(REQUEST)
    assert caught.value.kind == "server_parse"
    assert "temperature" not in server.requests[0]
    assert server.requests[1]["temperature"] > 0.3
    assert server.requests[1]["seed"]


SYSTEM = ({"role": "system", "content": "be good"}, {"role": "user", "content": "hello"})
JINJA = "Error rendering prompt with jinja template: "


def test_refused_system_role_is_folded_and_remembered(server: ScriptedServer, bench: Bench) -> None:
    """A template without a system role gets the text in the first user message, from then on at once."""
    refused = status(500, {"error": JINJA + "Only user, assistant and tool roles are supported, got system!"})
    server.script = [refused, say("a"), say("b")]
    ask = ChatRequest("m", SYSTEM, 50)
    assert [bench.model.complete(ask).text, bench.model.complete(ask).text] == ["a", "b"]
    folded = [{"role": "user", "content": "be good\n\nhello"}]
    assert [r["messages"] for r in server.requests] == [list(SYSTEM), folded, folded]
    assert bench.faults == ["system_role_refused"]


def test_refused_alternation_is_merged_and_then_told_in_text(server: ScriptedServer, bench: Bench) -> None:
    """Neighbours are merged first; a template that takes no tool turns gets calls and results as plain text."""
    refused = status(500, {"error": JINJA + "Conversation roles must alternate user/assistant/user/assistant/..."})
    server.script = [refused, refused, say("a")]
    function = {"name": "file_read", "arguments": '{"path": "a"}'}
    messages = (
        {"role": "user", "content": "x"}, {"role": "user", "content": "y"},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "c", "content": "out"},
    )  # fmt: skip
    assert bench.model.complete(ChatRequest("m", messages, 50)).text == "a"
    assert [m["role"] for m in server.requests[1]["messages"]] == ["user", "assistant", "tool"]
    assert server.requests[2]["messages"] == [
        {"role": "user", "content": "x\n\ny"},
        {"role": "assistant", "content": '<tool_call>{"name": "file_read", "arguments": {"path": "a"}}</tool_call>'},
        {"role": "user", "content": "Result of the tool call:\nout"},
    ]


def test_grammar_is_simplified_then_left_out(server: ScriptedServer, bench: Bench) -> None:
    """A schema that the server cannot compile is sent plain, then not at all; tools lose their patterns too."""
    refused = status(400, {"error": "Failed to initialize samplers: failed to parse grammar"})
    server.script = [refused, refused, say("{}")]
    schema = {"type": "object", "properties": {"n": {"type": "string", "pattern": "^a$", "maxLength": 3}}}
    assert bench.model.complete(ChatRequest("m", REQUEST.messages, 50, schema=schema)).text == "{}"
    sent = [r.get("response_format", {}).get("json_schema", {}).get("schema") for r in server.requests]
    assert sent == [schema, {"type": "object", "properties": {"n": {"type": "string"}}, "required": []}, None]
    assert bench.faults == ["grammar_refused"] * 2


def test_refused_schema_has_its_own_kind(server: ScriptedServer, bench: Bench) -> None:
    """A refusal that no other form of the request helps against is told from an outage, and nothing is remembered."""
    server.script = [status(400, {"error": "Failed to initialize samplers: failed to parse grammar"})]
    with pytest.raises(AttemptFailed) as caught:
        bench.model.complete(REQUEST)
    assert caught.value.kind == "grammar_refused"


def test_template_that_stumbles_over_a_tool(server: ScriptedServer, bench: Bench) -> None:
    """A template crash is met by plainer tools, then by leaving out those whose property names crash templates."""
    crash = status(500, {"error": JINJA + "Cannot call something that is not a function: got ObjectValue"})
    server.script = [crash, crash, say("ok")]
    tools = tuple(
        {"type": "function", "function": {"name": n, "parameters": {"type": "object", "properties": {p: q}}}}
        for n, p, q in (("a", "path", {"type": ["string", "null"]}), ("b", "items", {"type": "array"}))
    )
    assert bench.model.complete(ChatRequest("m", REQUEST.messages, 50, tools)).text == "ok"
    second, third = ([t["function"]["name"] for t in r["tools"]] for r in server.requests[1:])
    assert (second, third) == (["a", "b"], ["a"])
    assert server.requests[1]["tools"][0]["function"]["parameters"]["properties"] == {"path": {"type": "string"}}


def test_silent_truncation_is_an_overflow(server: ScriptedServer, bench: Bench) -> None:
    """A server that read much less than it was sent is found out by its own count; a plausible count is believed."""
    long = ChatRequest("m", ({"role": "user", "content": "word and word " * 4000},), 2000)
    usage = {"prompt_tokens": 2051, "completion_tokens": 3}
    server.script = [stream(chunk({"content": "hi"}), chunk(None, "stop"), chunk(usage=usage))]
    with pytest.raises(ContextOverflow, match="read 2051 tokens of a prompt of about") as caught:
        bench.model.complete(long)
    assert (caught.value.kind, caught.value.context) == ("silent_truncation", 4051)
    assert bench.faults == ["silent_truncation"]
    usage = {"prompt_tokens": 12_000, "completion_tokens": 3}
    server.script = [stream(chunk({"content": "hi"}), chunk(None, "stop"), chunk(usage=usage))]
    assert bench.model.complete(long).text == "hi"


def test_as_many_tokens_as_allowed_is_a_cut(server: ScriptedServer, bench: Bench) -> None:
    """A completion of exactly max_tokens is cut off, whatever finish reason the server gives."""
    usage = {"prompt_tokens": 9, "completion_tokens": 50}
    server.script = [stream(chunk({"content": "x"}), chunk(None, "tool_calls"), chunk(usage=usage))]
    assert bench.model.complete(REQUEST).finish_reason == "length"


def test_wrong_model(server: ScriptedServer, bench: Bench) -> None:
    """An answer of another model is refused."""
    server.script = [stream(chunk({"content": "hi"}, model="gemma-3-270m"), chunk(None, "stop"))]
    with pytest.raises(AttemptFailed, match=r"'gemma-3-270m' answered instead of 'qwen2.5-coder-1.5b'") as caught:
        bench.model.complete(ChatRequest("qwen2.5-coder-1.5b", REQUEST.messages, 5))
    assert caught.value.kind == "wrong_model"


def test_calls_with_the_same_index(server: ScriptedServer, bench: Bench) -> None:
    """Streamed calls that all carry index 0 stay apart, and pieces of one call are joined."""
    server.script = [
        stream(
            chunk({"tool_calls": [{"index": 0, "id": "x_1", "function": {"name": "write_file", "arguments": '{"a"'}}]}),
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}),
            chunk({"tool_calls": [{"index": 0, "id": "x_2", "function": {"name": "write_file", "arguments": "{}"}}]}),
            chunk({"tool_calls": [{"id": "x_3", "function": {"name": "done", "arguments": {"n": 2}}}]}),
            chunk(None, "stop"),
        )
    ]
    answer = bench.model.complete(REQUEST)
    assert [(c.id, c.name, c.arguments) for c in answer.tool_calls] == [
        ("x_1", "write_file", {"a": 1}), ("x_2", "write_file", {}), ("x_3", "done", {"n": 2}),
    ]  # fmt: skip
    assert answer.finish_reason == "tool_calls"


def test_missing_usage_is_estimated(server: ScriptedServer, bench: Bench) -> None:
    """Without usage the counts are estimated and marked; cached tokens come from llama.cpp's timings."""
    server.script = [stream(chunk({"content": "word " * 20}), chunk(None, "stop"), chunk(timings={"cache_n": 5}))]
    usage = bench.model.complete(REQUEST).usage
    assert usage.estimated
    assert usage.prompt > 0
    assert usage.completion >= 20
    assert usage.cached == 5


def test_llama_servers_timings_stand_for_missing_usage(server: ScriptedServer, bench: Bench) -> None:
    """cache_n + prompt_n is the prompt, so nothing is estimated; a null in usage does not hide what timings tell."""
    timings = {"cache_n": 75, "prompt_n": 7, "predicted_n": 3}
    server.script = [stream(chunk({"content": "abc"}), chunk(None, "stop"), chunk(timings=timings))]
    assert bench.model.complete(REQUEST).usage == Usage(82, 3, 75)
    usage = {"prompt_tokens": 90, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": None}}
    server.script = [stream(chunk({"content": "abc"}), chunk(None, "stop"), chunk(usage=usage, timings=timings))]
    assert bench.model.complete(REQUEST).usage == Usage(90, 2, 75)


def test_a_cache_that_is_not_told_is_unknown(server: ScriptedServer, bench: Bench) -> None:
    """A server that says nothing of its cache has not said zero; one that says zero has."""
    for details, cached in (({}, None), ({"prompt_tokens_details": {"cached_tokens": 0}}, 0)):
        usage = {"prompt_tokens": 90, "completion_tokens": 2, **details}
        server.script = [stream(chunk({"content": "abc"}), chunk(None, "stop"), chunk(usage=usage))]
        assert bench.model.complete(REQUEST).usage.cached == cached


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept_apart(server: ScriptedServer, bench: Bench, name: str) -> None:
    """Both names of the thinking field are read."""
    server.script = [stream(chunk({name: "hm"}), chunk({"content": "yes"}), chunk(None, "stop"))]
    answer = bench.model.complete(REQUEST)
    assert (answer.text, answer.reasoning) == ("yes", "hm")


def test_answer_that_is_not_streamed(server: ScriptedServer, bench: Bench) -> None:
    """A server that ignores ``stream`` is understood."""
    whole = {"model": "m", "choices": [{"message": {"content": "all"}, "finish_reason": "stop"}], "usage": USAGE}
    server.script = [status(200, whole)]
    assert bench.model.complete(REQUEST).text == "all"


@pytest.mark.parametrize(
    ("piece", "name"), [("\n  ", "whitespace_runaway"), ("0, 0, ", "token_loop"), ("Wait. I see it. ", "token_loop")]
)
def test_runaway_is_cut_and_sampled_again(server: ScriptedServer, bench: Bench, piece: str, name: str) -> None:
    """Endless white space or repetition is hung up on and asked again with another sample."""
    server.script = [hang(chunk({"content": "{" + piece}), *[chunk({"content": piece * 300})] * 30), say("good")]
    assert bench.model.complete(REQUEST).text == "good"
    assert server.hung_up.wait(5)
    assert bench.faults == [name]
    assert server.requests[1]["temperature"] > 0.3


def test_second_runaway_counts_as_cut_off(server: ScriptedServer, bench: Bench) -> None:
    """When the second sample runs away too, what came is given as an answer that was cut off."""
    loop = hang(chunk({"content": "begin"}), *[chunk({"content": " \n" * 300})] * 5)
    server.script = [loop, loop]
    answer = bench.model.complete(REQUEST)
    assert (answer.finish_reason, answer.text[:5]) == ("length", "begin")
    assert bench.faults == ["whitespace_runaway"] * 2


def test_pings_are_no_answer(server: ScriptedServer, bench: Bench) -> None:
    """Keep-alive comments are passed over."""

    def behave(handler: Any) -> None:
        handler.open_stream()
        handler.wfile.write(b": ping\n\n")
        handler.event(chunk({"content": "x"}, "stop"))

    server.script = [behave]
    assert bench.model.complete(REQUEST).text == "x"
