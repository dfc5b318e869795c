"""What a reviewer's rejection counts for. Pure rules; the phase runs the proofs and draws the consequence.

A finding blocks only with a criterion (something that the task or the plan demands) and something that can be checked:

- The task's checks passed: only a finding whose command really failed on the commit sends the work back. Everything
  else is a note, and the task completes on its evidence.
- No check was run: a finding with a reproduced command, or with a file and a line of the change, sends the work back.

At most ``ROUNDS`` rejections send a task back. After that tested work completes with the finding as a note, because the
evidence that the plan asked for is there. Work without any check has no evidence but the review itself, and that says
no: it is parked for a person instead of being called done.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from lao.core.words import Finding, Severity, Verdict

ROUNDS: Final = 2
_SHARE: Final = 0.6
_NEAR: Final = 3
"""Lines: small models are not exact in counting."""
_HUNK: Final = re.compile(r"^@@ -\d+(?:,\d+)? \+(\d+)(?:,(\d+))? @@")
_WORDS: Final = re.compile(r"[A-Za-z_]\w{2,}|\d+")
_FILLING: Final = frozenset(
    {"the", "and", "must", "should", "that", "this", "with", "for", "not", "are", "task", "has", "have", "does", "its"}
)


class Ruling(str, Enum):
    """What follows from a review."""

    COMPLETE = "complete"
    REWORK = "rework"
    PARK = "park"


@dataclass(frozen=True)
class Objection:
    """A finding with what the reviewer gives for it.

    Attributes:
        criterion: the sentence of the task or plan that is violated, in the reviewer's words.
        line: in the changed file, 0 when not told.
        command: a shell command or Python expression that fails because of it, "" when not told.
    """

    finding: Finding
    criterion: str = ""
    line: int = 0
    command: str = ""


@dataclass(frozen=True)
class Review:
    """A reviewer's answer: the verdict as said, and the proof of its findings."""

    verdict: Verdict
    objections: tuple[Objection, ...] = ()

    @property
    def blocking(self) -> tuple[Objection, ...]:
        return tuple(o for o in self.objections if o.finding.blocks)


def gated(review: Review, blocks: Callable[[Finding], bool]) -> Review:
    """The same with severities as the quality gate has them: what does not block is a note, what does is major.

    An approval with a finding that blocks is none; whether the finding stands is for the rules to say.
    """
    objections = tuple(replace(o, finding=_as_gated(o.finding, blocks)) for o in review.objections)
    if objections == review.objections:
        return review
    said = review.verdict
    approved = said.approved and not any(o.finding.blocks for o in objections)
    verdict = replace(said, approved=approved, findings=tuple(o.finding for o in objections))
    return Review(verdict, objections)


def _as_gated(finding: Finding, blocks: Callable[[Finding], bool]) -> Finding:
    if finding.blocks == blocks(finding):
        return finding
    return replace(finding, severity=Severity.MINOR if finding.blocks else Severity.MAJOR)


def has_criterion(objection: Objection, demands: str) -> bool:
    """Whether the criterion is something that ``demands`` (the texts of task and plan) really asks for."""
    said = {w for w in _terms(objection.criterion) if w not in _FILLING}
    return len(said) >= 2 and len(said & set(_terms(demands))) >= _SHARE * len(said)


def _terms(text: str) -> list[str]:
    return [w.lower() for w in _WORDS.findall(text)]


def is_located(objection: Objection, diff: str) -> bool:
    """Whether file and line are in the change."""
    wanted = objection.finding.file.removeprefix("./")
    if not wanted or objection.line <= 0:
        return False
    return any(
        path == wanted and first - _NEAR <= objection.line <= last + _NEAR
        for path, first, last in _changed_ranges(diff)
    )


def _changed_ranges(diff: str) -> Iterator[tuple[str, int, int]]:
    """(file, first line, last line) of each hunk after the change; a file shown whole under ``---`` counts as one."""
    path, whole, count = "", "", 0
    for line in diff.splitlines():
        if line.startswith("+++ "):
            path, whole = line[4:].removeprefix("b/").strip(), ""
        elif line.startswith("--- "):
            if whole:
                yield whole, 1, count
            path = whole = line[4:].strip()
            count = 0
        elif match := _HUNK.match(line):
            first = int(match[1])
            yield path, first, first + max(int(match[2] or 1) - 1, 0)
        count += 1
    if whole:
        yield whole, 1, count


def rule(
    review: Review, *, demands: str, diff: str, proven: Collection[str], tested: bool, round_: int
) -> tuple[Ruling, Verdict]:
    """What follows, and the verdict that counts.

    Args:
        proven: commands of objections that really failed on the commit.
        tested: at least one check of the task passed and none that decides failed.
        round_: 1 for the first rejection of this task.
    """
    said = review.verdict
    if said.approved:
        return Ruling.COMPLETE, said
    counted = [
        o
        for o in review.blocking
        if has_criterion(o, demands) and ((o.command and o.command in proven) or (not tested and is_located(o, diff)))
    ]
    if not counted:
        return Ruling.COMPLETE, _noted(review, "unproven rejection")
    standing = {o.finding for o in counted}
    notes = tuple(_evidenced(o, proven) if o.finding in standing else _note(o.finding) for o in review.objections)
    if round_ <= ROUNDS:
        return Ruling.REWORK, replace(said, findings=notes)
    if tested:
        return Ruling.COMPLETE, _noted(review, f"rejected in {ROUNDS} rounds before, the checks pass")
    return Ruling.PARK, replace(said, findings=notes)


def _evidenced(objection: Objection, proven: Collection[str]) -> Finding:
    finding = objection.finding
    parts = [finding.hint]
    if objection.criterion:
        parts.append(f"The task demands: {objection.criterion}")
    if objection.command in proven:
        parts.append(f"This fails: {objection.command}")
    return replace(finding, hint="\n".join(p for p in parts if p))


def _noted(review: Review, why: str) -> Verdict:
    findings = tuple(_note(o.finding) for o in review.objections)
    return Verdict(True, f"approved with notes: {why}: {review.verdict.summary}".rstrip(": "), findings)


def _note(finding: Finding) -> Finding:
    return replace(finding, severity=Severity.MINOR) if finding.blocks else finding
