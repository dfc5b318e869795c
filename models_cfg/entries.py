"""The catalogue of models: what families/*.yaml says, as records. Which key means which model: spelling.py."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from types import MappingProxyType
from typing import Any

import yaml

from lao.core.errors import LaoError


@dataclass(frozen=True)
class Cache:
    """What the memory of a context depends on.

    Attributes:
        layers: those that hold the whole context.
        window_layers: those that hold the last ``window`` tokens only.
    """

    layers: int
    kv_heads: int
    head_dim: int
    window_layers: int = 0
    window: int = 0


@dataclass(frozen=True)
class Entry:
    """One model. What is not known is 0, "" or empty; where each fact stands is in the file only.

    Attributes:
        id: as in the file, lower case: ``qwen3-coder-30b-a3b-instruct``.
        kind: coder, general, reasoning, small or embedder.
        names: how servers spell it, see spelling.py.
        context: tokens that it was made for.
        tools: the form of its tool calls, by the name of vLLM's parser; "generic" when it has none of its own.
        edit_format: "whole" or "diff", as published by aider.
        sampling: temperature, top_p, top_k, min_p, repetition_penalty, as far as its vendor recommends them.
        repository: on huggingface.co, with GGUF files.
        files: bytes by quantisation.
    """

    id: str
    name: str
    kind: str
    page: str
    names: tuple[str, ...] = ()
    parameters: int = 0
    active_parameters: int = 0
    context: int = 0
    tools: str = ""
    edit_format: str = ""
    licence: str = ""
    sampling: Mapping[str, float] = field(default_factory=dict)
    cache: Cache | None = None
    repository: str = ""
    files: Mapping[str, int] = field(default_factory=dict)


@functools.cache
def entries() -> Mapping[str, Entry]:
    """All models by id.

    Raises:
        LaoError: two files have a model of the same id.
    """
    found: dict[str, Entry] = {}
    for name, document in documents().items():
        for key, facts in document.items():
            if key in found:
                raise LaoError(f"models_cfg/families/{name}: {key!r} is in another file, too", "Remove one of them.")
            found[key] = _entry(key, facts)
    return MappingProxyType(found)


def documents() -> Mapping[str, dict[str, dict[str, Any]]]:
    """The files by name, as YAML reads them; dates stay text."""
    folder = resources.files("models_cfg").joinpath("families")
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name)
    return {f.name: yaml.load(f.read_text(encoding="utf-8"), _TextDates) for f in files}  # noqa: S506 - a SafeLoader


class _TextDates(yaml.SafeLoader):
    """YAML without dates as a type of their own, as the schema checks text; a key given twice is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [child.value for child, _ in node.value]
        if len(set(keys)) < len(keys):
            raise yaml.constructor.ConstructorError(None, None, "a key is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


_TextDates.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _entry(key: str, facts: Mapping[str, Any]) -> Entry:
    def value(name: str, absent: Any) -> Any:
        return facts[name]["value"] if name in facts else absent

    cache = {k: v for k, v in facts.get("cache", {}).items() if k not in ("source", "checked", "told")}
    files = facts.get("files", {"repository": "", "bytes": {}})
    return Entry(
        id=key,
        name=facts["name"],
        kind=facts["kind"],
        page=facts["model"],
        names=tuple(facts.get("names", ())),
        parameters=value("parameters", 0),
        active_parameters=value("active_parameters", 0),
        context=value("context", 0),
        tools=value("tools", ""),
        edit_format=value("edit_format", ""),
        licence=value("licence", ""),
        sampling={k: v for k, v in facts.get("sampling", {}).items() if k not in ("source", "checked", "told")},
        cache=Cache(**cache) if cache else None,
        repository=files["repository"],
        files=dict(files["bytes"]),
    )
