"""The tools on offer, and which of them a model means: names and arguments put right where one reading is possible."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lao.core.words import Json
from lao.llm.clean import strip_special

_FILLERS = frozenset({"explanation", "reason", "reasoning", "thought", "thoughts", "rationale", "purpose"})
_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "integer": (int,), "number": (int, float), "boolean": (bool,),
}  # fmt: skip


@dataclass(frozen=True)
class Aliases:
    """Other names that models use, folded (lower case, letters and digits only).

    Attributes:
        names: for a tool's name the tools that it may mean.
        arguments: for an argument's name ours.
    """

    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)


class Offered:
    """The tools of one request."""

    def __init__(self, tools: Sequence[Mapping[str, Json]], aliases: Aliases | None = None) -> None:
        self.schemas: dict[str, Mapping[str, Json]] = {
            t["function"]["name"]: t["function"].get("parameters") or {} for t in tools
        }
        self._aliases = aliases or Aliases()

    def name(self, written: str, arguments: Mapping[str, Json] | None = None) -> str:
        """The offered tool that ``written`` means (prefixes, harmony marks, case, underscores, aliases), or "".

        Args:
            arguments: decide between the tools that an alias may mean; without them it must mean one only.
        """
        plain = _bare_name(written)
        if plain in self.schemas:
            return plain
        for names in (self._folded(plain), self._aliases.names.get(fold(plain), ())):
            candidates = [n for n in names if n in self.schemas]
            if len(candidates) > 1 and arguments is not None:
                candidates = [n for n in candidates if not self.problem(n, self.fitted(n, arguments))]
            if candidates:
                return candidates[0] if len(candidates) == 1 else ""
        half = plain[: len(plain) // 2]  # a stream glued together wrongly says its name twice
        return half if half in self.schemas and half * 2 == plain else ""

    def knows(self, written: str) -> bool:
        """Whether ``written`` is an offered tool's own name, apart from case and underscores."""
        plain = _bare_name(written)
        return plain in self.schemas or len(self._folded(plain)) == 1

    def _folded(self, name: str) -> tuple[str, ...]:
        return tuple(n for n in self.schemas if fold(n) == fold(name)) if fold(name) else ()

    def fitted(self, name: str, given: Mapping[str, Json]) -> dict[str, Json]:
        """Arguments under our names, strings decoded or coerced where the schema wants another type."""
        schema = self.schemas[name]
        properties = schema.get("properties") or {}
        kept = self._renamed(given, properties)
        if schema.get("additionalProperties") is False:
            kept = {k: v for k, v in kept.items() if k in properties or k not in _FILLERS}
        optional = set(properties) - set(schema.get("required") or ())
        kept = {k: v for k, v in kept.items() if not (v is None and k in optional)}
        return {k: _fit(v, _type_of(properties.get(k))) for k, v in kept.items()}

    def _renamed(self, given: Mapping[str, Json], properties: Mapping[str, Json]) -> dict[str, Json]:
        meant: dict[str, list[str]] = {}
        for key in given:
            if key not in properties:
                same = [p for p in properties if fold(p) == fold(key)]
                target = same[0] if len(same) == 1 else self._aliases.arguments.get(fold(key), "")
                if target in properties and target not in given:
                    meant.setdefault(target, []).append(key)
        ours = {keys[0]: target for target, keys in meant.items() if len(keys) == 1}
        return {ours.get(k, k): v for k, v in given.items()}

    def problem(self, name: str, arguments: Mapping[str, Json]) -> str:
        """What is wrong with the arguments of a known tool, "" when nothing."""
        from lao.llm.structured import schema_problem

        return schema_problem(dict(arguments), dict(self.schemas[name]))


def fold(name: str) -> str:
    """``name`` without case, underscores, dashes and whatever stands before its last dot."""
    return "".join(c for c in name.rsplit(".", 1)[-1].casefold() if c.isalnum())


def _bare_name(written: str) -> str:
    name = re.sub(r"<\|.*", "", written, flags=re.DOTALL).strip().strip("`'\"")
    return re.sub(r"^(?:functions?|tools?)\.|:\d+$|\(\)$", "", name)


def decode_arguments(raw: str) -> dict[str, Json] | None:
    """The argument object of a call's text; "" is the empty object; None when it is not exactly one object."""
    raw = strip_special(raw).strip()
    if not raw:
        return {}
    try:
        value = _decode(raw)
        if isinstance(value, str):
            value = _decode(value)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _decode(text: str) -> Json:
    decoder = json.JSONDecoder(strict=False, object_pairs_hook=unique_keys)  # raw line breaks are a dialect, not damage
    value, end = decoder.raw_decode(text.strip())
    rest = text.strip()[end:].strip()
    while rest:  # a last chunk that repeats the whole is the same call
        again, end = decoder.raw_decode(rest)
        if again != value:
            raise ValueError("two different values")
        rest = rest[end:].strip()
    return value


def unique_keys(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, value in pairs:
        if key in found and found[key] != value:
            raise ValueError(f"{key!r} twice")
        found[key] = value
    return found


def _fit(value: Json, wanted: str) -> Json:
    if wanted == "string" and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    if wanted == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, str) or wanted not in _TYPES:
        return value
    try:
        decoded = json.loads(value.strip().lower() if wanted == "boolean" else value, strict=False)
    except (ValueError, RecursionError):
        return value
    if isinstance(decoded, bool) and wanted != "boolean":
        return value
    if wanted == "integer" and isinstance(decoded, float) and decoded.is_integer():
        return int(decoded)
    return decoded if isinstance(decoded, _TYPES[wanted]) else value


def _type_of(schema: Json) -> str:
    kind = schema.get("type", "") if isinstance(schema, Mapping) else ""
    return kind if isinstance(kind, str) else ""
