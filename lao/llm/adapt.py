"""How a request is reshaped: for a template or grammar that refused the usual form, or for another sample."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lao.core.chat import ChatRequest
from lao.core.words import Json
from lao.llm.failures import Failure

_CRASHES_TEMPLATES = frozenset({"items", "keys", "values", "get", "pop", "update", "copy"})
"""Names of properties that Jinja takes for methods of the mapping."""

_KEPT = ("type", "description", "enum")
_DEEPEST = 12


@dataclass(frozen=True)
class Adaptation:
    """What one model on one server needs.

    Attributes:
        fold_system: the system text goes in front of the first user message.
        alternation: 1 neighbours of equal role are merged, 2 calls and results are plain text as well.
        schema: 1 the answer's schema is simplified, 2 it is not sent.
        tools: 1 the tools' schemas are simplified, 2 tools whose properties crash templates are left out.
    """

    fold_system: bool = False
    alternation: int = 0
    schema: int = 0
    tools: int = 0


def learned(now: Adaptation, failure: Failure, request: ChatRequest) -> Adaptation | None:
    """The next form to try after ``failure``; None when nothing is left that changes the request."""
    sent = adapt(request, now)
    for then in _next(now, failure):
        if adapt(request, then) != sent:
            return then
    return None


def _next(now: Adaptation, failure: Failure) -> Iterator[Adaptation]:
    if failure in (Failure.SYSTEM_ROLE_REFUSED, Failure.ALTERNATION_REFUSED, Failure.TEMPLATE_ERROR):
        if failure is Failure.SYSTEM_ROLE_REFUSED:
            yield replace(now, fold_system=True)
        if failure is Failure.TEMPLATE_ERROR:
            yield from (replace(now, tools=n) for n in range(now.tools + 1, 3))
        yield from (replace(now, alternation=n) for n in range(now.alternation + 1, 3))
        yield replace(now, fold_system=True, alternation=max(1, now.alternation))
    elif failure in (Failure.GRAMMAR_REFUSED, Failure.FORMAT_REFUSED):
        yield replace(now, schema=max(1, now.schema), tools=max(1, now.tools))
        yield replace(now, schema=2, tools=max(1, now.tools))


def adapt(request: ChatRequest, how: Adaptation) -> ChatRequest:
    """``request`` in the form that ``how`` says."""
    messages = request.messages
    if how.alternation >= 2:
        messages = tuple(_as_text(m) for m in messages)
    if how.fold_system:
        messages = _folded(messages)
    if how.alternation:
        messages = _merged(messages)
    schema = request.schema
    if schema is not None and how.schema:
        schema = simplified(schema) if how.schema == 1 else None
    tools = request.tools
    if how.tools:
        tools = tuple(_simple_tool(t) for t in tools)
    if how.tools >= 2:
        tools = tuple(t for t in tools if not _crashes(t))
    return replace(request, messages=messages, schema=schema, tools=tools)


def fresh(request: ChatRequest, n: int) -> ChatRequest:
    """The request for another sample, warmer and with another seed: the same again would loop again."""
    warm = 0.3 if request.temperature is None else request.temperature
    return replace(request, temperature=round(min(1.0, warm + 0.3), 2), seed=(request.seed or 0) + 1000 + n)


def _folded(messages: Sequence[dict[str, Json]]) -> tuple[dict[str, Json], ...]:
    system = "\n\n".join(str(m.get("content") or "") for m in messages if m["role"] == "system")
    rest = [m for m in messages if m["role"] != "system"]
    if not system:
        return tuple(rest)
    if rest and rest[0]["role"] == "user":
        return ({**rest[0], "content": f"{system}\n\n{rest[0]['content']}"}, *rest[1:])
    return ({"role": "user", "content": system}, *rest)


def _merged(messages: Sequence[dict[str, Json]]) -> tuple[dict[str, Json], ...]:
    merged: list[dict[str, Json]] = []
    for message in messages:
        last = merged[-1] if merged else {}
        plain = message["role"] in ("user", "assistant") and not (message.get("tool_calls") or last.get("tool_calls"))
        if plain and last.get("role") == message["role"]:
            merged[-1] = {**last, "content": f"{last['content']}\n\n{message['content']}"}
        else:
            merged.append(message)
    return tuple(merged)


def _as_text(message: dict[str, Json]) -> dict[str, Json]:
    if message["role"] == "tool":
        return {"role": "user", "content": f"Result of the tool call:\n{message['content']}"}
    if message.get("tool_calls"):
        shown = []
        for call in message["tool_calls"]:
            name, arguments = json.dumps(call["function"]["name"]), call["function"]["arguments"]
            shown.append(f'<tool_call>{{"name": {name}, "arguments": {arguments}}}</tool_call>')
        return {"role": "assistant", "content": "\n".join([message.get("content") or "", *shown]).strip()}
    return message


def _simple_tool(tool: dict[str, Json]) -> dict[str, Json]:
    function = tool["function"]
    return {**tool, "function": {**function, "parameters": simplified(function.get("parameters") or {})}}


def _crashes(tool: Mapping[str, Json]) -> bool:
    properties = (tool["function"].get("parameters") or {}).get("properties") or {}
    return bool(_CRASHES_TEMPLATES & set(properties))


def simplified(schema: Mapping[str, Json]) -> dict[str, Json]:
    """The schema with only what every grammar builder knows: one type, properties, required, items, enum.

    References are put in place, alternatives of objects become one object that allows them all. What it then lets
    through too much is found when the answer is validated against the real schema.
    """
    return _simple(schema, schema, 0)


def _simple(schema: Json, root: Mapping[str, Json], depth: int) -> dict[str, Json]:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return {}
    if isinstance(ref := schema.get("$ref"), str):
        return _simple(_resolved(ref, root), root, depth + 1)
    options = [o for key in ("anyOf", "oneOf", "allOf") for o in schema.get(key) or ()]
    if options:
        return _united([_simple(o, root, depth + 1) for o in options], schema)
    simple: dict[str, Json] = {k: schema[k] for k in _KEPT if k in schema}
    kind = schema.get("type")
    if isinstance(kind, list):
        simple["type"] = next((k for k in kind if k != "null"), "string")
    if "const" in schema:
        simple["enum"] = [schema["const"]]
    if isinstance(schema.get("properties"), Mapping):
        simple["properties"] = {k: _simple(v, root, depth + 1) for k, v in schema["properties"].items()}
        simple["required"] = [k for k in schema.get("required") or () if k in simple["properties"]]
    if isinstance(schema.get("items"), Mapping):
        simple["items"] = _simple(schema["items"], root, depth + 1)
    if isinstance(schema.get("additionalProperties"), bool):
        simple["additionalProperties"] = schema["additionalProperties"]
    return simple


def _resolved(ref: str, root: Mapping[str, Json]) -> Json:
    found: Json = root
    for part in ref.removeprefix("#").strip("/").split("/"):
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) and found is not root else {}


def _united(options: Sequence[dict[str, Json]], schema: Mapping[str, Json]) -> dict[str, Json]:
    options = [o for o in options if o.get("type") != "null"] or [{}]
    note = {"description": schema["description"]} if "description" in schema else {}
    if len(options) == 1:
        return {**options[0], **note}
    if all("properties" in o for o in options):
        names = dict.fromkeys(name for o in options for name in o["properties"])
        properties = {
            name: _united([o["properties"][name] for o in options if name in o["properties"]], {}) for name in names
        }
        required = [n for n in names if all(n in o.get("required", ()) for o in options)]
        return {"type": "object", "properties": properties, "required": required, **note}
    kinds = {o.get("type") for o in options if "type" in o} | {
        type(v).__name__ for o in options for v in o.get("enum", ()) if "type" not in o
    }
    if len(kinds) == 1 and all("enum" in o for o in options):
        values = list(dict.fromkeys(v for o in options for v in o["enum"]))
        return {**({"type": options[0]["type"]} if "type" in options[0] else {}), "enum": values, **note}
    typed = {o["type"] for o in options if "type" in o}
    return {**({"type": typed.pop()} if len(typed) == 1 and len(kinds) == 1 else {}), **note}
