"""Answers as bytes: chat completions, stream events, HTTP frames. Decides nothing and sends nothing."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from http import HTTPStatus

from lao.core.words import Json
from lao.servers.detect import SIMULATED
from lao.servers.simulated.request import tokens
from lao.servers.simulated.scenario import Answer

LAST_FRAME = b"0\r\n\r\n"
_MOST_PIECES = 24  # a client parses each chunk; more would make its time the test's time
_SMALLEST_PIECE = 16


@dataclass(frozen=True)
class Form:
    """How an answer goes over the wire; the defaults are right.

    Attributes:
        index: of streamed calls: "own", "zero" for all, or "none".
        finish, done: whether a finish reason and the final ``[DONE]`` are sent.
        usage: "right", "missing" or "zero".
        prompt_tokens, completion_tokens: said instead of the true counts.
        call_id: of all calls.
        bare: usage and nothing else.
        cached: whether the prompt cache is used.
    """

    index: str = "own"
    finish: bool = True
    done: bool = True
    usage: str = "right"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    call_id: str = ""
    bare: bool = False
    cached: bool = True


@dataclass(frozen=True)
class Envelope:
    """What is the same in all chunks of one completion. ``cached_tokens`` is None when they are not told."""

    number: int
    model: str
    created: int
    prompt_tokens: int
    cached_tokens: int | None = 0
    form: Form = Form()

    @property
    def id(self) -> str:
        return f"chatcmpl-{self.number:08d}"


@dataclass(frozen=True)
class Event:
    """One stream event and the generated tokens in it."""

    data: bytes
    tokens: int = 0


def completion(answer: Answer, envelope: Envelope) -> dict[str, Json]:
    """The body of a plain completion."""
    message: dict[str, Json] = {"role": "assistant", "content": answer.text}
    if answer.reasoning:
        message["reasoning_content"] = answer.reasoning
    if answer.tool_calls:
        message["tool_calls"] = [
            {"id": call_id(envelope, i), "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for i, c in enumerate(answer.tool_calls)
        ]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason(answer)}
    body = {**_head(envelope), "object": "chat.completion", "choices": [] if envelope.form.bare else [choice]}
    return {**body, **_figures(answer, envelope)}


def events(answer: Answer, envelope: Envelope, *, include_usage: bool) -> list[Event]:
    """The events of a streamed completion, the final ``[DONE]`` included."""
    form = envelope.form
    found = [] if form.bare else _deltas(answer, envelope)
    if form.finish and not form.bare:
        found.append(_chunk(envelope, {}, finish=finish_reason(answer)))
    if include_usage and form.usage != "missing":
        found.append(_event({**_head(envelope), "choices": [], **_figures(answer, envelope)}))
    if form.done:
        found.append(Event(b"data: [DONE]\n\n"))
    return found


def _deltas(answer: Answer, envelope: Envelope) -> list[Event]:
    found = [_chunk(envelope, {"role": "assistant"})]
    found += [_chunk(envelope, {"reasoning_content": p}, tokens(p)) for p in pieces(answer.reasoning)]
    found += [_chunk(envelope, {"content": p}, tokens(p)) for p in pieces(answer.text)]
    for n, call in enumerate(answer.tool_calls):
        index: dict[str, Json] = {"own": {"index": n}, "zero": {"index": 0}}.get(envelope.form.index, {})
        head = {"id": call_id(envelope, n), "type": "function", "function": {"name": call.name, "arguments": ""}}
        found.append(_chunk(envelope, {"tool_calls": [{**index, **head}]}, tokens(call.name)))
        for piece in pieces(call.arguments):
            delta = {**index, "function": {"arguments": piece}}
            found.append(_chunk(envelope, {"tool_calls": [delta]}, tokens(piece)))
    return found


def error_event(body: Json) -> bytes:
    """An error inside a stream, in LM Studio's form."""
    return b"event: error\ndata: " + json.dumps(body).encode() + b"\n\n"


def _figures(answer: Answer, envelope: Envelope) -> dict[str, Json]:
    """``usage``, and what llama-server says beside it: ``timings`` with ``cache_n + prompt_n`` tokens of prompt."""
    if envelope.form.usage == "missing":
        return {}
    counts = usage(answer, envelope)
    details = counts.get("prompt_tokens_details")
    if details is None:
        return {"usage": counts}
    cached, made = details["cached_tokens"], counts["completion_tokens"]
    timings = {"cache_n": cached, "prompt_n": counts["prompt_tokens"] - cached, "predicted_n": made}
    return {"usage": counts, "timings": timings}


def usage(answer: Answer, envelope: Envelope) -> dict[str, Json]:
    form = envelope.form
    if form.usage == "zero":
        return {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    made = generated(answer) if form.completion_tokens is None else form.completion_tokens
    read = envelope.prompt_tokens if form.prompt_tokens is None else form.prompt_tokens
    counts: dict[str, Json] = {"prompt_tokens": read, "completion_tokens": made, "total_tokens": read + made}
    if envelope.cached_tokens is not None:
        counts["prompt_tokens_details"] = {"cached_tokens": min(read, envelope.cached_tokens) if form.cached else 0}
    return counts


def generated(answer: Answer) -> int:
    """The tokens of an answer."""
    calls = sum(tokens(c.name) + tokens(c.arguments) for c in answer.tool_calls)
    return tokens(answer.text) + tokens(answer.reasoning) + calls


def limited(answer: Answer, limit: int) -> Answer:
    """The answer's first ``limit`` tokens, with the finish reason "length" when that is not all of it."""
    if generated(answer) <= limit:
        return answer
    left = 4 * limit
    reasoning, text = answer.reasoning[:left], answer.text[: max(0, left - len(answer.reasoning))]
    left -= len(reasoning) + len(text)
    calls = []
    for call in answer.tool_calls:
        if left <= 0:
            break
        calls.append(replace(call, arguments=call.arguments[:left]))
        left -= len(call.name) + len(call.arguments)
    return replace(answer, reasoning=reasoning, text=text, tool_calls=tuple(calls), finish_reason="length")


def finish_reason(answer: Answer) -> str:
    return answer.finish_reason or ("tool_calls" if answer.tool_calls else "stop")


def call_id(envelope: Envelope, index: int) -> str:
    """Digits only, as LM Studio makes them."""
    return envelope.form.call_id or f"{100_000_000 + 100 * envelope.number + index}"


def pieces(text: str) -> list[str]:
    """The text in at most 24 parts of at least 16 characters."""
    size = max(_SMALLEST_PIECE, math.ceil(len(text) / _MOST_PIECES))
    return [text[i : i + size] for i in range(0, len(text), size)]


def frame(data: bytes) -> bytes:
    """One part of a chunked HTTP body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def head(status: int, content_type: str, length: int | None) -> bytes:
    """Status line and headers; without a length the body is chunked."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
    size = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = (f"HTTP/1.1 {status} {phrase}", f"Server: {SIMULATED}", f"Content-Type: {content_type}", size, "", "")
    return "\r\n".join(lines).encode()


def _head(envelope: Envelope) -> dict[str, Json]:
    return {
        "id": envelope.id,
        "object": "chat.completion.chunk",
        "created": envelope.created,
        "model": envelope.model,
    }


def _chunk(envelope: Envelope, delta: dict[str, Json], count: int = 0, finish: str | None = None) -> Event:
    return _event({**_head(envelope), "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}, count)


def _event(body: dict[str, Json], count: int = 0) -> Event:
    return Event(b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n", count)
