"""A model under calibration with traits to choose: answers as a model with them would, and takes its time for it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from lao.agents.calibration.bench import Bench
from lao.agents.calibration.editing import Edit, edits
from lao.core.chat import ChatAnswer, ChatRequest, ToolCall, Usage
from lao.core.clock import FakeClock
from lao.core.errors import AttemptFailed, ConfigError, LaoError
from lao.llm.tokens import estimate_messages
from lao.servers.rest import Reply

SENTENCE = "A boat is a small ship that floats on water and carries people."
CANARY = {"canary_colour": "red", "canary_count": 3, "canary_sentence": "It floats."}


@dataclass
class Mimic:
    """A ``Model``.

    Attributes:
        tools: how calls come: "native", "salvage", "none", or "unsupported" (the server says so).
        thinking: "field", "tags", "none"; or "endless", to the limit of every answer.
        formats: the edit formats that it masters.
        caches: whether the server keeps the beginning of a prompt; ``tells_cache``: and says so.
        errors: raised instead of the nth answer (from 0).
    """

    clock: FakeClock
    system: str = "followed"
    tools: str = "native"
    schema: str = "honoured"
    thinking: str = "none"
    formats: tuple[str, ...] = ("whole", "search_replace", "patch")
    prefill: float = 100.0
    decode: float = 20.0
    caches: bool = True
    tells_cache: bool = True
    errors: dict[int, LaoError] = field(default_factory=dict)
    requests: list[ChatRequest] = field(default_factory=list)
    _seen: str = ""

    def complete(self, request: ChatRequest) -> ChatAnswer:
        self.requests.append(request)
        error = self.errors.get(len(self.requests) - 1)
        if error is not None:
            raise error
        return self._timed(request, self.answer(request))

    def answer(self, request: ChatRequest) -> ChatAnswer:
        """What it says, without the time that it takes."""
        if self.thinking == "endless":
            return ChatAnswer("<think>" + "Let me think about it. " * 20, finish_reason="length")
        user = str(request.messages[-1]["content"])
        system = str(request.messages[0]["content"]) if len(request.messages) > 1 else ""
        if system and self.system == "refused":
            raise AttemptFailed("roles must alternate", kind="template")
        if "PELICAN" in system + user:
            return self._thoughtful("PELICAN" if self.system == "followed" else "Paris.")
        if request.tools:
            return self._call(user)
        if request.schema is not None:
            return self._canary(request)
        name = next((e for e in edits() if f"Current content of {e.path}" in user), None)
        if name is not None:
            return self._edit(system or user, name)
        return ChatAnswer("28 lines", finish_reason="stop")

    def _thoughtful(self, text: str) -> ChatAnswer:
        if self.thinking == "field":
            return ChatAnswer(text, reasoning="The user wants one word. " * 4, finish_reason="stop")
        return ChatAnswer(f"<think>One word.</think>{text}" if self.thinking == "tags" else text, finish_reason="stop")

    def _call(self, user: str) -> ChatAnswer:
        paths = ["a.txt", "b.txt"] if "twice" in user else ["notes.txt"]
        if self.tools == "unsupported":
            raise ConfigError("the model cannot use tools")
        if self.tools == "none":
            return ChatAnswer("The file notes.txt contains notes.", finish_reason="stop")
        if self.tools == "salvage":
            call = json.dumps({"name": "file_read", "arguments": {"path": paths[0]}})
            return ChatAnswer(f"```json\n{call}\n```", finish_reason="stop")
        made = tuple(ToolCall(f"c{n}", "file_read", {"path": p}, json.dumps({"path": p})) for n, p in enumerate(paths))
        return ChatAnswer("", tool_calls=made, finish_reason="tool_calls")

    def _canary(self, request: ChatRequest) -> ChatAnswer:
        if self.schema == "refused":
            raise AttemptFailed("no such schema", kind="schema_refused")
        if self.schema == "cut":
            return ChatAnswer('{"canary_colour": "red", "canary_sen', finish_reason="length")
        return ChatAnswer(json.dumps(CANARY) if self.schema == "honoured" else SENTENCE, finish_reason="stop")

    def _edit(self, instruction: str, edit: Edit) -> ChatAnswer:
        name = next(n for n, mark in MARKS.items() if mark in instruction)
        text = written(name, edit) if name in self.formats else "I have changed the file."
        return ChatAnswer(text, finish_reason="stop")

    def _timed(self, request: ChatRequest, answer: ChatAnswer) -> ChatAnswer:
        prompt = estimate_messages(request.messages, request.tools)
        text = "".join(str(m["content"]) for m in request.messages)
        again = self.caches and len(text) > 800 and text[:800] == self._seen
        self._seen = text[:800]
        cached = int(prompt * 0.9) if again else 0
        first = (prompt - cached) / self.prefill
        made = max(1, len(answer.text + answer.reasoning + "".join(c.raw for c in answer.tool_calls)) // 4)
        seconds = first + (made - 1) / self.decode
        self.clock.wait(seconds)
        usage = Usage(prompt, made, cached if self.tells_cache else None)
        return ChatAnswer(
            answer.text, answer.reasoning, answer.tool_calls, answer.finish_reason, usage, "m", seconds, first
        )


MARKS = {"whole": "complete new file", "search_replace": "SEARCH holds", "patch": "unified diff"}


def written(name: str, edit: Edit) -> str:
    """The right answer to an edit in the format."""
    if name == "whole":
        return f"FILE: {edit.path}\n```python\n{edit.after}```"
    before, after = edit.before.split("\n"), edit.after.split("\n")
    at = next(n for n, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1])
    old = before[at]
    new = after[at : at + 1 + len(after) - len(before)]
    if name == "search_replace":
        replace = "\n".join(new)
        return f"FILE: {edit.path}\n<<<<<<< SEARCH\n{old}\n=======\n{replace}\n>>>>>>> REPLACE"
    kept = before[at - 1]
    plus = "\n".join(f"+{line}" for line in new)
    head = f"--- a/{edit.path}\n+++ b/{edit.path}\n@@ -{at},2 +{at},{1 + len(new)} @@"
    return f"```diff\n{head}\n {kept}\n-{old}\n{plus}\n```"


class MimicWire:
    """A ``Wire`` to the same model: plain completions, and the count of a prompt's tokens where ``counts``."""

    def __init__(self, mimic: Mimic, counts: bool = True) -> None:
        self.mimic, self.counts = mimic, counts
        self.paths: list[str] = []
        self.plain = ""

    def post(self, path: str, payload: dict[str, Any], *, read_timeout_s: float | None = None) -> Reply:
        self.paths.append(path)
        tools = tuple(payload.get("tools") or ())
        if path.endswith("/input_tokens"):
            if not self.counts:
                return Reply(200, {"error": "Unexpected endpoint"}, "Unexpected endpoint", "", "")
            shown = tools if self.mimic.tools not in ("none", "unsupported") else ()
            return Reply(200, {"input_tokens": estimate_messages(payload["messages"], shown)}, "", "", "")
        before, self.mimic.tools = self.mimic.tools, self.plain or self.mimic.tools
        answer = self.mimic.answer(ChatRequest("m", tuple(payload["messages"]), 10, tools))
        self.mimic.tools = before
        made = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.raw}}
            for c in answer.tool_calls
        ]
        message = {"role": "assistant", "content": answer.text, **({"tool_calls": made} if made else {})}
        choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason}
        return Reply(200, {"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 9}}, "", "", "")


def bench(mimic: Mimic, wire: MimicWire | None = None, budget_s: float = 300.0) -> Bench:
    return Bench(mimic, wire or MimicWire(mimic), mimic.clock, "m", mimic.clock.monotonic() + budget_s)
