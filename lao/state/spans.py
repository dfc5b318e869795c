"""Arithmetic of spans of time, (begin, end) in seconds, in the order of their beginnings. Reads nothing."""

from __future__ import annotations

from collections.abc import Iterable


def together(spans: Iterable[tuple[float, float]]) -> float:
    """The seconds that lie in any of the spans, each counted once."""
    total, reached = 0.0, float("-inf")
    for begin, end in spans:
        total += max(0.0, end - max(begin, reached))
        reached = max(reached, end)
    return total
