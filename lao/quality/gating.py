"""The one place that says whether a finding blocks: mode and validation profile of ``factory.yaml``. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from lao.config.settings import OrchestrationSettings
from lao.core.words import Finding, Severity
from lao.quality.validators.registry import EVIDENCE, KINDS

DEFAULT_CONFIDENCE: Final = 0.6
_GRAVE: Final = frozenset({Severity.CRITICAL, Severity.MAJOR})


@dataclass(frozen=True)
class Gating:
    """What blocks.

    Attributes:
        mode: ``off``: evidence alone decides; ``standard``: the severities of the profile; ``strict``: minor ones too.
        severities: of the profile.
        min_confidence: findings of less do not block, 0.0 to 1.0.
        by_kind, by_id: the same for the analyzers of one kind, and for one analyzer, which goes first.
    """

    mode: str = "standard"
    severities: Collection[Severity] = _GRAVE
    min_confidence: float = DEFAULT_CONFIDENCE
    by_kind: Mapping[str, float] = field(default_factory=dict)
    by_id: Mapping[str, float] = field(default_factory=dict)

    def blocks(self, finding: Finding) -> bool:
        """Whether a task with this finding is not done.

        Evidence (a failed command, bent tests, no work) always does: without it "done" would mean nothing.
        """
        kind = KINDS.get(finding.analyzer, "other")
        if kind == EVIDENCE:
            return finding.severity in _GRAVE
        if self.mode == "off":
            return False
        wanted = {*self.severities, Severity.MINOR} if self.mode == "strict" else self.severities
        needed = self.by_id.get(finding.analyzer, self.by_kind.get(kind, self.min_confidence))
        return finding.severity in wanted and finding.confidence >= needed

    def blocking(self, findings: Iterable[Finding]) -> list[Finding]:
        """Those that do, in their order."""
        return [finding for finding in findings if self.blocks(finding)]


STANDARD: Final = Gating()
"""What holds when nothing is said."""


def gating_of(settings: OrchestrationSettings) -> Gating:
    """The gate that the settings ask for."""
    profile = settings.validation_profiles.get(settings.validation_profile) or {}
    told = profile.get("block_on_severities")
    return Gating(
        settings.quality_gate_mode,
        _GRAVE if told is None else frozenset(Severity(name) for name in told),
        float(profile.get("block_min_confidence", DEFAULT_CONFIDENCE)),
        dict(profile.get("block_min_confidence_by_analyzer_kind") or {}),
        dict(profile.get("block_min_confidence_by_analyzer_id") or {}),
    )
