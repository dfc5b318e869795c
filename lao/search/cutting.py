"""Cuts a text into chunks of lines that are small enough for an embedding model. Knows no language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MOST: Final = 1_600
_LEAST: Final = 500
_LONGEST_LINE: Final = 400


@dataclass(frozen=True)
class Chunk:
    """Lines of a text; ``first`` and ``last`` count from 1, both included. Overlong lines are cut in ``text``."""

    first: int
    last: int
    text: str


def cut(text: str) -> tuple[Chunk, ...]:
    """The whole text in chunks of at most 1,600 characters, cut before a line without indentation where possible."""
    chunks: list[Chunk] = []
    held: list[str] = []
    first, size, blank = 1, 0, False
    for number, full in enumerate(text.splitlines(), 1):
        line = full[:_LONGEST_LINE]
        begins = blank and bool(line) and not line[0].isspace()
        if held and (size + len(line) > _MOST or (begins and size >= _LEAST)):
            chunks.append(Chunk(first, number - 1, "\n".join(held)))
            held, first, size = [], number, 0
        held.append(line)
        size += len(line) + 1
        blank = not line.strip()
    if any(line.strip() for line in held):
        chunks.append(Chunk(first, first + len(held) - 1, "\n".join(held)))
    return tuple(chunks)
