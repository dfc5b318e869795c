"""Checks a draft against the schema and words what is wrong. A draft that passed once is known by a stamp."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lao import __version__
from lao.config.draft import Draft, lookup
from lao.config.hosts import host_problems
from lao.config.problems import Problems, did_you_mean, nearest
from lao.config.redact import redact
from lao.config.rules import rule_problems
from lao.config.schema import KeyPath, Node, Schema, dotted, expectation, is_section

if TYPE_CHECKING:
    from jsonschema import ValidationError

STAMP_FILE = "config.ok"
_KEPT_STAMPS = 16
_FOUND_WIDTH = 60


def check(draft: Draft, schema: Schema, state_dir: Path | None) -> None:
    """Validate the draft, unless the same data passed before.

    Args:
        state_dir: where the stamp is kept; nothing is kept when the folder does not exist.

    Raises:
        ConfigError: all problems together, the first five shown.
    """
    stamp = _stamp(draft, schema)
    if state_dir is not None and stamp in _stamps(state_dir):
        return
    problems = Problems()
    _add_schema_problems(draft, schema, problems)
    if not problems.found:
        _add_meaning_problems(draft, problems)
    problems.raise_if_any()
    if state_dir is not None:
        _keep_stamp(state_dir, stamp)


def _stamp(draft: Draft, schema: Schema) -> str:
    data = json.dumps(draft.data, sort_keys=True, default=repr)
    return hashlib.sha256("\n".join((__version__, schema.text, data)).encode()).hexdigest()


def _stamps(state_dir: Path) -> list[str]:
    try:
        return (state_dir / STAMP_FILE).read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return []


def _keep_stamp(state_dir: Path, stamp: str) -> None:
    """Best effort: without it the next start only takes a tenth of a second longer."""
    file = state_dir / STAMP_FILE
    part = file.with_name(f"{STAMP_FILE}.{stamp[:12]}")
    try:
        if state_dir.is_dir():
            kept = [*_stamps(state_dir), stamp][-_KEPT_STAMPS:]
            part.write_text("\n".join(kept) + "\n", encoding="ascii")
            part.replace(file)
    except OSError:
        return


def _add_schema_problems(draft: Draft, schema: Schema, problems: Problems) -> None:
    # Imported here: it takes a tenth of a second, and a stamped configuration does not need it.
    from jsonschema import Draft202012Validator

    seen: set[KeyPath] = set()
    found: list[tuple[KeyPath, str]] = []
    for error in Draft202012Validator(schema.document).iter_errors(draft.data):
        for path, text in _worded(error, schema):
            if path not in seen:
                seen.add(path)
                found.append((path, text))
    found.extend((path, "expected a finite number") for path in _not_finite(draft.data, ()))
    for path, text in sorted(found, key=lambda entry: _order(draft, entry[0])):
        problems.add(draft.where(path), dotted(path), text)


def _order(draft: Draft, path: KeyPath) -> tuple[int, str]:
    lengths = range(len(path), 0, -1)
    return next((draft.lines[path[:n]] for n in lengths if path[:n] in draft.lines), 0), dotted(path)


def _worded(error: ValidationError, schema: Schema) -> Iterator[tuple[KeyPath, str]]:
    path: KeyPath = tuple(error.absolute_path)
    node = schema.at(path) or {}
    instance: Any = error.instance
    if error.validator == "additionalProperties":
        for name in instance:
            if name not in node.get("properties", {}):
                yield (*path, name), _unknown(name, path, node, schema)
    elif "propertyNames" in error.absolute_schema_path:
        yield (*path, instance), _unknown_analyzer(str(instance), node)
    elif error.validator == "required":
        missing = [name for name in node["required"] if name not in instance]
        yield path, f"the key {', '.join(map(repr, missing))} is missing"
    else:
        yield path, f"expected {expectation(node)}, found {_found(path, instance)}{_meant(node, instance)}"


def _unknown_analyzer(name: str, node: Node) -> str:
    """Says all known ones but those of LAO 3.1 that mean nothing any more."""
    names = node["propertyNames"]
    known = [word for word in names["enum"] if word not in names.get("x-unused", ())]
    match = nearest(name, known)
    meant = f'did you mean "{match}"? ' if match else ""
    return f"unknown analyzer {str(node['x-map']).lower()}; {meant}known: {', '.join(known)}"


def _unknown(name: str, path: KeyPath, node: Node, schema: Schema) -> str:
    siblings = [key for key, child in node["properties"].items() if "x-alias-of" not in child]
    everywhere = [leaf.key for leaf in schema.leaves()]
    everywhere += [key for key, child in schema.document["properties"].items() if is_section(schema.resolve(child))]
    what = "role" if path == ("models",) else "key"
    text = did_you_mean(name, siblings, everywhere)
    return f"unknown {what}; {text}" if text else f"unknown {what}"


def _meant(node: Node, value: Any) -> str:
    """The nearest of a list of words."""
    match = (
        nearest(value, [w for w in node.get("enum", node.get("x-words", ())) if isinstance(w, str)])
        if isinstance(value, str)
        else None
    )
    return f'; did you mean "{match}"?' if match else ""


def _found(path: KeyPath, value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    shown = redact(dotted(path), value)
    text = json.dumps(shown, ensure_ascii=False, default=str)
    return text if len(text) <= _FOUND_WIDTH else text[:_FOUND_WIDTH] + "…"


def _not_finite(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    if isinstance(value, dict):
        for name, entry in value.items():
            yield from _not_finite(entry, (*path, name))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _not_finite(entry, (*path, index))
    elif isinstance(value, float) and not math.isfinite(value):
        yield path


def _add_meaning_problems(draft: Draft, problems: Problems) -> None:
    """What a schema cannot say: names that must exist, entries that need one another."""
    chosen = lookup(draft.data, ("orchestration", "validation_profile")) or "default"
    profiles = lookup(draft.data, ("orchestration", "validation_profiles")) or {}
    if chosen != "default" and chosen not in profiles:
        path: KeyPath = ("orchestration", "validation_profile")
        hint = did_you_mean(chosen, [*profiles, "default"])
        problems.add(draft.where(path), dotted(path), f"no entry {chosen!r} in validation_profiles; {hint}")
    for kind, index, text in rule_problems(draft.data.get("permissions") or {}):
        path = ("permissions", kind, index)
        problems.add(draft.where(path), dotted(path), text)
    network = (draft.data.get("sandbox") or {}).get("network")
    for index, text in host_problems(network) if isinstance(network, list) else ():
        path = ("sandbox", "network", index)
        problems.add(draft.where(path), dotted(path), text)
    names: set[str] = set()
    for index, server in enumerate(draft.data.get("mcp_servers") or []):
        path = ("mcp_servers", index)
        if server["name"] in names:
            problems.add(draft.where(path), dotted(path), f"the name {server['name']!r} is given twice")
        names.add(server["name"])
        if not server.get("command") and not server.get("url"):
            problems.add(draft.where(path), dotted(path), f"server {server['name']!r} needs a command or a url")
