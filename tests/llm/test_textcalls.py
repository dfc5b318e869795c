"""Tool calls in every dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lao.core.chat import ChatAnswer, ToolCall
from lao.llm.failures import Failure
from lao.llm.textcalls import Aliases, decode_arguments, read_calls


def _tool(name: str, **types: str) -> dict[str, Any]:
    properties = {k: {"type": t} for k, t in types.items()}
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": properties}}}


TOOLS = (
    _tool("file_read", path="string"),
    _tool("file_write", path="string", content="string"),
    _tool("task_todo_set", items="array", count="integer", deep="boolean"),
)
STRICT = tuple(
    {"type": "function", "function": {"name": t["function"]["name"], "parameters": {
        **t["function"]["parameters"], "required": list(t["function"]["parameters"]["properties"]),
        "additionalProperties": False}}}
    for t in TOOLS
)  # fmt: skip
READ = '{"name": "file_read", "arguments": {"path": "a.txt"}}'


ALIASES = Aliases(
    {"readfile": ("file_read",), "edit": ("file_write", "task_todo_set")}, {"filename": "path", "filepath": "path"}
)


def _read(text: str, finish: str = "stop", **more: Any) -> list[tuple[str, Any]]:
    answer = ChatAnswer(text, finish_reason=finish, **more)
    return [(c.name, c.arguments) for c in read_calls(answer, TOOLS, ALIASES).calls]


@pytest.mark.parametrize(
    "text",
    [
        READ,
        f"```json\n{READ}\n```",
        f"I will read the file.\n```json\n{READ}\n```",
        f"<tool_call>\n{READ}\n</tool_call>",
        f"I will list the files.\n<tool_call>{READ}</tool_call>",
        f"<tool_call>{READ}",
        f"<tools>{READ}</tools>",
        f"[TOOL_REQUEST]{READ}[END_TOOL_REQUEST]",
        "<tool_call>\n<function=file_read>\n<parameter=path>\na.txt\n</parameter>\n</function>\n</tool_call>",
        "<function=file_read>\n<parameter=path>\na.txt\n</parameter>\n</function>",
        '{"name": "functions.file_read<|channel|>commentary", "parameters": {"path": "a.txt"}}',
        '{"name": "FileRead", "arguments": "{\\"path\\": \\"a.txt\\"}"}',
        f"<think>hm</think>{READ}<|im_end|>",
        f"I will read it.\n{READ}",
        f"[TOOL_CALL]{READ}[/TOOL_CALL]",
        f"[TOOL_CALLS][{READ}]</s>",
        '[TOOL_CALLS]file_read[ARGS]{"path": "a.txt"}',
        '[file_read(path="a.txt")]',
        "file_read(path='a.txt')",
        '<|tool_call_start|>[file_read(path="a.txt")]<|tool_call_end|>',
        'commentary to=functions.file_read json{"path": "a.txt"}',
        '<|channel|>commentary to=functions.file_read <|constrain|>json<|message|>{"path": "a.txt"}<|call|>',
        "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary to=functions.file_read "
        '<|message|>{"path": "a.txt"}<|call|>',
        '<invoke name="file_read"><parameter name="path">a.txt</parameter></invoke>',
        '<minimax:tool_call>\n<invoke name="file_read">\n<parameter name="path">a.txt</parameter>\n</invoke>\n'
        "</minimax:tool_call>",
        '<function=file_read>{"path": "a.txt"}</function>',
        "<tool_call>file_read\n<arg_key>path</arg_key>\n<arg_value>a.txt</arg_value>\n</tool_call>",
        '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>file_read\n```json\n{"path": "a.txt"}\n```'
        "<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.file_read:0<|tool_call_argument_begin|>"
        '{"path": "a.txt"}<|tool_call_end|><|tool_calls_section_end|>',
        f"<|python_tag|>{READ}",
        f'<tool_call>{READ}</tool_call>\n<tool_response>{{"content": "made up"}}</tool_response>\nSo it says this.',
        '{"tool": "file_read", "arguments": {"path": "a.txt"}}',
        '{"tool": "file_read", "path": "a.txt"}',
        '{"file_read": {"path": "a.txt"}}',
        '{"action": "read_file", "action_input": {"filename": "a.txt"}}',
        '{"name": "readFile", "arguments": {"file_path": "a.txt"}}',
        "Thinking is over. <tool_call>" + READ + "</tool_call>",
    ],
)
def test_textual_calls_are_salvaged(text: str) -> None:
    """A call written as text in any known dialect is found, with its arguments."""
    assert _read(text) == [("file_read", {"path": "a.txt"})]


@pytest.mark.parametrize(
    "text",
    [
        "Use it like this:\n```json\n" + READ + "\n```\nand the file is read.",
        "Use it like this:\n```\n<tool_call>" + READ + "</tool_call>\n```\nand so on.",
        '{"name": "unknown_tool", "arguments": {}}',
        '{"name": "file_read"}',
        "Just words.",
        '{"title": "no call"}',
        f"The format is <tool_call>{READ}</tool_call>",
        f"Write `<tool_call>{READ}</tool_call>` to read.",
        f"<tool_call>\n{READ}\n</tool_call>\nis how a call looks, but I am done.",
        "file_read(path='a.txt') reads a file, and so on.",
        '<tools>[{"type": "function", "function": {"name": "file_read", "description": "d", '
        '"parameters": {"type": "object", "properties": {}}}}]</tools>',
        'The answer is:\n{"name": "file_read", "arguments": {"n": [1]}}\nand no more.',
        "def file_read(path):\n    return open(path).read()",
    ],
)
def test_documentation_is_no_call(text: str) -> None:
    """An example in the middle of prose, an unknown tool or other JSON is not run."""
    assert _read(text) == []


def test_several_in_one_answer() -> None:
    """All calls of an answer are found in order, in tags, as a list, or one after another."""
    two = [("file_read", {"path": "a.txt"})] * 2
    assert _read(f"<tool_call>{READ}</tool_call>\n<tool_call>{READ}</tool_call>") == two
    assert _read(f"[{READ}, {READ}]") == two
    assert _read(f"{READ}\n{READ}") == two


def test_arguments_are_unwrapped_by_the_schema_only() -> None:
    """A string becomes an array, number or boolean where the schema wants one, and stays text where it wants text."""
    native = ToolCall("x", "task_todo_set", {"items": '[{"a": 1}]', "count": "2", "deep": "True"}, "{}")
    assert _read("", tool_calls=(native,)) == [("task_todo_set", {"items": [{"a": 1}], "count": 2, "deep": True})]
    text = ToolCall("x", "file_write", {"path": "a.json", "content": '{"a": 1}'}, "{}")
    assert _read("", tool_calls=(text,)) == [("file_write", {"path": "a.json", "content": '{"a": 1}'})]


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "file_write", "arguments": {"path": "a.py", "content": "def',
        '<tool_call>{"name": "file_write", "arguments": {"path": "a.py", "content": "def',
        "<tool_call><function=file_write><parameter=path>a.py</parameter><parameter=content>def</parameter>",
    ],
)
def test_truncated_calls_are_reported_not_run(text: str) -> None:
    """A call that was cut off is there without arguments, so that it cannot be run."""
    assert _read(text, finish="length") == [("file_write", None)]


def test_broken_json_is_not_repaired() -> None:
    """Arguments that are no JSON are never guessed."""
    assert _read('<tool_call>{"name": "file_write", "arguments": {"path": a.py}}</tool_call>') == [("file_write", None)]


def test_native_truncated_call() -> None:
    """A native call whose arguments did not decode stays without arguments."""
    call = ToolCall("x", "file_write", None, '{"path": "a')
    assert _read("", finish="length", tool_calls=(call,)) == [("file_write", None)]


def test_call_in_the_reasoning_counts_only_without_text() -> None:
    """The reasoning is looked into as a last resort."""
    assert _read("", reasoning=f"Let me read.\n<tool_call>{READ}</tool_call>") == [("file_read", {"path": "a.txt"})]
    assert _read("All done.", reasoning=f"<tool_call>{READ}</tool_call>") == []


def test_a_call_in_an_unclosed_thought_counts_only_without_text() -> None:
    """Thinking that was never closed is looked into when nothing else is there."""
    found = read_calls(ChatAnswer(f"<think>Let me read.\n<tool_call>{READ}</tool_call>"), TOOLS)
    assert [c.name for c in found.calls] == ["file_read"]
    assert found.faults == (Failure.CALL_IN_REASONING,)


def test_healed_arguments_of_a_cut_answer_are_not_run() -> None:
    """Some servers close the brackets of a cut call: with finish reason length the last one is never run."""
    whole = ToolCall("x", "file_read", {"path": "a"}, '{"path": "a"}')
    healed = ToolCall("y", "file_write", {"path": "a", "content": "hal"}, '{"path": "a", "content": "hal"}')
    answer = ChatAnswer("", tool_calls=(whole, healed), finish_reason="length")
    found = read_calls(answer, TOOLS)
    assert [(c.name, c.arguments) for c in found.calls] == [("file_read", {"path": "a"}), ("file_write", None)]
    assert found.faults == (Failure.TRUNCATED_ARGUMENTS,)


def test_names_are_mended_only_when_one_tool_is_meant() -> None:
    """A name that may mean two tools is decided by the arguments, or stays unknown."""

    def name(written: str, arguments: dict[str, Any]) -> tuple[str, tuple[Failure, ...]]:
        call = ToolCall("x", written, arguments, "{}")
        found = read_calls(ChatAnswer("", tool_calls=(call,)), STRICT, ALIASES)
        return found.calls[0].name, found.faults

    assert name("edit", {"filename": "a", "content": "b"}) == ("file_write", (Failure.REPAIRED_CALL,))
    assert name("edit", {}) == ("edit", (Failure.UNKNOWN_TOOL,))
    assert name("file_readfile_read", {"path": "a"}) == ("file_read", (Failure.REPAIRED_CALL,))
    assert name("bash<|channel|>commentary", {}) == ("bash<|channel|>commentary", (Failure.UNKNOWN_TOOL,))


def test_arguments_are_renamed_only_when_one_is_meant() -> None:
    """Two names for one argument are no reading; an argument that is there already is not replaced."""

    def arguments(**given: Any) -> Any:
        call = ToolCall("x", "file_read", given, "{}")
        return read_calls(ChatAnswer("", tool_calls=(call,)), STRICT, ALIASES).calls[0].arguments

    assert arguments(file_path="a") == {"path": "a"}
    assert arguments(Path="a", reason="I want to see it") == {"path": "a"}
    assert arguments(file_path="a", filename="b") == {"file_path": "a", "filename": "b"}
    assert arguments(path="a", filename="b") == {"path": "a", "filename": "b"}


def test_wrong_arguments_are_named_and_left_to_the_tool() -> None:
    """A call whose arguments do not fit the schema is reported as such; the toolbox answers it."""
    found = read_calls(ChatAnswer('<tool_call>{"name": "file_write", "arguments": {"path": "a"}}</tool_call>'), STRICT)
    assert found.calls[0].arguments == {"path": "a"}
    assert found.faults == (Failure.TEXT_CALL, Failure.WRONG_TYPES)


def test_arguments_that_came_twice_are_one_call() -> None:
    """A last chunk that repeats the whole arguments is the same call; two different objects are none."""
    assert decode_arguments('{"path": "a"}{"path": "a"}') == {"path": "a"}
    assert decode_arguments('{"path": "a"}{"path": "b"}') is None
    assert decode_arguments('{"path": "a", "path": "b"}') is None
    assert decode_arguments('{"path": "a"}<|call|>') == {"path": "a"}
    assert decode_arguments("") == {}


def test_line_breaks_of_a_value_are_kept_where_they_are_its_own() -> None:
    """Marks on lines of their own add a line break at both ends; marks around the bare value add none."""
    for inner, content in (("\nx = 1\n", "x = 1"), ("\nx = 1\n\n", "x = 1\n"), ("x = 1\n", "x = 1\n")):
        text = f"<function=file_write><parameter=path>a</parameter><parameter=content>{inner}</parameter></function>"
        assert _read(text) == [("file_write", {"path": "a", "content": content})]


def test_a_file_that_shows_calls_is_written_whole() -> None:
    """Calls inside the content of a call are content."""
    inner = f"How to:\n<tool_call>{READ}</tool_call>\n```json\n{READ}\n```"
    text = json.dumps({"name": "file_write", "arguments": {"path": "doc.md", "content": inner}})
    for written in (text, f"<tool_call>{text}</tool_call>", f"```json\n{text}\n```"):
        assert _read(written) == [("file_write", {"path": "doc.md", "content": inner})]
