"""Parsed YAML to a draft: ``${VAR}`` expanded, words read as the schema means them, other spellings moved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from lao.config.draft import Draft, lookup, place
from lao.config.parse import Document, Scalar
from lao.config.problems import Problems
from lao.config.schema import KeyPath, Node, Schema, dotted, is_section, types_of

_VARIABLE = re.compile(r"\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def from_document(document: Document, draft: Draft, schema: Schema, env: Mapping[str, str], problems: Problems) -> None:
    """Fill the draft from a parsed file: variables expanded, other spellings moved to the key that they mean."""
    draft.lines.update(document.lines)
    if document.data is None or (isinstance(document.data, Scalar) and document.data.value is None):
        return
    if not isinstance(document.data, dict):
        found = "a list" if isinstance(document.data, list) else f"the text {document.data.text[:40]!r}"
        problems.add(draft.shown, "", f"expected a mapping of keys, found {found}")
        return
    reader = _Reader(draft, schema, env, problems)
    draft.data.update(reader.value(document.data, schema.document, ()))
    _move_other_spellings(draft, schema, problems)


class _Reader:
    """Parsed values to plain ones, guided by the schema."""

    def __init__(self, draft: Draft, schema: Schema, env: Mapping[str, str], problems: Problems) -> None:
        self._draft = draft
        self._schema = schema
        self._env = env
        self._problems = problems

    def value(self, parsed: Any, node: Node | None, path: KeyPath) -> Any:
        if isinstance(parsed, dict):
            return {name: self.value(entry, self._child(node, name), (*path, name)) for name, entry in parsed.items()}
        if isinstance(parsed, list):
            return [self.value(entry, self._child(node, i), (*path, i)) for i, entry in enumerate(parsed)]
        return self._scalar(parsed, node or {}, path)

    def _child(self, node: Node | None, name: str | int) -> Node | None:
        return None if node is None else self._schema.child(node, name)

    def _scalar(self, scalar: Scalar, node: Node, path: KeyPath) -> Any:
        kinds = types_of(node)
        if isinstance(scalar.value, str):
            text = self._expand(scalar.value, path)
            if text != scalar.value and kinds and "string" not in kinds:  # total_ram_gb: "${RAM}"
                return _plain_value(text)
            return text
        if scalar.text in node.get("enum", ()):  # YAML 1.1 reads the word off as false
            return scalar.text
        parent = self._schema.at(path[:-1]) or {}
        if parent.get("x-secret") and scalar.value is not None:  # env: {PORT: 8080}
            return scalar.text
        return scalar.value

    def _expand(self, text: str, path: KeyPath) -> str:
        return _VARIABLE.sub(lambda match: self._variable(match, path), text) if "${" in text else text

    def _variable(self, match: re.Match[str], path: KeyPath) -> str:
        escaped, name, default = match.groups()
        if escaped:  # $${NAME} stands for ${NAME} itself
            return "${"
        value = self._env.get(name)
        if default is not None:
            return value or str(default)
        if value is None:
            text = f"environment variable {name!r} is not set; set it, or write ${{{name}:-default}}"
            self._problems.add(self._draft.where(path), dotted(path), text)
            return ""
        return value


def _plain_value(text: str) -> Any:
    """What YAML would read for unquoted text, where the schema wants a number or a truth value."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if value is None or isinstance(value, (bool, int, float)) else text


def _move_other_spellings(draft: Draft, schema: Schema, problems: Problems) -> None:
    for path, target in _other_spellings(schema.document, ()):
        holder = lookup(draft.data, path[:-1])
        if not isinstance(holder, dict) or path[-1] not in holder:
            continue
        value = holder.pop(path[-1])
        goal: KeyPath = tuple(target.split("."))
        if draft.given(goal):
            problems.add(draft.where(path), dotted(path), f"means {target}, which is given as well; keep one")
            continue
        place(draft.data, goal, value)
        draft.lines[goal] = draft.lines.pop(path)


def _other_spellings(node: Node, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], str]]:
    found: list[tuple[tuple[str, ...], str]] = []
    for name, child in node["properties"].items():
        if "x-alias-of" in child:
            found.append(((*path, name), child["x-alias-of"]))
        elif is_section(child):
            found.extend(_other_spellings(child, (*path, name)))
    return found
