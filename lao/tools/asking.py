"""The seam to whoever is asked when a person must say yes to a call. Nobody is here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lao.core.words import Json


@dataclass(frozen=True)
class Question:
    """A call that a person must allow.

    Attributes:
        label: of the step; with the call it names the question, so that a resumed run finds the answer again.
        reason: why it is asked.
        remember: the rules that "always" would make; () when it can only be said yes or no to.
    """

    label: str
    tool: str
    arguments: Mapping[str, Json]
    reason: str
    remember: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answer:
    """What came of a question; ``reason`` is told to the model when it is a no."""

    granted: bool
    reason: str = ""


class Asker(Protocol):
    """Brings questions to a person."""

    def ask(self, question: Question) -> Answer:
        """Wait for the answer, for a bounded time; nobody there is a no. The same question has one answer for ever.

        Raises:
            Interrupted: the worker is stopping; the question stays open.
        """
        ...

    def always(self) -> tuple[str, ...]:
        """Rules that answers of "always" have made since this process read the configuration."""
        ...


class Nobody:
    """The asker where no person can be reached."""

    def ask(self, question: Question) -> Answer:  # noqa: ARG002  # the Protocol's names
        return Answer(False, "nobody is there to be asked")

    def always(self) -> tuple[str, ...]:
        return ()
