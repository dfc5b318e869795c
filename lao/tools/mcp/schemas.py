"""A server's tools made fit for weak models: short names and descriptions, and one plain type a property.

Chat templates crash on lists of types, small models follow no ``$ref`` or ``anyOf``, and a server that builds a grammar
refuses the whole request for one ``pattern`` that it cannot read. What is lost here the MCP server checks itself.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final

from lao.core.words import Json

PREFIX: Final = "mcp__"
_MOST_NAME: Final = 64  # of a function, by the chat interface
_MOST_DESCRIPTION: Final = 300
_MOST_PROPERTY: Final = 100
_MOST_PROPERTIES: Final = 24
_MOST_ENUM: Final = 20
_DEPTH: Final = 4
_TYPES: Final = frozenset({"string", "integer", "number", "boolean", "array", "object"})
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")


def tool_name(server: str, tool: str) -> str:
    """``mcp__SERVER__TOOL`` in the letters and the length that chat interfaces take; a long one ends in a hash."""
    name = PREFIX + "__".join(re.sub(r"[^A-Za-z0-9_-]", "_", part) for part in (server, tool))
    if len(name) <= _MOST_NAME:
        return name
    return name[: _MOST_NAME - 9] + "_" + hashlib.sha256(f"{server}/{tool}".encode()).hexdigest()[:8]


def short(text: Any, limit: int = _MOST_DESCRIPTION) -> str:
    """One paragraph without control and invisible characters, cut at a word."""
    plain = " ".join(_CONTROL.sub(" ", text).split()) if isinstance(text, str) else ""
    if len(plain) <= limit:
        return plain
    return plain[: limit - 1].rsplit(" ", 1)[0].rstrip(" ,;:.") + "…"


def simplified(schema: Any) -> dict[str, Json]:
    """JSON Schema of an object with plain properties, from whatever a server gives."""
    root = schema if isinstance(schema, Mapping) else {}
    plain = _object(_resolved(root, root, _DEPTH), root, _DEPTH)
    return {"type": "object", "properties": plain["properties"], "required": plain["required"]}


def _object(node: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> dict[str, Json]:
    given = node.get("properties")
    known = given if isinstance(given, Mapping) else {}
    required = [name for name in _list(node.get("required")) if isinstance(name, str) and name in known]
    optional = [name for name in known if isinstance(name, str) and name not in required]
    kept = [*required, *optional[: max(0, _MOST_PROPERTIES - len(required))]]
    return {
        "type": "object",
        "properties": {name: _property(known[name], root, depth - 1) for name in known if name in kept},
        "required": required,
    }


def _property(value: Any, root: Mapping[str, Any], depth: int) -> dict[str, Json]:
    node = _resolved(value, root, depth)
    kind = _kind(node)
    plain: dict[str, Json] = {"type": kind}
    if text := short(node.get("description") or node.get("title"), _MOST_PROPERTY):
        plain["description"] = text
    choices = _list(node.get("enum")) or ([node["const"]] if "const" in node else [])
    if kind == "string" and choices and all(isinstance(c, str) for c in choices) and len(choices) <= _MOST_ENUM:
        plain["enum"] = list(dict.fromkeys(choices))
    if kind == "array":
        plain["items"] = _property(node.get("items"), root, depth - 1) if depth > 0 else {"type": "string"}
    if kind == "object" and depth > 0 and isinstance(node.get("properties"), Mapping):
        inner = _object(node, root, depth)
        plain["properties"] = inner["properties"]
        if inner["required"]:
            plain["required"] = inner["required"]
    return plain


def _resolved(value: Any, root: Mapping[str, Any], depth: int) -> Mapping[str, Any]:
    """The node itself: references followed inside the document, ``allOf`` laid together, of a choice its first way."""
    node: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
    for _ in range(2 * _DEPTH):
        if isinstance(node.get("$ref"), str):
            node = {**_at(root, node["$ref"]), **{k: v for k, v in node.items() if k != "$ref"}}
        elif isinstance(node.get("allOf"), list) and depth > 0:
            parts = [_resolved(part, root, depth - 1) for part in node["allOf"]]
            node = _together([{k: v for k, v in node.items() if k != "allOf"}, *parts])
        elif isinstance(node.get("anyOf") or node.get("oneOf"), list):
            node = _first_way(node, root, depth)
        else:
            break
    else:
        return {"type": "object"}  # it refers to itself
    return node


def _first_way(node: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Mapping[str, Any]:
    """The first that is not null; several texts are one text with all their values."""
    rest = {k: v for k, v in node.items() if k not in ("anyOf", "oneOf")}
    if depth <= 0:
        return rest
    found = [_resolved(way, root, depth - 1) for way in node.get("anyOf") or node["oneOf"]]
    ways = [way for way in found if way.get("type") != "null"]
    if not ways:
        return rest
    values = [_list(way.get("enum")) or ([way["const"]] if "const" in way else []) for way in ways]
    if all(values):
        return {**rest, "enum": [value for some in values for value in some]}
    return {**ways[0], **rest}


def _together(parts: list[Mapping[str, Any]]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for part in parts:
        properties = {**_mapping(whole.get("properties")), **_mapping(part.get("properties"))}
        required = [*_list(whole.get("required")), *_list(part.get("required"))]
        whole = {**part, **whole}
        if properties:
            whole["properties"] = properties
        if required:
            whole["required"] = required
    return whole


def _at(root: Mapping[str, Any], reference: str) -> Mapping[str, Any]:
    """What ``#/$defs/x`` names; nothing is fetched."""
    node: Any = root
    if not reference.startswith("#"):
        return {}
    for part in reference[1:].strip("/").split("/") if len(reference) > 1 else ():
        node = _mapping(node).get(part.replace("~1", "/").replace("~0", "~"))
    return _mapping(node)


def _kind(node: Mapping[str, Any]) -> str:
    kinds = [node["type"]] if isinstance(node.get("type"), str) else _list(node.get("type"))
    named = [kind for kind in kinds if isinstance(kind, str) and kind in _TYPES]
    if named:
        return "string" if len(named) > 1 and "string" in named else named[0]
    values = _list(node.get("enum")) or ([node["const"]] if "const" in node else [])
    for kind, python in (("boolean", bool), ("integer", int), ("number", (int, float))):
        if values and all(isinstance(value, python) for value in values):
            return kind
    if "properties" in node:
        return "object"
    return "array" if "items" in node else "string"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
