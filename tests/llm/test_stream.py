"""Promise: how much of an answer has come can be told while it comes, however its server cuts it."""

from __future__ import annotations

from typing import Any

import pytest

from lao.llm.stream import Answer


def chunk(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"delta": delta}]}


@pytest.mark.parametrize(
    ("chunks", "heard"),
    [
        ([chunk(role="assistant"), {"usage": {}}], 0),
        ([chunk(content="a")] * 7, 7),
        ([chunk(reasoning_content="so ")] * 3 + [chunk(content="x")], 4),
        ([chunk(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": "x" * 400}}])], 100),
        ([chunk(content="word " * 80)], 100),
    ],
)
def test_about_as_many_tokens_as_have_come(chunks: list[dict[str, Any]], heard: int) -> None:
    """One a piece where a server sends them one by one, by the length where it sends a whole call at once."""
    answer = Answer()
    for item in chunks:
        answer.feed(item)
    assert (answer.heard, answer.started) == (heard, heard > 0)
