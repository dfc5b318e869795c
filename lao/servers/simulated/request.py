"""A chat request as the simulated server sees it: texts, role, tools, schema. Decides no answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cached_property

from lao.core.words import Json

_ROLE_LINE = re.compile(r"^LAO role: (\w+)\s*$", re.M)


@dataclass(frozen=True)
class SimRequest:
    """One body of ``/v1/chat/completions``; ``body`` may lack anything."""

    path: str
    body: dict[str, Json]

    @property
    def model(self) -> str:
        return str(self.body.get("model") or "")

    @property
    def stream(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def include_usage(self) -> bool:
        options = self.body.get("stream_options")
        return isinstance(options, dict) and bool(options.get("include_usage"))

    @cached_property
    def messages(self) -> list[dict[str, Json]]:
        found = self.body.get("messages")
        return [m for m in found if isinstance(m, dict)] if isinstance(found, list) else []

    @property
    def tools(self) -> frozenset[str]:
        """Names of the offered tools."""
        offered = self.body.get("tools") or []
        return frozenset(str(t.get("function", {}).get("name", "")) for t in offered if isinstance(t, dict))

    @property
    def max_tokens(self) -> int | None:
        """The longest answer asked for, in tokens."""
        limit = self.body.get("max_tokens") or self.body.get("max_completion_tokens")
        return limit if isinstance(limit, int) and limit > 0 else None

    @property
    def is_ping(self) -> bool:
        """Whether it only asks whether the model answers: one token for a dot."""
        return self.max_tokens == 1 and [m.get("content") for m in self.messages] == ["."] and not self.stream

    def with_parallel_calls(self) -> SimRequest:
        """The same request, as a model reads it that does not care how many calls it may make."""
        return replace(self, body={**self.body, "parallel_tool_calls": True})

    @property
    def one_call_only(self) -> bool:
        return self.body.get("parallel_tool_calls") is False

    @property
    def schema(self) -> Json:
        """The response schema, or None."""
        form = self.body.get("response_format")
        if not isinstance(form, dict) or form.get("type") != "json_schema":
            return None
        inner = form.get("json_schema")
        return inner.get("schema", {}) if isinstance(inner, dict) else {}

    @cached_property
    def role(self) -> str:
        """The name in the system prompt's line ``LAO role: NAME``, else what the schema suggests, else "".

        A client may have put the system prompt into the first user message.
        """
        first = [m for m in self.messages if m.get("role") in ("system", "developer")]
        marker = _ROLE_LINE.search("\n".join([*map(_text, first), *self.user_texts[:1]]))
        if marker:
            return marker[1]
        schema = json.dumps(self.schema) if self.schema is not None else ""
        if '"verdict"' in schema:
            return "reviewer"
        return "planner" if '"tasks"' in schema else ""

    @cached_property
    def user_texts(self) -> list[str]:
        return [_text(m) for m in self.messages if m.get("role") == "user"]

    @property
    def last_user_text(self) -> str:
        return self.user_texts[-1] if self.user_texts else ""

    @cached_property
    def all_text(self) -> str:
        return "\n".join(_text(m) for m in self.messages)

    @property
    def prompt_tokens(self) -> int:
        """The length of ``prompt``, the same for the same request."""
        return len(self.prompt)

    @property
    def tokens_without_tools(self) -> int:
        """What the prompt has when the template does not show the tools to the model."""
        return len(self._spoken)

    @cached_property
    def prompt(self) -> tuple[str, ...]:
        """The prompt as the model reads it, in tokens of four characters, tools first; what two prompts share at their
        beginning can come from the cache."""
        return (*_cut(json.dumps(self.body["tools"]) if self.body.get("tools") else ""), *self._spoken)

    @cached_property
    def _spoken(self) -> tuple[str, ...]:
        """The messages in tokens: four for the role of each, then its text and the arguments of its calls."""
        found: list[str] = []
        for message in self.messages:
            found += ("<|", str(message.get("role")), "|>", "\n")
            calls = (c.get("function") or {} for c in message.get("tool_calls") or () if isinstance(c, dict))
            found += _cut(_text(message))
            found += _cut("".join(str(f.get("arguments") or "") for f in calls))
        return tuple(found)

    @cached_property
    def calls_made(self) -> list[tuple[str, dict[str, Json]]]:
        """Name and arguments of the tool calls in the history."""
        return [(str(f.get("name", "")), _object(f.get("arguments"))) for _, f in self._calls]

    @property
    def call_ids(self) -> list[str]:
        """Ids of the tool calls in the history."""
        return [ident for ident, _ in self._calls]

    @property
    def has_broken_arguments(self) -> bool:
        """Whether the arguments of a call in the history are no JSON object."""
        return any(_decoded(f.get("arguments")) is None for _, f in self._calls)

    @cached_property
    def _calls(self) -> list[tuple[str, dict[str, Json]]]:
        """Id and function of the tool calls in the history."""
        calls = [c for m in self.messages for c in m.get("tool_calls") or [] if isinstance(c, dict)]
        return [(str(c.get("id", "")), c.get("function") or {}) for c in calls]


def tokens(text: str) -> int:
    """Four characters a token, at least one for any text."""
    return (len(text) + 3) // 4


def _cut(text: str) -> list[str]:
    return [text[n : n + 4] for n in range(0, len(text), 4)]


def _text(message: dict[str, Json]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _object(text: Json) -> dict[str, Json]:
    return _decoded(text) or {}


def _decoded(text: Json) -> dict[str, Json] | None:
    try:
        value = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
