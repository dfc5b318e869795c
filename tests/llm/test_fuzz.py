"""The repair layer under arbitrary and mutilated answers: no exception, and no call that was not asked for whole.

``LAO_FUZZ=20000`` runs that many examples of each.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lao.core.chat import ChatAnswer, ChatRequest, ToolCall
from lao.llm.clean import clean
from lao.llm.guards import Guard
from lao.llm.stream import Answer
from lao.llm.structured import NotJsonError, parse_json
from lao.llm.textcalls import Aliases, read_calls

EXAMPLES = int(os.environ.get("LAO_FUZZ", "200"))
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES <= 200,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
REQUEST = ChatRequest("m", ({"role": "user", "content": "x"},), 100)


def _tool(name: str, required: list[str], **types: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {k: {"type": t} for k, t in types.items()},
        "required": required,
        "additionalProperties": False,
    }
    return {"type": "function", "function": {"name": name, "parameters": schema}}


TOOLS = (
    _tool("file_read", ["path"], path="string", start_line="integer"),
    _tool("file_write", ["path", "content"], path="string", content="string"),
    _tool("shell_exec", ["command"], command="string"),
)
ALIASES = Aliases({"readfile": ("file_read",), "bash": ("shell_exec",)}, {"filename": "path", "cmd": "command"})

MARKUP = (
    "<tool_call>", "</tool_call>", "<tools>", "</tools>", "<function=file_read>", "</function>", "<parameter=path>",
    "</parameter>", '{"name": "file_read", "arguments": {"path": "a"}}', '{"name": "file_write"', "```json\n", "```\n",
    "[TOOL_CALLS]", "[TOOL_REQUEST]", "[END_TOOL_REQUEST]", '[file_read(path="a")]', 'file_read(path="a', "\n", "{",
    "}", "commentary to=functions.shell_exec json", "<|channel|>analysis<|message|>", "<|end|>", "<think>", "</think>",
    '"', "\\", "<|tool_call_start|>", "<|im_end|>", "<tool_response>", "<arg_key>path</arg_key>", "shell_exec", "é",
    '{"tool": "shell_exec", "arguments": {"command": "rm -rf x"}}', "~~~\n", "'''", "]", ")", "(", "null", "1e999",
)  # fmt: skip
noise = st.one_of(
    st.text(max_size=200), st.lists(st.one_of(st.sampled_from(MARKUP), st.text(max_size=8)), max_size=14).map("".join)
)
# what closes a call in one of the dialects cannot be told from the end inside a value
words = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="<>"), min_size=1, max_size=40).map(
    lambda s: s.strip() or "x"
)
lines = st.lists(words, min_size=1, max_size=4).map("\n".join)
calls = st.one_of(
    st.builds(lambda p: ("file_read", {"path": p}), words),
    st.builds(lambda p, n: ("file_read", {"path": p, "start_line": n}), words, st.integers(1, 99)),
    st.builds(lambda p, c: ("file_write", {"path": p, "content": c}), words, lines),
    st.builds(lambda c: ("shell_exec", {"command": c}), lines),
)


def _json(name: str, arguments: dict[str, Any]) -> str:
    return json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)


def _xml(name: str, arguments: dict[str, Any]) -> str:
    return (
        f"<function={name}>\n"
        + "".join(f"<parameter={k}>\n{v}\n</parameter>\n" for k, v in arguments.items())
        + "</function>"
    )


def _python(name: str, arguments: dict[str, Any]) -> str:
    return f"{name}({', '.join(f'{k}={v!r}' for k, v in arguments.items())})"


DIALECTS: dict[str, Callable[[str, dict[str, Any]], str]] = {
    "bare": _json,
    "fence": lambda n, a: f"```json\n{_json(n, a)}\n```",
    "hermes": lambda n, a: f"<tool_call>\n{_json(n, a)}\n</tool_call>",
    "tools": lambda n, a: f"<tools>{_json(n, a)}</tools>",
    "request": lambda n, a: f"[TOOL_REQUEST]{_json(n, a)}[END_TOOL_REQUEST]",
    "mistral": lambda n, a: f"[TOOL_CALLS][{_json(n, a)}]",
    "mistral_args": lambda n, a: f"[TOOL_CALLS]{n}[ARGS]{json.dumps(a)}",
    "xml": _xml,
    "hermes_xml": lambda n, a: f"<tool_call>\n{_xml(n, a)}\n</tool_call>",
    "invoke": lambda n, a: (
        f'<invoke name="{n}">' + "".join(f'<parameter name="{k}">{v}</parameter>' for k, v in a.items()) + "</invoke>"
    ),
    "pythonic": lambda n, a: f"[{_python(n, a)}]",
    "lfm": lambda n, a: f"<|tool_call_start|>[{_python(n, a)}]<|tool_call_end|>",
    "harmony": lambda n, a: f"<|channel|>commentary to=functions.{n} <|constrain|>json<|message|>{json.dumps(a)}",
    "harmony_leak": lambda n, a: f"commentary to=functions.{n} json{json.dumps(a)}",
    "glm": lambda n, a: (
        f"<tool_call>{n}\n"
        + "".join(f"<arg_key>{k}</arg_key>\n<arg_value>{v}</arg_value>\n" for k, v in a.items())
        + "</tool_call>"
    ),
    "action": lambda n, a: json.dumps({"tool": n, "arguments": a}),
    "flat": lambda n, a: json.dumps({"tool": n, **a}),
    "openai": lambda n, a: json.dumps({"tool_calls": [{"function": {"name": n, "arguments": json.dumps(a)}}]}),
}
dialect = st.sampled_from(sorted(DIALECTS))


def _runnable(text: str, finish: str = "stop") -> list[tuple[str, Any]]:
    found = read_calls(ChatAnswer(text, finish_reason=finish), TOOLS, ALIASES).calls
    return [(c.name, c.arguments) for c in found if c.arguments is not None]


@FUZZ
@given(call=calls, how=dialect)
def test_every_dialect_is_read(call: tuple[str, dict[str, Any]], how: str) -> None:
    """A call in any dialect comes out as it went in."""
    assert _runnable(DIALECTS[how](*call)) == [call]


@FUZZ
@given(call=calls, how=dialect, share=st.floats(0, 1), finish=st.sampled_from(["stop", "length", ""]))
def test_a_cut_call_is_whole_or_nothing(call: tuple[str, dict[str, Any]], how: str, share: float, finish: str) -> None:
    """Wherever an answer is cut, no other call than the whole one is run."""
    text = DIALECTS[how](*call)
    assert _runnable(text[: int(len(text) * share)], finish) in ([], [call])


@FUZZ
@given(first=calls, second=calls, how=dialect, share=st.floats(0, 1))
def test_of_two_cut_calls_only_whole_ones_are_run(
    first: tuple[str, dict[str, Any]], second: tuple[str, dict[str, Any]], how: str, share: float
) -> None:
    """The same with two calls in one answer: only calls that are there whole, in their order."""
    text = DIALECTS[how](*first) + "\n" + DIALECTS[how](*second)
    got = _runnable(text[: int(len(text) * share)], "length")
    assert got in ([], [first], [first, second], [second])


@FUZZ
@given(call=calls, how=dialect, after=words)
def test_a_call_that_is_talked_about_is_not_run(call: tuple[str, dict[str, Any]], how: str, after: str) -> None:
    """With prose behind it a call is an example."""
    assert _runnable(f"{DIALECTS[how](*call)}\n\nThat is how it looks: {after} and so on") == []


@FUZZ
@given(inner=calls, outer=dialect, how=dialect, share=st.floats(0, 1))
def test_a_call_inside_a_file_is_content(inner: tuple[str, dict[str, Any]], outer: str, how: str, share: float) -> None:
    """A call that stands in the content of another is never run, also when the outer one is cut."""
    call = ("file_write", {"path": "doc.md", "content": f"Calls look so:\n{DIALECTS[how](*inner)}"})
    text = DIALECTS[outer](*call)
    assert _runnable(text[: int(len(text) * share)], "length") in ([], [call])


@FUZZ
@given(text=noise, reasoning=noise, finish=st.sampled_from(["stop", "length", "tool_calls", ""]))
def test_any_text_is_read_without_an_error(text: str, reasoning: str, finish: str) -> None:
    """Whatever a model writes: no exception, and only known tools with valid arguments or marked ones."""
    answer = ChatAnswer(text, reasoning=reasoning, finish_reason=finish)
    for call in read_calls(answer, TOOLS, ALIASES).calls:
        assert isinstance(call.name, str)
    clean(text)
    for truncated in (False, True):
        with contextlib.suppress(NotJsonError):
            assert isinstance(parse_json(text, truncated=truncated), (dict, list))


@FUZZ
@given(raw=st.one_of(noise, st.sampled_from(['{"path": "a"}', '"{}"', '{"path":"a"}{"path":"b"}'])), name=noise)
def test_any_native_call_is_read_without_an_error(raw: str, name: str) -> None:
    """Names and arguments of native calls may be anything; the last one of a cut answer is never run."""
    deltas = [{"index": 0, "id": "x", "function": {"name": name, "arguments": raw}}]
    stream = Answer()
    stream.feed({"choices": [{"delta": {"tool_calls": deltas}, "finish_reason": "length"}]})
    answer = stream.finish(REQUEST, seconds=0, first_token_s=0)
    found = read_calls(answer, TOOLS, ALIASES).calls
    assert not answer.tool_calls or found[-1].arguments is None


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)
odd = st.sampled_from((None, True, 0, -1, 1.5, float("nan"), "", "x", "{", [], [1], {}, {"a": 1}, [None], [[]], "{}"))
functions = st.fixed_dictionaries({}, optional={"name": odd, "arguments": odd})
deltas = st.fixed_dictionaries(
    {},
    optional={
        "content": odd,
        "reasoning_content": odd,
        "tool_calls": st.one_of(
            odd,
            st.lists(
                st.one_of(
                    odd,
                    st.fixed_dictionaries(
                        {}, optional={"index": odd, "id": odd, "function": st.one_of(odd, functions)}
                    ),
                ),
                max_size=2,
            ),
        ),
    },
)
choices = st.fixed_dictionaries({}, optional={"delta": st.one_of(odd, deltas), "message": odd, "finish_reason": odd})
usages = st.fixed_dictionaries(
    {}, optional={"prompt_tokens": odd, "completion_tokens": odd, "prompt_tokens_details": odd}
)
chunks = st.fixed_dictionaries(
    {},
    optional={
        "choices": st.one_of(odd, st.lists(st.one_of(odd, choices), max_size=2)),
        "usage": st.one_of(odd, usages),
        "timings": odd,
        "model": odd,
    },
)


@FUZZ
@given(st.lists(chunks, max_size=4))
def test_any_chunks_build_an_answer(stream_of: list[dict[str, Any]]) -> None:
    """Chunks of any shape are taken or passed over, never an exception."""
    stream = Answer()
    for chunk in stream_of:
        stream.feed(chunk)
    answer = stream.finish(REQUEST, seconds=0, first_token_s=0)
    read_calls(answer, TOOLS, ALIASES)


@FUZZ
@given(
    wanted=st.lists(calls, min_size=1, max_size=3), size=st.integers(1, 30), index=st.booleans(), again=st.booleans()
)
def test_streamed_calls_are_put_together(wanted: list[Any], size: int, index: bool, again: bool) -> None:
    """Pieces of calls with index 0 for all, or none, become the calls again; names may be repeated in each piece."""
    stream = Answer()
    for n, (name, arguments) in enumerate(wanted):
        raw = json.dumps(arguments)
        for at in range(0, len(raw), size):
            function = {"arguments": raw[at : at + size], **({"name": name} if at == 0 or again else {})}
            call = {"id": f"c{n}", "function": function, **({"index": 0} if index else {})}
            stream.feed({"choices": [{"delta": {"tool_calls": [call]}}]})
    answer = stream.finish(REQUEST, seconds=0, first_token_s=0)
    assert [(c.name, c.arguments) for c in answer.tool_calls] == wanted


@FUZZ
@given(st.lists(words, min_size=1, max_size=30, unique=True), st.integers(1, 3))
def test_files_with_different_lines_are_no_loop(rows: list[str], width: int) -> None:
    """Tables and lists of similar lines are let through, however they are cut into tokens."""
    guard = Guard()
    text = "".join(f"| {n} | {row:<12} | {'x' * width} |\n" for n, row in enumerate(rows * 3))
    assert all(guard.feed(text[at : at + 7]) is None for at in range(0, len(text), 7))


@FUZZ
@given(name=st.text(max_size=20), value=json_values, finish=st.sampled_from(["stop", "length"]))
def test_decoded_arguments_of_any_shape(name: str, value: Any, finish: str) -> None:
    """Native arguments that are any object are fitted or reported, never an exception."""
    arguments = value if isinstance(value, dict) else {"path": value}
    answer = ChatAnswer("", tool_calls=(ToolCall("x", name or "file_read", arguments, ""),), finish_reason=finish)
    assert len(read_calls(answer, TOOLS, ALIASES).calls) == 1
