"""Promises: a rejection counts only with a criterion and proof, at most two rounds, and never against green checks."""

from __future__ import annotations

import pytest

from lao.agents.objections import Objection, Review, Ruling, has_criterion, is_located, rule
from lao.core.words import Finding, Severity, Verdict

DEMANDS = "Add mean\nWrite mean(numbers) in stats.py. The mean of an empty list is 0."
DIFF = """diff --git a/stats.py b/stats.py
--- /dev/null
+++ b/stats.py
@@ -0,0 +1,3 @@
+def mean(numbers):
+    return sum(numbers) / len(numbers)
+
--- a/other.py
+++ b/other.py
@@ -40,2 +50,4 @@ class A
+x
"""
FINDING = Finding(Severity.MAJOR, "review", "divides by zero", "stats.py", "check for []", "reviewer")
PROVEN = Objection(FINDING, "the mean of an empty list is 0", 2, "mean([]) == 0")


def of(*objections: Objection, approved: bool = False) -> Review:
    return Review(Verdict(approved, "no good", tuple(o.finding for o in objections)), objections)


def ruled(review: Review, *, tested: bool, proven: bool = False, round_: int = 1) -> tuple[Ruling, Verdict]:
    commands = ["mean([]) == 0"] if proven else []
    return rule(review, demands=DEMANDS, diff=DIFF, proven=commands, tested=tested, round_=round_)


@pytest.mark.parametrize(
    ("objection", "tested", "proven", "expected"),
    [
        (PROVEN, True, True, Ruling.REWORK),
        (PROVEN, True, False, Ruling.COMPLETE),
        (Objection(FINDING, PROVEN.criterion, 2), True, True, Ruling.COMPLETE),
        (Objection(FINDING, "", 2, PROVEN.command), True, True, Ruling.COMPLETE),
        (
            Objection(FINDING, "functions must have type hints everywhere", 2, PROVEN.command),
            True,
            True,
            Ruling.COMPLETE,
        ),
        (PROVEN, False, False, Ruling.REWORK),
        (Objection(FINDING, PROVEN.criterion, 0, PROVEN.command), False, True, Ruling.REWORK),
        (Objection(FINDING, PROVEN.criterion, 0, PROVEN.command), False, False, Ruling.COMPLETE),
        (Objection(FINDING, PROVEN.criterion, 900), False, False, Ruling.COMPLETE),
        (Objection(FINDING, "", 2), False, False, Ruling.COMPLETE),
    ],
)
def test_what_counts(objection: Objection, tested: bool, proven: bool, expected: Ruling) -> None:
    """With green checks only a reproduced command, without any check also a place in the change; always a criterion."""
    ruling, verdict = ruled(of(objection), tested=tested, proven=proven)
    assert ruling is expected
    assert verdict.approved is (expected is Ruling.COMPLETE)
    assert any(f.blocks for f in verdict.findings) is not verdict.approved


def test_what_does_not_count_is_kept_as_a_note() -> None:
    """The finding stays, as minor, and the log says why the task was not sent back."""
    _, verdict = ruled(of(PROVEN), tested=True)
    assert verdict.summary == "approved with notes: unproven rejection: no good"
    assert [(f.message, f.severity) for f in verdict.findings] == [("divides by zero", Severity.MINOR)]


def test_the_coder_is_told_the_proof() -> None:
    """The finding that counts carries the demand and the failing command; others beside it are notes."""
    other = Objection(Finding(Severity.MAJOR, "review", "ugly", "stats.py", analyzer="reviewer"))
    _, verdict = ruled(of(PROVEN, other), tested=True, proven=True)
    assert "The task demands: the mean of an empty list is 0" in verdict.findings[0].hint
    assert "This fails: mean([]) == 0" in verdict.findings[0].hint
    assert [f.blocks for f in verdict.findings] == [True, False]


def test_after_two_rounds() -> None:
    """Tested work completes with a note, work without any check is parked for a person."""
    assert ruled(of(PROVEN), tested=True, proven=True, round_=2)[0] is Ruling.REWORK
    ruling, verdict = ruled(of(PROVEN), tested=True, proven=True, round_=3)
    assert (ruling, verdict.approved) == (Ruling.COMPLETE, True)
    ruling, verdict = ruled(of(PROVEN), tested=False, round_=3)
    assert (ruling, verdict.approved) == (Ruling.PARK, False)


def test_an_approval_is_one() -> None:
    """Nothing is weighed then."""
    review = of(approved=True)
    assert ruled(review, tested=False) == (Ruling.COMPLETE, review.verdict)


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        ("The mean of an empty list is 0.", True), ("Write `mean(numbers)` in stats.py", True), ("mean", False),
        ("", False), ("Code must be documented and readable", False), ("the and must", False),
    ],
)  # fmt: skip
def test_criteria(criterion: str, expected: bool) -> None:
    """Most of its words are the task's own; an empty or invented one is none."""
    assert has_criterion(Objection(FINDING, criterion), DEMANDS) is expected


@pytest.mark.parametrize(
    ("file", "line", "expected"),
    [
        ("stats.py", 2, True), ("./stats.py", 3, True), ("stats.py", 40, False), ("other.py", 52, True),
        ("other.py", 20, False), ("none.py", 2, False), ("", 2, False), ("stats.py", 0, False),
    ],
)  # fmt: skip
def test_places(file: str, line: int, expected: bool) -> None:
    """A file of the change and a line in or next to one of its hunks."""
    finding = Finding(Severity.MAJOR, "review", "x", file)
    assert is_located(Objection(finding, line=line), DIFF) is expected


def test_places_without_git() -> None:
    """Files shown whole have their lines."""
    shown = "--- a.py\none\ntwo\n--- b.py\none\n"
    finding = Finding(Severity.MAJOR, "review", "x", "a.py")
    assert is_located(Objection(finding, line=2), shown)
    assert not is_located(Objection(finding, line=9), shown)
