"""YAML text to plain data with the line of every entry; duplicate keys and broken text are errors. Knows no schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lao.config.schema import KeyPath, dotted
from lao.core.errors import ConfigError

# A configuration is small; the limits stop alias bombs and files given by mistake.
MAX_BYTES = 1_000_000
MAX_NODES = 20_000
_PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Scalar:
    """A single value as YAML read it, and as it stands in the file."""

    value: Any
    text: str


@dataclass
class Document:
    """A parsed file: nested dicts, lists and ``Scalar``, and the line of each entry (from 1)."""

    data: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)


def read(path: Path, shown: str) -> Document:
    """Read and parse a YAML file.

    Args:
        shown: how messages name the file.

    Raises:
        ConfigError: missing, unreadable, not UTF-8, broken, or with duplicate keys.
    """
    return parse(_text(path, shown), shown)


def _text(path: Path, shown: str) -> str:
    try:
        raw = path.read_bytes()
    except FileNotFoundError as error:
        hint = "Check the name (--config, LAO_CONFIG), or run `lao init` for a new file."
        raise ConfigError(f"configuration file {shown!r} does not exist", hint) from error
    except OSError as error:
        hint = "Name a readable file with --config."
        raise ConfigError(f"configuration file {shown!r} cannot be read: {error.strerror}", hint) from error
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"configuration file {shown!r} has {len(raw)} bytes; at most {MAX_BYTES} are read")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"{shown}:{line}: byte 0x{raw[error.start]:02x} is not UTF-8"
        raise ConfigError(message, "Save the file as UTF-8.") from error


def parse(text: str, shown: str) -> Document:
    """Parse YAML text.

    Raises:
        ConfigError: broken YAML, a duplicate key, a value that YAML cannot build.
    """
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        return _Builder(loader, shown).build(root)
    except yaml.YAMLError as error:
        raise _broken(error, text, shown) from error
    except (ValueError, OverflowError) as error:
        raise ConfigError(f"{shown}: a value cannot be read: {error}", "Put the value in quotes.") from error
    except RecursionError as error:
        raise ConfigError(f"{shown}: nested too deeply") from error
    finally:
        loader.dispose()


def _broken(error: yaml.YAMLError, text: str, shown: str) -> ConfigError:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    if mark is None:
        position = min(getattr(error, "position", 0) or 0, len(text))
        line, column = text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)
    else:
        line, column = mark.line + 1, mark.column + 1
    lines = text.split("\n")
    tabbed = line <= len(lines) and "\t" in lines[line - 1]
    hint = (
        "Indent with spaces, not tabs." if tabbed else "Correct the YAML at that place; text with : or # needs quotes."
    )
    return ConfigError(f"{shown}:{line}:{column}: broken YAML: {problem}", hint)


class _Builder:
    """Turns the node tree into data. Keys stay the text of the file, so that ``on:`` is not True."""

    def __init__(self, loader: Any, shown: str) -> None:
        self._loader = loader
        self._shown = shown
        self._lines: dict[KeyPath, int] = {}
        self._open: set[int] = set()
        self._flat: set[int] = set()
        self._count = 0

    def build(self, root: yaml.Node | None) -> Document:
        if root is None:
            return Document(None)
        return Document(self._value(root, ()), self._lines)

    def _value(self, node: yaml.Node, path: KeyPath) -> Any:
        self._count += 1
        if self._count > MAX_NODES:
            raise self._error(node, path, f"more than {MAX_NODES} values")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if node.tag not in _PLAIN_TAGS:
            raise self._error(node, path, f"the tag {node.tag!r} is not known")
        if id(node) in self._open:
            raise self._error(node, path, "the alias contains itself")
        self._open.add(id(node))
        built = self._mapping(node, path) if isinstance(node, yaml.MappingNode) else self._sequence(node, path)
        self._open.discard(id(node))
        return built

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Scalar:
        try:
            value = self._loader.construct_object(node)
        except ValueError as error:
            raise self._error(node, path, f"{node.value!r} cannot be read ({error}); put it in quotes") from error
        return Scalar(value, node.value)

    def _sequence(self, node: yaml.Node, path: KeyPath) -> list[Any]:
        built = []
        for index, child in enumerate(node.value):
            here = (*path, index)
            self._lines.setdefault(here, child.start_mark.line + 1)
            built.append(self._value(child, here))
        return built

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        if id(node) not in self._flat:  # an alias leads here again, and merged keys would look like duplicates
            self._flat.add(id(node))
            self._refuse_duplicates(node, path)
            self._loader.flatten_mapping(node)  # merged (<<) entries come first, so that the mapping's own win
        built: dict[str, Any] = {}
        for key_node, child in node.value:
            here = (*path, key_node.value)
            self._lines[here] = key_node.start_mark.line + 1
            built[key_node.value] = self._value(child, here)
        return built

    def _refuse_duplicates(self, node: yaml.MappingNode, path: KeyPath) -> None:
        first: dict[str, int] = {}
        for key_node, _ in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(key_node, path, "a key must be one word, not a list or mapping")
            if key_node.value in first:
                text = f"given twice (first in line {first[key_node.value]})"
                raise self._error(key_node, (*path, key_node.value), text)
            first[key_node.value] = line

    def _error(self, node: yaml.Node, path: KeyPath, text: str) -> ConfigError:
        key = f" {dotted(path)}:" if path else ""
        return ConfigError(f"{self._shown}:{node.start_mark.line + 1}:{key} {text}", "Correct that line.")
