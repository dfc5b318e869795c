"""A chat request as the simulated server sees it: texts, role, tools, schema. Decides no answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
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
        """The name in the system prompt's line ``LAO role: NAME``, else what the schema suggests, else ""."""
        system = "\n".join(_text(m) for m in self.messages if m.get("role") in ("system", "developer"))
        marker = _ROLE_LINE.search(system)
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
        """An estimate, the same for the same request: four characters a token."""
        tools = json.dumps(self.body["tools"]) if self.body.get("tools") else ""
        return tokens(self.all_text) + tokens(tools) + 4 * len(self.messages)

    @cached_property
    def calls_made(self) -> list[tuple[str, dict[str, Json]]]:
        """Name and arguments of the tool calls in the history."""
        made = []
        for message in self.messages:
            for call in message.get("tool_calls") or []:
                function = call.get("function", {})
                made.append((str(function.get("name", "")), _object(function.get("arguments"))))
        return made


def tokens(text: str) -> int:
    """Four characters a token, at least one for any text."""
    return (len(text) + 3) // 4


def _text(message: dict[str, Json]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _object(text: Json) -> dict[str, Json]:
    try:
        value = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
