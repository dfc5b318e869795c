"""Problems of a configuration, collected and worded as one error of one screen. Finds none itself."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lao.core.errors import ConfigError

SHOWN = 5


@dataclass(frozen=True)
class Problem:
    """One mistake. ``where`` is a file with its line, a flag or a variable; ``key`` is dotted, "" for the whole."""

    where: str
    key: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.key}: {self.text}" if self.key else f"{self.where}: {self.text}"


@dataclass
class Problems:
    """Collects problems, so that one run shows several."""

    found: list[Problem] = field(default_factory=list)

    def add(self, where: str, key: str, text: str) -> None:
        self.found.append(Problem(where, key, text))

    def raise_if_any(self) -> None:
        """Raise what was collected.

        Raises:
            ConfigError: at least one problem; the first five are shown.
        """
        if not self.found:
            return
        lines = [str(problem) for problem in self.found[:SHOWN]]
        if len(self.found) > SHOWN:
            lines.append(f"and {len(self.found) - SHOWN} more")
        head = "" if len(self.found) == 1 else f"{len(self.found)} problems in the configuration:\n  "
        raise ConfigError(head + "\n  ".join(lines), "factory.example.yaml lists every key with its default.")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like ``word``, or None when none is."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(word: str, siblings: Sequence[str], everywhere: Iterable[str] = ()) -> str:
    """`` did you mean "x"?`` with a sibling key, else the same word elsewhere, else a list of the siblings."""
    match = nearest(word, siblings)
    if match is None:
        match = next((key for key in everywhere if key.rsplit(".", 1)[-1] == word), None)
    if match is not None:
        return f'did you mean "{match}"?'
    return f"known here: {', '.join(siblings)}" if 0 < len(siblings) <= 12 else ""
