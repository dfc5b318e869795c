"""References to rows, as text: making, splitting and shortening them. Resolves nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from lao.core.errors import BadInput

KINDS: Final = ("plan", "task", "run", "step", "validation", "finding", "event", "question", "requirement", "commit")
NUMBERED: Final = ("task", "run", "validation", "finding", "event", "question")
_RANGE: Final = re.compile(r"^(\d+)\.\.(\d+)$")
_LONGEST_RANGE: Final = 100_000


def ref(kind: str, *parts: object) -> str:
    """``ref("task", 7)`` is ``"task:7"``, ``ref("step", 12, 3)`` is ``"step:12/3"``."""
    return f"{kind}:{'/'.join(str(part) for part in parts)}"


def split(reference: str) -> tuple[str, str]:
    """Kind and the rest.

    Raises:
        BadInput: this is no reference.
    """
    kind, colon, rest = reference.partition(":")
    if kind not in KINDS or not colon or not rest:
        raise BadInput(f"{reference!r} is no reference", f"one begins with {', '.join(f'{k}:' for k in KINDS)}")
    return kind, rest


def short(references: Iterable[str]) -> str:
    """The references in one line; neighbours of a numbered kind as a range, ``validation:55..58``."""
    found: list[str] = []
    for kind, group in groupby(dict.fromkeys(references), key=lambda text: text.partition(":")[0]):
        items = [text.partition(":")[2] for text in group]
        if kind not in NUMBERED:
            found += [f"{kind}:{item}" for item in items]
            continue
        for _, run in groupby(enumerate(int(item) for item in items), key=lambda pair: pair[1] - pair[0]):
            numbers = [number for _, number in run]
            found.append(f"{kind}:{numbers[0]}" + (f"..{numbers[-1]}" if len(numbers) > 1 else ""))
    return " ".join(found)


def long(text: str) -> Iterator[str]:
    """The references that ``short`` has put in a line.

    Raises:
        BadInput: a range that is none.
    """
    for word in text.split():
        kind, _, rest = word.partition(":")
        match = _RANGE.match(rest) if kind in NUMBERED else None
        if match is None:
            yield word
            continue
        first, last = int(match[1]), int(match[2])
        if not first <= last < first + _LONGEST_RANGE:
            raise BadInput(f"{word!r} is no range of references", "the report was changed by hand: make it again")
        for number in range(first, last + 1):
            yield f"{kind}:{number}"
