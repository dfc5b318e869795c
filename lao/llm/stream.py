"""Builds one answer out of streamed chunks: text, reasoning, tool calls, usage. Reads no network, judges no faults."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Final

from lao.core.chat import ChatAnswer, ChatRequest, ToolCall, Usage
from lao.core.words import Json
from lao.llm.failures import Failure
from lao.llm.guards import Guard
from lao.llm.offered import decode_arguments
from lao.llm.tokens import estimate, estimate_messages

_CHARACTERS: Final = 4
"""Of a token, about."""


@dataclass
class _Call:
    index: int
    id: str
    name: str = ""
    arguments: str = ""
    guard: Guard = field(default_factory=Guard)


@dataclass
class Answer:
    """The answer so far. ``started`` turns true with the first token, ``runaway`` names endless repetition; ``pieces``
    counts the chunks that brought something, ``size`` the characters."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[_Call] = field(default_factory=list)
    finish_reason: str = ""
    model: str = ""
    usage: dict[str, Json] = field(default_factory=dict)
    timings: dict[str, Json] = field(default_factory=dict)
    started: bool = False
    pieces: int = 0
    size: int = 0
    runaway: Failure | None = None
    _text_guard: Guard = field(default_factory=Guard)
    _thought_guard: Guard = field(default_factory=lambda: Guard(prose=True))

    @property
    def heard(self) -> int:
        """About how many tokens have come: most servers send one in a chunk, some a whole call at once."""
        return max(self.pieces, self.size // _CHARACTERS)

    def feed(self, chunk: dict[str, Json]) -> None:
        """Take one ``chat.completion.chunk`` (or a whole ``chat.completion``, from servers that do not stream)."""
        self.model = self.model or str(chunk.get("model") or "")
        self.usage = _object(chunk.get("usage")) or self.usage
        self.timings = _object(chunk.get("timings")) or self.timings
        choices = chunk.get("choices")
        for choice in map(_object, choices[:1] if isinstance(choices, list) else ()):
            self._take(_object(choice.get("delta")) or _object(choice.get("message")))
            self.finish_reason = str(choice.get("finish_reason") or "") or self.finish_reason

    def _take(self, delta: dict[str, Json]) -> None:
        text, thought = delta.get("content"), delta.get("reasoning_content") or delta.get("reasoning")
        calls = delta.get("tool_calls")
        if isinstance(text, str) and text:
            self.text.append(text)
            self.size += len(text)
            self.runaway = self.runaway or self._text_guard.feed(text)
        if isinstance(thought, str) and thought:
            self.reasoning.append(thought)
            self.size += len(thought)
            self.runaway = self.runaway or self._thought_guard.feed(thought)
        for call in calls if isinstance(calls, list) else ():
            self._take_call(_object(call))
        self.pieces += int(bool(text or thought or calls))
        self.started = self.pieces > 0

    def _take_call(self, delta: dict[str, Json]) -> None:
        function = _object(delta.get("function"))
        name, arguments = str(function.get("name") or ""), function.get("arguments") or ""
        arguments = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        index = delta.get("index")
        call = self._open_call(index if isinstance(index, int) else None, str(delta.get("id") or ""), name)
        call.name = call.name or name
        call.arguments += arguments
        self.size += len(arguments)
        if arguments:
            self.runaway = self.runaway or call.guard.feed(arguments)

    def _open_call(self, index: int | None, ident: str, name: str) -> _Call:
        """The call that a delta continues. Some servers give every call index 0, or none; a new id is a new call."""
        last = next((c for c in reversed(self.calls) if index is None or c.index == index), None)
        if last is not None:
            new_id = bool(ident) and bool(last.id) and ident != last.id
            complete = bool(name) and bool(last.arguments) and decode_arguments(last.arguments) is not None
            if not new_id and not complete:
                last.id = last.id or ident
                return last
        self.calls.append(_Call(len(self.calls) if index is None else index, ident))
        return self.calls[-1]

    def finish(self, request: ChatRequest, *, seconds: float, first_token_s: float) -> ChatAnswer:
        """The whole answer. As many tokens as were allowed mean "length", whatever the server calls it."""
        text, reasoning = "".join(self.text), "".join(self.reasoning)
        calls = tuple(
            ToolCall(c.id or f"call_{n}", c.name, decode_arguments(c.arguments), c.arguments)
            for n, c in enumerate(self.calls)
            if c.name or c.arguments.strip()
        )
        full = _count(self.usage.get("completion_tokens")) == request.max_tokens
        finish = "length" if self.runaway or full else self.finish_reason
        return ChatAnswer(
            text=text,
            reasoning=reasoning,
            tool_calls=calls,
            finish_reason="tool_calls" if calls and finish == "stop" else finish,
            usage=self._usage(request, text + reasoning + "".join(c.arguments for c in self.calls)),
            model=self.model,
            seconds=seconds,
            first_token_s=first_token_s,
        )

    def _usage(self, request: ChatRequest, written: str) -> Usage:
        cached = _told(_object(self.usage.get("prompt_tokens_details")).get("cached_tokens"))
        cached = _told(self.timings.get("cache_n")) if cached is None else cached
        fresh = _told(self.timings.get("prompt_n"))  # llama-server: the prompt is cache_n + prompt_n
        read = 0 if fresh is None or cached is None else cached + fresh
        prompt = _count(self.usage.get("prompt_tokens")) or read
        completion = _count(self.usage.get("completion_tokens")) or _count(self.timings.get("predicted_n"))
        missing = prompt == 0 or (completion == 0 and bool(written.strip()))
        return Usage(
            prompt=prompt or estimate_messages(request.messages, request.tools),
            completion=completion or estimate(written),
            cached=cached,
            estimated=missing,
        )


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _told(value: Json) -> int | None:
    """A count that the server gave; anything else, null and true included, is none."""
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < float("inf")
    return int(value) if known else None


def _count(value: Json) -> int:
    return _told(value) or 0
