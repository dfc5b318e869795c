"""Promises: one place decides what blocks, by mode and profile; evidence always does; wrong values are told."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from lao.agents.objections import Objection, Review, gated
from lao.config.schema import load_schema
from lao.config.settings import OrchestrationSettings
from lao.core.words import Finding, Severity, Verdict
from lao.quality.gating import STANDARD, Gating, gating_of
from lao.quality.validators.registry import ANALYZERS


def finding(severity: Severity, analyzer: str = "placeholders", confidence: float = 0.9) -> Finding:
    return Finding(severity, "k", "m", analyzer=analyzer, confidence=confidence)


def told(mode: str = "standard", profile: dict[str, Any] | None = None) -> Gating:
    values: dict[str, Any] = dict.fromkeys((f.name for f in fields(OrchestrationSettings)), None)
    values |= {"quality_gate_mode": mode, "validation_profile": "mine", "validation_profiles": {"mine": profile}}
    return gating_of(OrchestrationSettings(**values))


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("off", [False, False, False, False]),
        ("standard", [True, True, False, False]),
        ("strict", [True, True, True, False]),
    ],
)
def test_modes(mode: str, expected: list[bool]) -> None:
    """Off blocks nothing, standard critical and major, strict minor as well; information never does."""
    assert [told(mode).blocks(finding(severity)) for severity in Severity] == expected


@pytest.mark.parametrize("analyzer", ["command", "checks", "judges", "changes"])
@pytest.mark.parametrize("mode", ["off", "standard", "strict"])
def test_evidence_always_blocks(mode: str, analyzer: str) -> None:
    """Neither mode, severities nor confidences make a failed command or a bent test count as done."""
    gate = told(mode, {"block_on_severities": [], "block_min_confidence_by_analyzer_id": {analyzer: 1.0}})
    assert gate.blocks(finding(Severity.MAJOR, analyzer, 0.1))
    assert not told(mode, {"block_on_severities": ["info"]}).blocks(finding(Severity.INFO, analyzer))


def test_confidence() -> None:
    """Below 0.6 nothing blocks; the analyzer's own limit goes before its kind's, that before the general one."""
    assert not STANDARD.blocks(finding(Severity.CRITICAL, confidence=0.59))
    assert STANDARD.blocks(finding(Severity.CRITICAL, confidence=0.6))
    profile = {
        "block_min_confidence": 0.95,
        "block_min_confidence_by_analyzer_kind": {"unfinished": 0.8, "names": 0.5},
        "block_min_confidence_by_analyzer_id": {"stubs": 0.99},
    }
    gate = told(profile=profile)
    assert gate.blocks(finding(Severity.MAJOR, "placeholders", 0.85))
    assert not gate.blocks(finding(Severity.MAJOR, "stubs", 0.85))
    assert not gate.blocks(finding(Severity.MAJOR, "secrets", 0.9))
    assert gate.blocks(finding(Severity.MAJOR, "undefined_names", 0.5))


def test_severities_of_a_profile() -> None:
    """A profile says which severities block; one that does not exist or says nothing is the default."""
    gate = told(profile={"block_on_severities": ["critical", "info"]})
    assert [gate.blocks(finding(severity)) for severity in Severity] == [True, False, False, True]
    assert told(profile=None) == told(profile={}) == STANDARD


def test_a_reviewer_s_findings() -> None:
    """What the gate does not block becomes a note, what it blocks makes an approval a rejection for the rules."""
    major, minor = finding(Severity.MAJOR, "reviewer", 1.0), finding(Severity.MINOR, "reviewer", 1.0)
    review = Review(Verdict(False, "no", (major, minor)), (Objection(major), Objection(minor)))
    assert gated(review, STANDARD.blocks) is review
    off = gated(review, told("off").blocks)
    assert [o.finding.severity for o in off.objections] == [Severity.MINOR, Severity.MINOR]
    approved = Review(Verdict(True, "fine", (minor,)), (Objection(minor, "must round up"),))
    strict = gated(approved, told("strict").blocks)
    assert not strict.verdict.approved
    assert strict.blocking[0].criterion == "must round up"
    assert strict.verdict.findings[0].severity is Severity.MAJOR


def test_profiles_may_name_what_there_is() -> None:
    """Every analyzer and kind, and no other, may have a limit of its own in factory.yaml; "semantic" is of LAO 3.1."""
    node = load_schema().at(("orchestration", "validation_profiles", "any"))
    assert node is not None
    names = {
        word: node["properties"][f"block_min_confidence_by_analyzer_{word}"]["propertyNames"]["enum"]
        for word in ("kind", "id")
    }
    assert sorted(names["kind"]) == sorted({one.kind for one in ANALYZERS})
    assert sorted(names["id"]) == sorted([*(one.id for one in ANALYZERS), "semantic"])
