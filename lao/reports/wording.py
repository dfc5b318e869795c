"""Numbers with their nouns, as a person writes them."""

from __future__ import annotations


def several(number: int, noun: str) -> str:
    """``1 task``, ``2 tasks``; the noun takes an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
