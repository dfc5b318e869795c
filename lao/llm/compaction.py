"""Shortening a conversation without a model: old outputs become their first line, size and failures. Pure functions.

The head (system prompt and first message) is never touched, so that the server's cache keeps it; what failed stays
readable, so that no model tries it again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from lao.core.words import Json

Message = dict[str, Json]

HEAD: Final = 2
RESULT: Final = "Result of "
"""How a tool's result begins where it is told in a user message."""

_SMALL: Final = 300
_HEAD_LINE: Final = 160
_FAILURE_LINES: Final = 3
_LINE: Final = 200
_MARK: Final = "characters removed to save space]"
_FAILED: Final = re.compile(
    r"^(?:Error\b|exit status [1-9-]|killed:|not allowed|wrong arguments|Traceback|E  )"
    r"|\b\w*(?:Error|Exception)\b:?|\bFAILED\b|\bFAIL\b|\bassert\b|^error(?:\[|:)",
)


def recent_from(messages: Sequence[Mapping[str, Json]], keep: int) -> int:
    """Where the latest ``keep`` messages begin, moved back to the beginning of their turn; never inside the head."""
    at = max(HEAD, len(messages) - max(keep, 0))
    while HEAD < at < len(messages) and messages[at]["role"] != "assistant":
        at -= 1
    return at


def failures_in(text: str) -> tuple[str, ...]:
    """The lines of an output that say what failed, at most three, each cut to 200 characters."""
    lines = [line.strip()[:_LINE] for line in text.splitlines() if _FAILED.search(line)]
    return tuple(dict.fromkeys(lines))[:_FAILURE_LINES]


def shortened(text: str) -> str:
    """An output as its first line, what failed in it, and its size; a short one as it is."""
    if len(text) <= _SMALL or text.endswith(_MARK):
        return text
    first = text.splitlines()[0][:_HEAD_LINE] if text.strip() else ""
    kept = [line for line in failures_in(text) if line != first.strip()]
    return "\n".join((first, *kept, f"[{len(text)} {_MARK}"))


def compacted(messages: Sequence[Message], keep: int) -> list[Message]:
    """The messages with all old outputs shortened; the head and the latest ``keep`` are the same objects as before."""
    at = recent_from(messages, keep)
    return [*messages[:HEAD], *map(_short, messages[HEAD:at]), *messages[at:]]


def _short(message: Message) -> Message:
    if message.get("tool_calls"):
        return {**message, "tool_calls": [_short_call(call) for call in message["tool_calls"]]}
    if _instructs(message):
        return message
    return {**message, "content": shortened(str(message["content"]))}


def instructed(messages: Sequence[Message], keep: int) -> bool:
    """Whether what a summary would replace holds more than talk and results: how the model has to answer, say."""
    return any(_instructs(m) and len(str(m["content"])) > _SMALL for m in messages[HEAD : recent_from(messages, keep)])


def _instructs(message: Mapping[str, Json]) -> bool:
    """Whether it is a message of LAO's that is no tool's result. Without native calls a result is a user message."""
    return message["role"] == "user" and not str(message["content"]).startswith(RESULT)


def _short_call(call: dict[str, Json]) -> dict[str, Json]:
    arguments = {
        key: f"[{len(value)} characters, sent before]" if isinstance(value, str) and len(value) > _SMALL else value
        for key, value in json.loads(call["function"]["arguments"]).items()
    }
    return {**call, "function": {**call["function"], "arguments": json.dumps(arguments, ensure_ascii=False)}}


def failed_calls(messages: Sequence[Message], keep: int) -> tuple[str, ...]:
    """What failed before the latest messages, one line each: the call and the first line that says why."""
    calls = {call["id"]: call["function"] for message in messages for call in message.get("tool_calls") or ()}
    told: dict[str, None] = {}
    for message in messages[HEAD : recent_from(messages, keep)]:
        text = str(message["content"])
        found = failures_in(text) if message["role"] in ("tool", "user") else ()
        if message["role"] == "user":
            told.update(dict.fromkeys(line for line in text.splitlines() if line.startswith("- failed: ")))
        if not found:
            continue
        why = next((line for line in found if not line.startswith(("exit status", "Traceback"))), found[0])
        call = calls.get(message.get("tool_call_id"))
        told.setdefault(f"- failed: {f'{_named(call)}: ' if call else ''}{why}")
    return tuple(told)


def _named(function: Mapping[str, Json]) -> str:
    values = [v for v in json.loads(function["arguments"]).values() if isinstance(v, str)]
    return f"{function['name']} {' '.join(values[:1])[:80]}".strip()


def transcript(messages: Sequence[Message], keep: int) -> str:
    """What stands between the head and the latest messages, as text for a summary."""
    parts = []
    for message in messages[HEAD : recent_from(messages, keep)]:
        calls = "".join(f"\n→ {_named(c['function'])}" for c in message.get("tool_calls") or ())
        parts.append(f"[{message['role']}] {message['content']}{calls}".strip())
    return "\n".join(parts)


def replaced(messages: Sequence[Message], keep: int, summary: str, go_on: str) -> list[Message]:
    """The messages with all between the head and the latest ones replaced by a summary; roles still alternate."""
    at = recent_from(messages, keep)
    middle: list[Message] = [{"role": "assistant", "content": summary}]
    if at < len(messages) and messages[at]["role"] == "assistant":
        middle.append({"role": "user", "content": go_on})
    return [*messages[:HEAD], *middle, *messages[at:]]
