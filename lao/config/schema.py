"""Reads factory.schema.json: look-up by path, defaults, words for what a key takes. Checks nothing."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any, TypeAlias

Node: TypeAlias = Mapping[str, Any]
KeyPath: TypeAlias = tuple[str | int, ...]

_TYPE_WORDS = {
    "string": "text",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
    "null": "null",
}


@dataclass(frozen=True)
class Leaf:
    """One documented setting: its dotted key, schema node and default."""

    key: str
    node: Node
    default: Any


class Schema:
    """The schema document with its references followed."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.document: dict[str, Any] = json.loads(text)

    def resolve(self, node: Node) -> Node:
        """The node with ``$ref`` replaced by what it names; keys beside ``$ref`` win."""
        reference = node.get("$ref")
        if reference is None:
            return node
        target = self.document["$defs"][reference.rsplit("/", 1)[1]]
        return {**target, **{key: value for key, value in node.items() if key != "$ref"}}

    def child(self, node: Node, name: str | int) -> Node | None:
        """The node of an entry of a mapping or list, or None when the schema knows none of that name."""
        if isinstance(name, int):
            items = node.get("items")
            return None if items is None else self.resolve(items)
        found = node.get("properties", {}).get(name, node.get("additionalProperties"))
        return self.resolve(found) if isinstance(found, dict) else None

    def at(self, path: KeyPath) -> Node | None:
        """The node of a path such as ``("models", "coder", "key")``, or None."""
        node: Node | None = self.document
        for name in path:
            if node is None:
                return None
            node = self.child(node, name)
        return node

    def leaves(self) -> list[Leaf]:
        """Every setting in the order of the schema, other spellings left out."""
        return list(self._leaves(self.document, (), {}))

    def _leaves(self, node: Node, path: tuple[str, ...], defaults: Mapping[str, Any]) -> Iterator[Leaf]:
        for name, raw in node["properties"].items():
            child = self.resolve(raw)
            if "x-alias-of" in child:
                continue
            default = defaults.get(name, child.get("default"))
            if is_section(child):
                yield from self._leaves(child, (*path, name), default or {})
            else:
                yield Leaf(".".join((*path, name)), child, default)

    def fill(self, value: Any, node: Node | None = None, default: Any = None) -> Any:
        """A copy of a valid document, or of a part of it, with every default filled in."""
        node = self.document if node is None else node
        if is_section(node):
            return self._fill_section(value or {}, node, default or {})
        if value is None:
            return copy.deepcopy(default)
        if isinstance(value, dict) and isinstance(node.get("additionalProperties"), dict):
            inner = self.resolve(node["additionalProperties"])
            return {name: self.fill(entry, inner) for name, entry in value.items()}
        if isinstance(value, list) and "items" in node:
            inner = self.resolve(node["items"])
            return [self.fill(entry, inner) for entry in value]
        if isinstance(value, float) and "integer" in types_of(node):  # 3.0 is an integer to JSON Schema
            return int(value)
        return value

    def _fill_section(self, value: Mapping[str, Any], node: Node, defaults: Mapping[str, Any]) -> dict[str, Any]:
        filled = {}
        for name, raw in node["properties"].items():
            child = self.resolve(raw)
            if "x-alias-of" not in child:
                filled[name] = self.fill(value.get(name), child, defaults.get(name, child.get("default")))
        return filled


def load_schema() -> Schema:
    """The schema that ships with this package."""
    return Schema(resources.files("lao.config").joinpath("factory.schema.json").read_text(encoding="utf-8"))


def is_section(node: Node) -> bool:
    """Whether the node is a mapping with keys of ours (not a list, not a map of the user's names)."""
    return "properties" in node


def types_of(node: Node) -> tuple[str, ...]:
    """The JSON types that the node allows; empty when any."""
    kinds = node.get("type", ())
    return (kinds,) if isinstance(kinds, str) else tuple(kinds)


def expectation(node: Node) -> str:
    """What the node takes, in words: ``"an integer of at least 1, or null"``."""
    if "x-expects" in node:
        return str(node["x-expects"])
    if "enum" in node:
        return "one of " + ", ".join("null" if choice is None else f'"{choice}"' for choice in node["enum"])
    words = [_TYPE_WORDS[kind] for kind in types_of(node) if kind != "null"]
    text = " or ".join(words) + _range(node)
    return f"{text}, or null" if "null" in types_of(node) else text


def _range(node: Node) -> str:
    limits = (
        ("minimum", "of at least"),
        ("exclusiveMinimum", "above"),
        ("maximum", "of at most"),
    )
    parts = [f"{words} {node[name]}" for name, words in limits if name in node]
    if node.get("minLength"):
        parts.append("that is not empty")
    return (" " + " and ".join(parts)) if parts else ""


def dotted(path: KeyPath) -> str:
    """``("mcp_servers", 0, "name")`` as ``mcp_servers[0].name``."""
    text = ""
    for name in path:
        text += f"[{name}]" if isinstance(name, int) else f".{name}" if text else name
    return text
