"""The reviewer's verdict, whatever words a model uses for it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lao.agents.objections import Review
from lao.agents.prompt import load
from lao.agents.reviewer import MAX_TOKENS, ReviewBrief, review
from lao.core.errors import AttemptFailed
from lao.core.states import Role
from lao.core.words import CommandResult, Severity, TaskSpec, Verdict
from lao.llm.tokens import estimate, estimate_messages

from .fakes import ScriptedModel, Tape, settings

TASK = TaskSpec("Add mean", "Write mean(numbers).", ("stats.py",))
BRIEF = ReviewBrief(
    TASK, "Stats", "+def mean(numbers):\n+    return 0.0", (("stats.py", "def mean(numbers): ..."),),
    (CommandResult("pytest -q", 0, "1 passed"), CommandResult("ruff check", 1, "E501")),
)  # fmt: skip
FINDING = {"severity": "major", "file": "stats.py", "message": "divides by zero", "hint": "check for []"}


def _whole(*answers: Any, brief: ReviewBrief = BRIEF, **more: Any) -> tuple[Review, ScriptedModel]:
    model = ScriptedModel(*(a if isinstance(a, str) else json.dumps(a) for a in answers))
    return review(brief, model=model, settings=settings(Role.REVIEWER, **more), steps=Tape()), model


def _review(*answers: Any, brief: ReviewBrief = BRIEF, **more: Any) -> tuple[Verdict, ScriptedModel]:
    found, model = _whole(*answers, brief=brief, **more)
    return found.verdict, model


def test_message_carries_task_change_and_evidence() -> None:
    """The reviewer sees the task, the diff, what the commands really did; the instruction comes last."""
    _, model = _review({"verdict": "APPROVED", "summary": "", "findings": []})
    assert model.requests[0].messages[0]["content"].splitlines()[0] == "LAO role: reviewer"
    text = model.last_user(0)
    parts = [
        "# Task: Add mean", "- stats.py", "+def mean(numbers):", "`pytest -q` passed:\n```\n1 passed",
        "`ruff check` failed, exit code 1", "JSON object only",
    ]  # fmt: skip
    places = [text.index(p) for p in parts]
    assert places == sorted(places)


def test_message_fits_the_window() -> None:
    """A long diff and long output are cut; files that do not fit are left out."""
    brief = ReviewBrief(
        TASK, "S", "+line\n" * 9000, (("a.py", "x\n" * 9000),), (CommandResult("pytest", 1, "E " * 9000),)
    )  # fmt: skip
    _, model = _review({"verdict": "APPROVED"}, brief=brief, context_length=4096)
    assert estimate_messages(model.requests[0].messages) <= 4096 - 1000


@pytest.mark.parametrize("supported", [True, False])
def test_schema_is_sent_when_supported(supported: bool) -> None:
    """``supports_json_schema`` decides."""
    _, model = _review({"verdict": "APPROVED"}, supports_json_schema=supported)
    assert (model.requests[0].schema is not None) is supported


@pytest.mark.parametrize(
    "answer",
    [
        {"verdict": "APPROVED", "summary": "ok", "findings": []},
        {"verdict": "approve"},
        {"decision": "Pass"},
        {"approved": True},
        {"review": {"verdict": "LGTM"}},
        [{"status": "passed"}],
        '<think>{"verdict": "REJECTED"}</think>Here:\n```json\n{"verdict": "APPROVED"}\n```',
        "I have checked it. {\"verdict\": \"APPROVED\", \"findings\": []} That is all.",
        {"verdict": "NO", "findings": [{"severity": "minor", "message": "x"}, {"severity": "nit", "message": "y"}]},
    ],
)  # fmt: skip
def test_approvals(answer: Any) -> None:
    """Every word for yes approves, in any wrapping; a rejection over minor things approves as well."""
    assert _review(answer)[0].approved


@pytest.mark.parametrize(
    "answer",
    [
        {"verdict": "REJECTED", "findings": [FINDING]},
        {"verdict": "rework", "issues": ["divides by zero"]},
        {"verdict": "fail", "findings": "divides by zero"},
        {"approved": False, "summary": "divides by zero"},
        {"verdict": "reject", "findings": [{"issue": "divides by zero", "severity": "unheard of"}]},
    ],
)
def test_rejections(answer: Any) -> None:
    """Every word for no rejects; findings may be strings, objects or the summary, and are major unless they say."""
    verdict = _review(answer)[0]
    assert not verdict.approved
    assert [(f.message, f.severity) for f in verdict.findings] == [("divides by zero", Severity.MAJOR)]
    assert verdict.findings[0].analyzer == "reviewer"


def test_finding_keeps_file_and_hint() -> None:
    """Where and what to change reach the coder."""
    finding = _review({"verdict": "REJECTED", "findings": [FINDING]})[0].findings[0]
    assert (finding.file, finding.hint) == ("stats.py", "check for []")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            {"criterion": "mean of [] is 0", "line": 2, "command": "`mean([]) == 0`"},
            ("mean of [] is 0", 2, "mean([]) == 0"),
        ),
        ({"requirement": "x y", "line": "line 12-14"}, ("x y", 12, "")),
        ({"input": "mean([])", "expected": 0}, ("", 0, "mean([]) == 0")),
        ({"file": "stats.py:7"}, ("", 7, "")),
        ({"line": None, "command": ""}, ("", 0, "")),
    ],
)
def test_the_proof_of_a_finding_is_read(more: dict[str, Any], expected: tuple[str, int, str]) -> None:
    """Criterion, line and command in the forms that models use; the file loses a line behind it."""
    (objection,) = _whole({"verdict": "REJECTED", "findings": [{**FINDING, **more}]})[0].objections
    assert (objection.criterion, objection.line, objection.command) == expected
    assert objection.finding.file == "stats.py"


def test_the_answer_is_short() -> None:
    """A verdict needs few tokens: the call is capped, and never above the role's own limit."""
    approved = {"verdict": "APPROVED"}
    assert _review(approved, max_completion=4000)[1].requests[0].max_tokens == MAX_TOKENS
    assert _review(approved, max_completion=400)[1].requests[0].max_tokens == 400


def test_the_system_prompt_is_short_enough_for_small_models() -> None:
    """Under 350 tokens."""
    assert estimate(load("reviewer")) < 350


def test_notes_of_an_approval_do_not_block() -> None:
    """Findings beside an approval become notes."""
    verdict = _review({"verdict": "APPROVED", "findings": [FINDING]})[0]
    assert verdict.approved
    assert not any(f.blocks for f in verdict.findings)


def test_rejection_without_a_reason_is_asked_again() -> None:
    """A bare rejection gets one corrective message."""
    verdict, model = _review({"verdict": "REJECTED"}, {"verdict": "REJECTED", "findings": [FINDING]})
    assert not verdict.approved
    assert "rejects without a finding" in model.last_user()


def test_verdict_in_plain_words() -> None:
    """A model that cannot write JSON at all may still say the word first."""
    assert _review("APPROVED. Fine.", "Verdict: approved")[0].approved
    verdict = _review("What?", "REJECTED: mean([]) fails")[0]
    assert not verdict.approved
    assert "mean([]) fails" in verdict.findings[0].message


def test_no_verdict() -> None:
    """Two answers without a verdict are a failed attempt of kind bad_verdict."""
    with pytest.raises(AttemptFailed, match="Add mean") as caught:
        _review("Looks interesting.", {"verdict": "maybe"})
    assert caught.value.kind == "bad_verdict"
