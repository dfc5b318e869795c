"""The seams of the journal: what a step is, and what kinds of effect it may have (docs/architecture.md, "Journal")."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Protocol

from lao.core.words import Json


class StepKind(str, Enum):
    """The class of a step's effect; it decides what happens when a step was started and its outcome is unknown.

    READ        nothing but reading: run again.
    MODEL       a paid, read-only model call: run again, the answer is recorded before it is used.
    EDIT        a file edit or commit with prepare/apply/probe: asked whether it happened, else applied.
    REPEATABLE  tests, lint, build: run again.
    UNKNOWN     any other command: never run again; the model is told that the outcome is unknown.
    """

    READ = "read"
    MODEL = "model"
    EDIT = "edit"
    REPEATABLE = "repeatable"
    UNKNOWN = "unknown"


class Effect(Protocol):
    """An effect that can be redone safely after a crash."""

    def prepare(self) -> Json:
        """Compute, without changing anything, all that ``apply`` needs. Recorded before ``apply`` runs."""
        ...

    def apply(self, intent: Json) -> Json:
        """Do it; calling it twice with the same intent must equal calling it once. Returns the step's result."""
        ...

    def probe(self, intent: Json) -> Json | None:
        """The result if the effect of ``intent`` is already in place, else None."""
        ...


class Steps(Protocol):
    """The journal of one phase run. A finished step is never run again; its recorded result is returned."""

    def run(self, kind: StepKind, label: str, fn: Callable[[], Json]) -> Json:
        """Run ``fn`` once and record its JSON result under the next sequence number.

        Args:
            label: what the step is, stable across runs (for example ``"model:turn-3"``).

        Raises:
            OutcomeUnknown: kind is UNKNOWN and an earlier run died inside this step.
            Interrupted: the worker is stopping.
        """
        ...

    def effect(self, label: str, effect: Effect) -> Json:
        """Record the intent, apply, record the result; after a crash probe first."""
        ...


class OutcomeUnknown(Exception):
    """An earlier run was killed inside this step, and its effect must not be repeated."""


class DirectSteps:
    """Steps without a journal: runs everything at once. For tests of agents and tools."""

    def run(self, kind: StepKind, label: str, fn: Callable[[], Json]) -> Json:  # noqa: ARG002  # the Protocol's names
        return fn()

    def effect(self, label: str, effect: Effect) -> Json:  # noqa: ARG002
        return effect.apply(effect.prepare())
