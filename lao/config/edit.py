"""Changes single values of ``models`` in the text of a factory.yaml; every other byte stays. Reads and writes no file.

The text is parsed for the places of its values (PyYAML keeps them), and only those spans are replaced. A library that
writes the document anew (ruamel.yaml) keeps comments, but not line ends, odd indentation, quotes or alignment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

from lao.config.yaml_places import Alias, Place, compose, pairs
from lao.core.errors import ConfigError

Values: TypeAlias = "Mapping[str, str | int | None]"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*")
_WORDS_OF_YAML = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf"})
_BY_HAND = "Change it by hand; `lao health` shows whether the keys are right."


def set_models(text: str, changes: Mapping[str, Values], effective: Mapping[str, Values]) -> str:
    """The text with other values of some roles, and the same for all other roles.

    Args:
        text: the file, line ends as they are.
        changes: by role, the entries of ``models.<role>`` to set, such as ``{"coder": {"key": "x", "size_bytes": 0}}``.
        effective: by role, what these entries mean now; a role that shares a mapping with a changed one gets them
            written out, so that it means the same afterwards.

    Raises:
        ConfigError: the text is written in a way in which this cannot be done; or the text is no YAML.
    """
    try:
        root = compose(text)
        edits = list(_Editor(text, changes, effective).edits(root))
        new = _apply(text, edits)
        right = _is_right(text, new, changes, effective)
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"the configuration cannot be changed: {' '.join(str(error).split())}", _BY_HAND) from error
    if not right:
        roles = ", ".join(changes)
        raise ConfigError(
            f"models of {roles} are written in a way that cannot be changed without side effects", _BY_HAND
        )
    return new


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    new: str


def _apply(text: str, edits: list[_Edit]) -> str:
    for edit in sorted(set(edits), key=lambda e: (e.start, e.end), reverse=True):
        text = text[: edit.start] + edit.new + text[edit.end :]
    return text


def _meaning(text: str) -> dict[str, Any]:
    """The document with every alias written out."""
    document = json.loads(json.dumps(yaml.safe_load(text), default=str))
    return document if isinstance(document, dict) else {}


def _is_right(text: str, new: str, changes: Mapping[str, Values], effective: Mapping[str, Values]) -> bool:
    """Whether the new text means the old one with the changes."""
    wanted, got = _meaning(text), _meaning(new)
    models, after = wanted.get("models") or {}, got.get("models") or {}
    if not all(isinstance(m, dict) and all(isinstance(e or {}, dict) for e in m.values()) for m in (models, after)):
        return False
    models = {**models, **{role: {**(models.get(role) or {}), **values} for role, values in changes.items()}}
    names = {name for values in changes.values() for name in values}
    implied = {role: {n: v for n, v in values.items() if n in names} for role, values in effective.items()}

    def filled(roles: Mapping[str, Any]) -> dict[str, Any]:
        """What its roles mean of the changed entries, since that may be written out or left out."""
        return {role: {**implied.get(role, {}), **(entries or {})} for role, entries in roles.items()}

    return {**wanted, "models": filled(models)} == {**got, "models": filled(after)}


class _Editor:
    """Finds the edits of one text."""

    def __init__(self, text: str, changes: Mapping[str, Values], effective: Mapping[str, Values]) -> None:
        self._text = text
        self._changes = changes
        self._effective = effective
        self._newline = "\r\n" if "\r\n" in text else "\n"

    def edits(self, root: Place | None) -> Iterator[_Edit]:
        """The replacements, in no order."""
        models = pairs(root).get("models") if isinstance(root, yaml.MappingNode) else None
        if root is None or (isinstance(root, yaml.MappingNode) and models is None):
            yield from self._appended()
        elif _is_nothing(models):
            new = ", ".join(f"{role}: {_flow(values)}" for role, values in self._changes.items())
            yield self._filled_in(models, f"{{{new}}}")
        elif isinstance(models, yaml.MappingNode):
            for role, values in self._changes.items():
                yield from self._role(models, role, values)
            yield from self._protected(root, models)

    def _appended(self) -> Iterator[_Edit]:
        nl, end = self._newline, len(self._text)
        lines = "".join(f"  {role}: {_flow(values)}{nl}" for role, values in self._changes.items())
        before = "" if not self._text or self._text.endswith("\n") else nl
        yield _Edit(end, end, f"{before}models:{nl}{lines}")

    def _role(self, models: yaml.MappingNode, role: str, values: Values) -> Iterator[_Edit]:
        place = pairs(models).get(role)
        if place is None:
            yield self._inserted(models, f"{role}: {_flow(values)}")
        elif isinstance(place, Alias):
            yield _Edit(place.start, place.end, _flow(values, f"<<: *{place.name}"))
        elif _is_nothing(place):
            yield self._filled_in(place, _flow(values))
        elif isinstance(place, yaml.MappingNode):
            yield from self._entries(place, values)

    def _entries(self, mapping: yaml.MappingNode, values: Values) -> Iterator[_Edit]:
        own = pairs(mapping)
        for name, value in values.items():
            place = own.get(name)
            if isinstance(place, Alias):
                yield _Edit(place.start, place.end, _scalar(value))
            elif isinstance(place, yaml.ScalarNode):
                yield self._replaced(place, value)
        missing = [f"{name}: {_scalar(value)}" for name, value in values.items() if name not in own]
        if missing:
            yield self._inserted(mapping, *missing)

    def _filled_in(self, place: Place | None, new: str) -> _Edit:
        assert isinstance(place, yaml.ScalarNode)
        start, end = place.start_mark.index, place.end_mark.index
        return _Edit(start, end, new if start < end else f" {new}")

    def _replaced(self, place: yaml.ScalarNode, value: str | int | None) -> _Edit:
        start, end = place.start_mark.index, place.end_mark.index
        anchor = re.match(r"&[^\s,{}\[\]]+\s+", self._text[start:end])  # the mark of an anchored value is its anchor's
        start += len(anchor[0]) if anchor else 0
        if start == end:
            return _Edit(start, end, f" {_scalar(value)}")
        return _Edit(start, end, _scalar(value, place.style))

    def _inserted(self, mapping: yaml.MappingNode, *entries: str) -> _Edit:
        """Before the first entry, in the mapping's own style."""
        if mapping.flow_style or not mapping.value:
            at = self._text.index("{", mapping.start_mark.index) + 1
            more = ", " if mapping.value else ""
            return _Edit(at, at, ", ".join(entries) + more)
        first = mapping.value[0][0].start_mark
        joint = self._newline + " " * first.column
        return _Edit(first.index, first.index, "".join(entry + joint for entry in entries))

    def _protected(self, root: Place, models: yaml.MappingNode) -> Iterator[_Edit]:
        """What keeps the roles that share a changed mapping as they are."""
        by_role = pairs(models)
        changed = {id(by_role[role]): values for role, values in self._changes.items() if role in by_role}
        for role, place in by_role.items():
            if role in self._changes:
                continue
            old = self._effective.get(role, {})
            if isinstance(place, Alias) and id(place.node) in changed:
                values = {n: old[n] for n in changed[id(place.node)] if n in old}
                yield _Edit(place.start, place.end, _flow(values, f"<<: *{place.name}"))
            elif isinstance(place, yaml.MappingNode):
                merged = [p for p in _merged(place) if id(p.node) in changed]
                lost = {n: old[n] for p in merged for n in changed[id(p.node)] if n in old and n not in pairs(place)}
                if lost:
                    yield self._inserted(place, *(f"{n}: {_scalar(v)}" for n, v in lost.items()))
        yield from self._shared_scalars(root, by_role)

    def _shared_scalars(self, root: Place, by_role: Mapping[str, Place]) -> Iterator[_Edit]:
        """Aliases of a single value that is changed get the old value."""
        replaced: dict[int, Place] = {}
        for role, values in self._changes.items():
            place = by_role.get(role)
            if isinstance(place, yaml.MappingNode):
                replaced |= {id(p): p for name, p in pairs(place).items() if name in values}
        for alias in _aliases(root):
            if id(alias.node) in replaced and isinstance(alias.node, yaml.ScalarNode):
                yield _Edit(alias.start, alias.end, _scalar(alias.node.value, alias.node.style))


