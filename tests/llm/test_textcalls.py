"""Tool calls in every dialect."""

from __future__ import annotations

from typing import Any

import pytest

from lao.core.chat import ChatAnswer, ToolCall
from lao.llm.textcalls import read_calls


def _tool(name: str, **types: str) -> dict[str, Any]:
    properties = {k: {"type": t} for k, t in types.items()}
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": properties}}}


TOOLS = (
    _tool("file_read", path="string"),
    _tool("file_write", path="string", content="string"),
    _tool("task_todo_set", items="array", count="integer", deep="boolean"),
)
READ = '{"name": "file_read", "arguments": {"path": "a.txt"}}'


def _read(text: str, finish: str = "stop", **more: Any) -> list[tuple[str, Any]]:
    return [(c.name, c.arguments) for c in read_calls(ChatAnswer(text, finish_reason=finish, **more), TOOLS).calls]


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
