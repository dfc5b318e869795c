"""Numbers with their nouns, as a person writes them."""

from __future__ import annotations


def several(number: int, noun: str) -> str:
    """``1 task``, ``2 tasks``; the noun takes an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def state(name: str) -> str:
    """A state as people say it: ``"needs_human"`` is ``"for a person"``."""
    return "for a person" if name == "needs_human" else name
