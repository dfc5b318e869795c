"""What a validator is given: the texts of a change before and after. And how old smells are told from new ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from lao.core.errors import BadInput
from lao.tools.paths import resolve

LARGEST: Final = 1_000_000
"""Bytes of a file that is looked into."""


@dataclass(frozen=True)
class Smell:
    """Something seen in a text.

    Attributes:
        line: 1-based.
        key: equal for the same thing at another place, so that what was only moved is nobody's fault.
        shown: what is said of it.
        grave: certain enough to be more than a note; what that means is the validator's.
    """

    line: int
    key: str
    shown: str
    grave: bool = False


@dataclass(frozen=True)
class Change:
    """One change of a folder.

    Attributes:
        root: the folder as it is after the change.
        after: text by path of the changed files that are there and are text, and of claimed ones.
        before: text by path of what was there before; a path of ``after`` that is missing here is a new file.
        claimed: paths that the task is to write.
        plan: what was asked for: the texts of plan and task, and the paths of the plan's other tasks.
    """

    root: Path
    after: Mapping[str, str]
    before: Mapping[str, str]
    claimed: frozenset[str] = frozenset()
    plan: str = ""

    @property
    def new(self) -> tuple[str, ...]:
        """Paths of files that were not there before."""
        return tuple(path for path in self.after if path not in self.before)

    def changed(self, *suffixes: str) -> Iterator[tuple[str, str]]:
        """(path, text) of files that differ from before, of these suffixes; of all without any."""
        for path, text in self.after.items():
            wanted = not suffixes or PurePosixPath(path).suffix.lower() in suffixes
            if wanted and self.before.get(path) != text:
                yield path, text

    def fresh(
        self, look: Callable[[str, str], Iterable[Smell]], *suffixes: str
    ) -> Iterator[tuple[str, tuple[Smell, ...]]]:
        """(path, smells) of what ``look(path, text)`` sees now and did not see anywhere before, in changed files."""
        changed = dict(self.changed(*suffixes))
        seen = {path: tuple(look(path, text)) for path, text in changed.items()}
        if not any(seen.values()):
            return
        old: Counter[str] = Counter()
        for path, text in self.before.items():
            if self.after.get(path) != text and (not suffixes or PurePosixPath(path).suffix.lower() in suffixes):
                old.update(smell.key for smell in look(path, text))
        for path, smells in seen.items():
            new = []
            for smell in smells:
                if old[smell.key] > 0:
                    old[smell.key] -= 1
                else:
                    new.append(smell)
            if new:
                yield path, tuple(new)


def change_of(
    root: Path, changed: Iterable[str], before: Mapping[str, str], *, claimed: Iterable[str] = (), plan: str = ""
) -> Change:
    """The change of ``changed`` paths as they are in ``root`` now; what is no text or too large is left out."""
    wanted = frozenset(claimed)
    texts = {path: text for path in dict.fromkeys(changed) if (text := text_in(root, path)) is not None}
    return Change(root, texts, before, wanted, plan)


def text_in(root: Path, path: str) -> str | None:
    """The text of a file of ``root``; None when it is none, lies outside, is binary or too large."""
    try:
        target = resolve(root, path)
        if not target.is_file() or target.stat().st_size > LARGEST:
            return None
        return decoded(target.read_bytes())
    except (BadInput, OSError, ValueError):
        return None


def decoded(raw: bytes) -> str | None:
    """Text, bad bytes replaced; None for what is binary."""
    return None if b"\0" in raw[:8_192] else raw.decode("utf-8", errors="replace")


def lines_of(smells: Iterable[Smell]) -> str:
    """``lines 3, 17`` for a message, the first ten."""
    numbers = [str(smell.line) for smell in smells]
    more = f" and {len(numbers) - 10} more" if len(numbers) > 10 else ""
    return f"line{'s' if len(numbers) > 1 else ''} {', '.join(numbers[:10])}{more}"
