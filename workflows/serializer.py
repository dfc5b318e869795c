"""Queue messages as JSON. Pickle would run code for whoever can write the queue file."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from huey.registry import Message
from huey.serializer import Serializer

FORMAT = 1
"""Version of the message format; messages of another version are undecodable and become dead letters."""


class JsonSerializer(Serializer):  # type: ignore[misc]  # huey ships no types
    """Huey's messages (and its few plain values) as JSON text."""

    def _serialize(self, data: Any) -> bytes:
        document = {"v": FORMAT, "message": _pack(data)} if isinstance(data, Message) else {"v": FORMAT, "value": data}
        return json.dumps(document, separators=(",", ":")).encode()

    def _deserialize(self, data: bytes) -> Any:
        document = json.loads(bytes(data))
        if document["v"] != FORMAT:
            raise ValueError(f"queue message of format {document['v']!r}; this LAO reads {FORMAT}")
        return _unpack(document["message"]) if "message" in document else document["value"]


def _pack(message: Message) -> dict[str, Any]:
    fields = {name: value for name, value in message._asdict().items() if value is not None}
    for name in ("eta", "expires_resolved"):
        if name in fields:
            fields[name] = fields[name].isoformat()
    for name in ("on_complete", "on_error"):
        if name in fields:
            fields[name] = _pack(fields[name])
    return fields


def _unpack(fields: dict[str, Any]) -> Message:
    fields = dict(fields)
    for name in ("eta", "expires_resolved"):
        if name in fields:
            fields[name] = dt.datetime.fromisoformat(fields[name])
    for name in ("on_complete", "on_error"):
        if name in fields:
            fields[name] = _unpack(fields[name])
    fields["args"] = tuple(fields.get("args", ()))
    return Message(fields.pop("id"), fields.pop("name"), **fields)


def peek_name(data: bytes) -> str:
    """The task name of a serialized message, "" when it cannot be read."""
    try:
        return str(json.loads(bytes(data))["message"]["name"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def peek_run(data: bytes) -> int:
    """The run id that a serialized message wakes, 0 when it wakes none or cannot be read."""
    try:
        fields = json.loads(bytes(data))["message"]
        return next((a for a in fields.get("args", ()) if isinstance(a, int)), 0)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return 0
