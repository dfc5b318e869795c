"""What the gate remembers between loads: what they took, and which instances are LAO's. lao.state.loads keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Protocol

CERTAIN = 3
"""Figures that are kept for a model and context; so many of them can be relied upon."""


class LoadRecord(Protocol):
    """The memory of one server's loads."""

    def taken(self, model: str, context: int) -> tuple[int, ...]:
        """Bytes that the last loads of the model with this context took, the newest last; at most three."""
        ...

    def note_taken(self, model: str, context: int, count: int) -> None:
        """Add a figure, in bytes."""
        ...

    def loaded(self) -> Mapping[str, str]:
        """The instances that LAO loaded, with their model."""
        ...

    def note_loaded(self, instance: str, model: str) -> None:
        """LAO has loaded this instance."""
        ...

    def note_gone(self, instance: str) -> None:
        """The instance is gone; an unknown one is no error."""
        ...


class LoadsInMemory:
    """A LoadRecord that ends with the process."""

    def __init__(self) -> None:
        self._taken: dict[tuple[str, int], list[int]] = {}
        self._loaded: dict[str, str] = {}

    def taken(self, model: str, context: int) -> tuple[int, ...]:
        return tuple(self._taken.get((model, context), ()))

    def note_taken(self, model: str, context: int, count: int) -> None:
        self._taken[model, context] = [*self.taken(model, context), count][-CERTAIN:]

    def loaded(self) -> Mapping[str, str]:
        return dict(self._loaded)

    def note_loaded(self, instance: str, model: str) -> None:
        self._loaded[instance] = model

    def note_gone(self, instance: str) -> None:
        self._loaded.pop(instance, None)


def learned(taken: tuple[int, ...]) -> int:
    """The figure to reckon with, 0 without any: the median of three, so that one bad measurement does not stick; of
    fewer the largest."""
    return int(median(taken)) if len(taken) >= CERTAIN else max(taken, default=0)
