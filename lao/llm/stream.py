"""Builds one answer out of streamed chunks: text, reasoning, tool calls, usage. Reads no network, judges no faults."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from lao.core.chat import ChatAnswer, ChatRequest, ToolCall, Usage
from lao.core.words import Json
from lao.llm.textcalls import decode_arguments
from lao.llm.tokens import estimate, estimate_messages

_BLANK_RUN = 400
_LOOP_TAIL = 3000
_LOOP_PERIOD = 200
_CHECK_EVERY = 1500


@dataclass
class _Call:
    index: int
    id: str
    name: str = ""
    arguments: str = ""


@dataclass
class Answer:
    """The answer so far. ``started`` turns true with the first generated token, ``runaway`` when it only repeats."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[_Call] = field(default_factory=list)
    finish_reason: str = ""
    model: str = ""
    usage: dict[str, Json] = field(default_factory=dict)
    timings: dict[str, Json] = field(default_factory=dict)
    started: bool = False
    runaway: bool = False
    _unchecked: int = 0

    def feed(self, chunk: dict[str, Json]) -> None:
        """Take one ``chat.completion.chunk`` (or a whole ``chat.completion``, from servers that do not stream)."""
        self.model = self.model or str(chunk.get("model") or "")
        self.usage = chunk.get("usage") or self.usage
        self.timings = chunk.get("timings") or self.timings
        for choice in (chunk.get("choices") or [])[:1]:
            delta = choice.get("delta") or choice.get("message") or {}
            self._take(delta)
            self.finish_reason = choice.get("finish_reason") or self.finish_reason

    def _take(self, delta: dict[str, Json]) -> None:
        text, thought = delta.get("content"), delta.get("reasoning_content") or delta.get("reasoning")
        calls = delta.get("tool_calls") or []
        if isinstance(text, str) and text:
            self.text.append(text)
            self._watch(text)
        if isinstance(thought, str) and thought:
            self.reasoning.append(thought)
            self._watch(thought)
        for call in calls:
            self._take_call(call)
        self.started = self.started or bool(text or thought or calls)

    def _take_call(self, delta: dict[str, Json]) -> None:
        function = delta.get("function") or {}
        name, arguments = function.get("name") or "", function.get("arguments") or ""
        arguments = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
        call = self._open_call(delta.get("index"), str(delta.get("id") or ""), name)
        call.name = call.name or name
        call.arguments += arguments

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

    def _watch(self, piece: str) -> None:
        self._unchecked += len(piece)
        if self._unchecked < _CHECK_EVERY:
            return
        self._unchecked = 0
        for parts in (self.text, self.reasoning):
            tail = "".join(parts[-_LOOP_TAIL:])[-_LOOP_TAIL:]
            blank = len(tail) - len(tail.rstrip())
            self.runaway = self.runaway or blank >= _BLANK_RUN or _loops(tail)

    def finish(self, request: ChatRequest, *, seconds: float, first_token_s: float) -> ChatAnswer:
        """The whole answer."""
        text, reasoning = "".join(self.text), "".join(self.reasoning)
        calls = tuple(
            ToolCall(c.id or f"call_{n}", c.name, decode_arguments(c.arguments), c.arguments)
            for n, c in enumerate(self.calls)
        )
        finish = "length" if self.runaway else self.finish_reason
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
        prompt = int(self.usage.get("prompt_tokens") or 0)
        completion = int(self.usage.get("completion_tokens") or 0)
        cached = (self.usage.get("prompt_tokens_details") or {}).get("cached_tokens", self.timings.get("cache_n"))
        missing = prompt == 0 or (completion == 0 and bool(written.strip()))
        return Usage(
            prompt=prompt or estimate_messages(request.messages, request.tools),
            completion=completion or estimate(written),
            cached=int(cached) if isinstance(cached, (int, float)) else None,
            estimated=missing,
        )


def _loops(tail: str) -> bool:
    """Whether a long tail is one short piece over and over."""
    return len(tail) >= _LOOP_TAIL and any(tail[n:] == tail[:-n] for n in range(1, _LOOP_PERIOD + 1))
