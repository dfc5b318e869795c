"""The critics of approved work: the reviewer's question from other points of view, with other samples. Runs nothing.

What they object to is a finding; it counts only with a proof that really fails (``lao.agents.objections``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from lao.agents.objections import Objection, Review
from lao.agents.prompt import load
from lao.agents.reviewer import ReviewBrief, review
from lao.config.settings import ModelSettings
from lao.core.chat import Model
from lao.core.errors import AttemptFailed
from lao.core.steps import Steps
from lao.core.words import Finding, Severity, Verdict

VIEWPOINTS: Final = (
    "inputs at the edges (empty, zero, negative, one, very long) that the task speaks of.",
    "each sentence of the task in turn: is there one that the change does not do?",
    "what the change breaks or removes that worked before.",
    "errors: are they raised exactly where the task says, and with what it says?",
    "names, parameters, types and return values: are they those of the task?",
)
TEMPERATURES: Final = (0.3, 0.7, 1.0)


@dataclass(frozen=True)
class Quorum:
    """What the critics said; those without a readable verdict are missing."""

    reviews: tuple[Review, ...]

    @property
    def objecting(self) -> Review | None:
        """All objections that reject, as one review; None when nobody rejects."""
        against = tuple(o for given in self.reviews if not given.verdict.approved for o in given.blocking)
        if not against:
            return None
        return Review(
            Verdict(False, f"critics object: {against[0].finding.message}", tuple(o.finding for o in against)), against
        )

    def votes(self, *, reviewer: bool) -> Finding:
        """The count of votes, for the report; ``reviewer``: the approval before counts as one."""
        approving = sum(given.verdict.approved for given in self.reviews) + reviewer
        total = len(self.reviews) + reviewer
        return Finding(Severity.INFO, "quorum", f"{approving} of {total} votes approve", "", "", "critics")

    def notes(self) -> tuple[Finding, ...]:
        """What was said and does not count."""
        found = dict.fromkeys(o.finding for given in self.reviews for o in given.objections)
        return tuple(replace(f, severity=Severity.MINOR) if f.blocks else f for f in found)


def ask_critics(brief: ReviewBrief, number: int, *, model: Model, settings: ModelSettings, steps: Steps) -> Quorum:
    """Ask ``number`` critics one after the other, each call a step of its own.

    Raises:
        Transient, Terminal: what the model raises.
    """
    found = []
    for n in range(number):
        own = replace(settings, temperature=TEMPERATURES[n % len(TEMPERATURES)], seed=(settings.seed or 0) + n + 1)
        shown = replace(brief, viewpoint=load("critic", viewpoint=VIEWPOINTS[n % len(VIEWPOINTS)]))
        try:
            given = review(shown, model=model, settings=own, steps=steps, label=f"critic-{n + 1}")
        except AttemptFailed:  # no readable verdict is no vote
            continue
        found.append(_of_critic(given, n + 1))
    return Quorum(tuple(found))


def _of_critic(given: Review, number: int) -> Review:
    def own(objections: Sequence[Objection]) -> tuple[Objection, ...]:
        return tuple(replace(o, finding=replace(o.finding, analyzer=f"critic {number}")) for o in objections)

    return replace(given, objections=own(given.objections))