def _is_nothing(place: Place | None) -> bool:
    return isinstance(place, yaml.ScalarNode) and str(place.tag).endswith(":null")


def _merged(mapping: yaml.MappingNode) -> list[Alias]:
    found: list[Alias] = []
    for key, value in mapping.value:
        if key.value == "<<":
            items = value.value if isinstance(value, yaml.SequenceNode) else [value]
            found += [item for item in items if isinstance(item, Alias)]
    return found


def _aliases(place: Place) -> Iterator[Alias]:
    if isinstance(place, Alias):
        yield place
    elif isinstance(place, yaml.MappingNode):
        for _, value in place.value:
            yield from _aliases(value)
    elif isinstance(place, yaml.SequenceNode):
        for value in place.value:
            yield from _aliases(value)


def _flow(values: Values, *before: str) -> str:
    return "{" + ", ".join([*before, *(f"{name}: {_scalar(value)}" for name, value in values.items())]) + "}"


def _scalar(value: str | int | None, style: str | None = '"') -> str:
    """The value as YAML, in the quotes that the old one had."""
    if value is None:
        return "null"
    if isinstance(value, int):
        return str(value)
    if style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if style is None and _PLAIN.fullmatch(value) and value.lower() not in _WORDS_OF_YAML:
        return value
    return json.dumps(value, ensure_ascii=False)
