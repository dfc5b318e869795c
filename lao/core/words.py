"""Frozen records that cross layers: task specifications, findings, verdicts, results of commands."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any, TypeAlias

Json: TypeAlias = Any
"""A value that ``json.dumps`` takes: None, bool, int, float, str, list, dict with string keys."""


class Severity(str, Enum):
    """How much a finding matters; critical and major block."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    INFO = "info"


@dataclass(frozen=True)
class TaskSpec:
    """One micro-task as the planner gave it.

    Attributes:
        title: unique within the plan; dependencies name it.
        file_paths: workspace-relative POSIX paths that the task is expected to create or change.
        dependencies: titles of tasks that must be completed first.
        commands: shell commands that decide whether the task is done (exit status 0).
    """

    title: str
    description: str
    file_paths: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        return {
            "title": self.title,
            "description": self.description,
            "file_paths": list(self.file_paths),
            "dependencies": list(self.dependencies),
            "commands": list(self.commands),
        }

    @classmethod
    def from_json(cls, data: dict[str, Json]) -> TaskSpec:
        return cls(
            title=data["title"],
            description=data["description"],
            file_paths=tuple(data.get("file_paths") or ()),
            dependencies=tuple(data.get("dependencies") or ()),
            commands=tuple(data.get("commands") or ()),
        )


@dataclass(frozen=True)
class Finding:
    """One thing that a verifier or reviewer noticed.

    Attributes:
        kind: class of the finding, for example ``"syntax"``, ``"missing_file"``, ``"command_failed"``.
        file: workspace-relative path, or "" when it concerns the whole.
        hint: what to change, or the evidence (the tail of a command's real output).
        analyzer: which check found it, for example ``"python_parse"`` or ``"reviewer"``.
        confidence: 0.0 to 1.0.
    """

    severity: Severity
    kind: str
    message: str
    file: str = ""
    hint: str = ""
    analyzer: str = ""
    confidence: float = 1.0

    @property
    def blocks(self) -> bool:
        """Whether its severity is one that blocks; whether it does is the gate's to say (``lao.quality.gating``)."""
        return self.severity in (Severity.CRITICAL, Severity.MAJOR)

    @property
    def feedback(self) -> str:
        """What the next attempt is told of it."""
        where = f"{self.file}: " if self.file else ""
        return f"{where}{self.message}\n{self.hint}".strip()

    def to_json(self) -> dict[str, Json]:
        return {**asdict(self), "severity": self.severity.value}

    @classmethod
    def from_json(cls, data: dict[str, Json]) -> Finding:
        return cls(**{**data, "severity": Severity(data["severity"])})


@dataclass(frozen=True)
class Verdict:
    """The reviewer's structured answer."""

    approved: bool
    summary: str = ""
    findings: tuple[Finding, ...] = ()

    def to_json(self) -> dict[str, Json]:
        return {
            "approved": self.approved,
            "summary": self.summary,
            "findings": [f.to_json() for f in self.findings],
        }

    @classmethod
    def from_json(cls, data: dict[str, Json]) -> Verdict:
        return cls(
            approved=bool(data["approved"]),
            summary=data.get("summary", ""),
            findings=tuple(Finding.from_json(f) for f in data.get("findings", [])),
        )


@dataclass(frozen=True)
class CommandResult:
    """What a command that LAO ran really did.

    Attributes:
        command: the shell command line.
        exit_code: exit status; negative for a signal; None when the outcome is unknown.
        output: stdout and stderr together, head and tail kept, at most the runner's limit.
        seconds: wall time.
        timed_out: ended by LAO because its time was over.
        truncated_bytes: bytes of output that were dropped from the middle.
        errors: stderr, where it was kept apart.
        isolation: what surrounded it and which hosts it asked for, in one line; "" where that is not known.
    """

    command: str
    exit_code: int | None
    output: str = ""
    seconds: float = 0.0
    timed_out: bool = False
    truncated_bytes: int = 0
    errors: str = ""
    isolation: str = ""

    @property
    def passed(self) -> bool:
        return self.exit_code == 0 and not self.timed_out

    def to_json(self) -> dict[str, Json]:
        data = asdict(self)
        for name in ("errors", "isolation"):
            if not data[name]:  # as it was recorded before there was such a thing
                del data[name]
        return data

    @classmethod
    def from_json(cls, data: dict[str, Json]) -> CommandResult:
        return cls(**data)


@dataclass(frozen=True)
class Event:
    """One line for the log and the run view.

    Attributes:
        kind: dotted name, for example ``"model.load"``, ``"gate.wait"``, ``"phase.done"``.
        text: one human-readable line.
        data: identifiers and figures.
    """

    kind: str
    text: str
    data: dict[str, Json] = field(default_factory=dict)
