"""Promises of the transcript: a run's conversation in the lines that hooks written for Claude Code read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lao.core.steps import StepKind
from lao.hooks.transcript import TEXT_LIMIT, Transcript, cut
from lao.state.journal import Step


def step(seq: int, kind: StepKind, label: str, result: Any, *, done: bool = True) -> Step:
    return Step(seq, kind, label, done, None, result, 1_700_000_000.25 + seq)


def answer(text: str, *calls: tuple[str, dict[str, Any] | None]) -> dict[str, Any]:
    listed = [{"id": "x", "name": name, "arguments": given, "raw": ""} for name, given in calls]
    return {"text": text, "tool_calls": listed, "model": "m", "usage": {"prompt": 9, "completion": 4}}


def told(text: str, *, ok: bool = True) -> dict[str, Any]:
    return {"text": text, "ok": ok, "changed": []}


STEPS = [
    step(0, StepKind.READ, "context", {"files": []}),
    step(1, StepKind.MODEL, "model:turn-1", answer("I look.", ("file_read", {"path": "a"}), ("shell_exec", None))),
    step(2, StepKind.READ, "tool:file_read-1:before", None),
    step(3, StepKind.READ, "tool:file_read-1", told("x = 1")),
    step(4, StepKind.READ, "tool:file_read-1:after", ""),
    step(5, StepKind.UNKNOWN, "tool:shell_exec-2", told("no", ok=False)),
    step(6, StepKind.MODEL, "model:turn-2", {"failed": {"message": "nothing came", "kind": "empty"}}),
    step(7, StepKind.MODEL, "model:turn-3", answer("<file>")),
    step(8, StepKind.EDIT, "tool:file_write-3", told("written")),
    step(9, StepKind.MODEL, "model:tool:agent_run-4-1", answer("I am the helper.", ("list_dir", {}))),
    step(10, StepKind.READ, "tool:agent_run-4:list_dir-1", told("a")),
    step(11, StepKind.UNKNOWN, "tool:shell_exec-5", None, done=False),
]


def lines() -> list[dict[str, Any]]:
    made = Transcript("p1", 3, Path("/w"), "Do it.", 1_700_000_000.0)
    return [json.loads(json.dumps(line)) for line in made.lines(STEPS)]


def test_a_run_reads_as_a_conversation() -> None:
    """N2 C7: task, answers with their calls, results under the ids of those; what is not done is not there."""
    shown = [
        (line["type"], block.get("type"), block.get("name") or block.get("text") or block.get("content"))
        for line in lines()[1:]
        for block in line["message"]["content"]
    ]
    assert lines()[0]["message"] == {"role": "user", "content": "Do it."}
    assert shown == [
        ("assistant", "text", "I look."),
        ("assistant", "tool_use", "file_read"),
        ("assistant", "tool_use", "shell_exec"),
        ("user", "tool_result", "x = 1"),
        ("user", "tool_result", "no"),
        ("assistant", "text", "nothing came"),
        ("assistant", "text", "<file>"),
        ("assistant", "tool_use", "file_write"),
        ("user", "tool_result", "written"),
        ("assistant", "text", "I am the helper."),
        ("assistant", "tool_use", "list_dir"),
        ("user", "tool_result", "a"),
    ]


def test_the_lines_hang_together() -> None:
    """C7: each line names the one before, each result its call; failures, a helper's lines, the time are marked."""
    found = lines()
    assert [line["parentUuid"] for line in found] == [None, *(line["uuid"] for line in found[:-1])]
    assert len({line["uuid"] for line in found}) == len(found)
    blocks = [block for line in found[1:] for block in line["message"]["content"]]
    uses = [block["id"] for block in blocks if block["type"] == "tool_use"]
    results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    assert results == uses
    assert [block["is_error"] for block in blocks if block["type"] == "tool_result"] == [False, True, False, False]
    assert [line["isSidechain"] for line in found].count(True) == 2
    assert {line["sessionId"] for line in found} == {"p1"}
    assert found[1]["timestamp"] == "2023-11-14T22:13:21.250Z"
    assert found[1]["message"]["usage"] == {"input_tokens": 9, "output_tokens": 4}
    assert lines() == found, "the same every time"


def test_a_long_text_keeps_its_ends() -> None:
    """L: no line grows with what a tool printed."""
    short = cut("first " + "x" * 100_000 + " last")
    assert len(short) < TEXT_LIMIT + 100
    assert short.startswith("first ")
    assert short.endswith(" last")
    assert cut("y" * TEXT_LIMIT) == "y" * TEXT_LIMIT
