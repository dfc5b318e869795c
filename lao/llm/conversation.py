"""One conversation as the server sees it: append-only for its prompt cache, legal for strict templates."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from lao.core.chat import ToolCall
from lao.core.words import Json
from lao.llm import compaction
from lao.llm.tokens import clip, estimate_messages

_NO_NAME = re.compile(r"[^A-Za-z0-9_-]")
_GOAL = 0.6
_KEEP = 2
_SMALL = 300


class Conversation:
    """Messages after a static system prompt.

    Nothing already sent changes, except in ``fit`` and ``compact``: they elide much at once, so that the next many
    turns share a prefix again. Roles alternate, contents are strings, ids and arguments of calls are written by us (a
    model's broken ones would break every later request).
    """

    def __init__(self, system: str) -> None:
        self._messages: list[dict[str, Json]] = [{"role": "system", "content": system}]
        self._calls = 0

    @property
    def messages(self) -> tuple[dict[str, Json], ...]:
        return tuple(dict(m) for m in self._messages)

    def user(self, text: str) -> None:
        last = self._messages[-1]
        if last["role"] == "user":
            last["content"] += "\n\n" + text
        else:
            self._messages.append({"role": "user", "content": text})

    def assistant(self, text: str) -> None:
        self._messages.append({"role": "assistant", "content": text or "(empty answer)"})

    def calls(self, text: str, calls: Sequence[ToolCall]) -> list[str]:
        """Append an assistant message with tool calls; returns the ids for ``result``, one for each call."""
        ids = []
        shown = []
        for call in calls:
            self._calls += 1
            ids.append(f"call{self._calls:05d}")  # nine letters and digits: some templates take nothing else
            name = _NO_NAME.sub("_", call.name)[:64] or "unknown"
            function = {"name": name, "arguments": json.dumps(call.arguments or {}, ensure_ascii=False)}
            shown.append({"id": ids[-1], "type": "function", "function": function})
        self._messages.append({"role": "assistant", "content": text, "tool_calls": shown})
        return ids

    def result(self, call_id: str, text: str) -> None:
        self._messages.append({"role": "tool", "tool_call_id": call_id, "content": text or "(no output)"})

    def size(self, tools: Sequence[Mapping[str, Json]] = ()) -> int:
        """Estimated tokens."""
        return estimate_messages(self._messages, tools)

    def fit(self, limit: int, tools: Sequence[Mapping[str, Json]] = ()) -> bool:
        """Bring the conversation under ``limit`` tokens, oldest tool outputs first. False when that is not possible."""
        if self.size(tools) <= limit:
            return True
        outputs = [n for n, m in enumerate(self._messages) if m["role"] == "tool"]
        answers = [n for n, m in enumerate(self._messages) if m["role"] == "assistant"]
        for n in (*outputs[:-_KEEP], *answers[:-_KEEP]):
            self._elide(n)
            if self.size(tools) <= limit * _GOAL:
                return True
        if self.size(tools) <= limit:
            return True
        for n in (*outputs[-_KEEP:], *answers[-_KEEP:]):
            message = self._messages[n]
            self._messages[n] = {**message, "content": clip(message["content"], max(_SMALL, limit // 8))}
        return self.size(tools) <= limit

    def compact(self, keep: int) -> None:
        """Shorten all outputs between the first message and the latest ``keep`` (``lao.llm.compaction``)."""
        self._messages = compaction.compacted(self._messages, keep)

    def transcript(self, keep: int) -> str:
        """What stands between the first message and the latest ``keep``, as text."""
        return compaction.transcript(self._messages, keep)

    def failed_calls(self, keep: int) -> tuple[str, ...]:
        """What failed before the latest ``keep`` messages, one line each."""
        return compaction.failed_calls(self._messages, keep)

    def instructed(self, keep: int) -> bool:
        """Whether what ``replace_middle`` would drop says how to answer."""
        return compaction.instructed(self._messages, keep)

    def replace_middle(self, keep: int, summary: str, go_on: str) -> None:
        """Put a summary of our own in the place of what ``transcript`` shows."""
        self._messages = compaction.replaced(self._messages, keep, summary, go_on)

    def _elide(self, n: int) -> None:
        message = self._messages[n]
        if message.get("tool_calls"):
            self._messages[n] = {**message, "tool_calls": [_short_call(c) for c in message["tool_calls"]]}
        elif len(message["content"]) > _SMALL:
            note = f"[{len(message['content'])} characters removed to save space]"
            self._messages[n] = {**message, "content": note}


def _short_call(call: dict[str, Json]) -> dict[str, Json]:
    arguments = {
        k: f"[{len(v)} characters, already applied]" if isinstance(v, str) and len(v) > _SMALL else v
        for k, v in json.loads(call["function"]["arguments"]).items()
    }
    return {**call, "function": {**call["function"], "arguments": json.dumps(arguments, ensure_ascii=False)}}
