"""A configuration on its way to ``Settings``: what was given, and the place that each entry came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lao.config.schema import KeyPath


@dataclass
class Draft:
    """Sparse data (only what was given) and where each entry came from.

    Attributes:
        shown: how messages name the file; ``name`` is how provenance does.
        lines: line in the file of each entry.
        overrides: the flag or variable that set an entry, for example ``"flag --db"``.
    """

    shown: str
    name: str
    data: dict[str, Any] = field(default_factory=dict)
    lines: dict[KeyPath, int] = field(default_factory=dict)
    overrides: dict[KeyPath, str] = field(default_factory=dict)

    def where(self, path: KeyPath) -> str:
        """The place to correct: a flag, a variable, or the file with the line of the entry or of what holds it."""
        if path in self.overrides:
            return self.overrides[path]
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return f"{self.shown}:{self.lines[path[:length]]}"
        return self.shown

    def source(self, path: KeyPath) -> str | None:
        """Provenance of one setting, or None when it has its default."""
        if path in self.overrides:
            return self.overrides[path]
        return f"{self.name}:{self.lines[path]}" if path in self.lines else None

    def given(self, path: KeyPath) -> bool:
        """Whether the file, a variable or a flag gives this entry."""
        return lookup(self.data, path) is not None

    def put(self, path: KeyPath, value: Any, source: str) -> None:
        """Set one entry from a flag or a variable."""
        place(self.data, path, value)
        self.overrides[path] = source


def lookup(data: Any, path: KeyPath) -> Any:
    """The entry at ``path``, or None."""
    for name in path:
        if not isinstance(data, dict) or name not in data:
            return None
        data = data[name]
    return data


def place(data: dict[str, Any], path: KeyPath, value: Any) -> None:
    """Set the entry at ``path``; what lies in the way and is no mapping stays, for validation to name."""
    *parents, last = path
    here: Any = data
    for name in parents:
        if here.get(name) is None:
            here[name] = {}
        here = here[name]
        if not isinstance(here, dict):
            return
    here[last] = value
