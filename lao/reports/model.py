"""A report as pure data: statements with the rows that they rest on. Reads nothing and draws nothing.

A reference names one row or commit: ``plan:ID``, ``task:7``, ``run:12``, ``step:12/3``, ``validation:55``,
``finding:9``, ``event:101`` (a model call, load or decision of the gate), ``question:4``, ``requirement:PLAN_ID/R1``,
``commit:PLAN_ID/SHA``.
What is unknown is None or said to be unknown, never 0.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from lao.core.words import Json

SCHEMA_VERSION: Final = "3.0.0"

PROVED, CHECKED, UNCHECKED, OPEN, FAILED, NONE = "proved", "checked", "unchecked", "open", "failed", "none"
"""Of a requirement: the first five. Of a task: proved, checked, none."""

Figure = tuple[str, float]
"""What was counted (``lao.reports.measures``) and how much; counted again by the checker."""


@dataclass(frozen=True)
class Claim:
    """One statement.

    Attributes:
        text: one sentence for a person; every number in it is a figure, or stands in a row that ``refs`` names.
        refs: the rows that it rests on, at least one.
        figures: the numbers that follow from exactly these rows.
    """

    text: str
    refs: tuple[str, ...]
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """A command that LAO ran, with what it really did.

    Attributes:
        exit_code: None when the outcome is unknown.
        passed: exit status 0 within its time.
        seconds: wall time.
        excerpt: the end of its output, at most ``lao.state.report_rows.EXCERPT`` characters.
        commit: what it ran on; None without git.
        moment: before (on the untouched tree), task (after an attempt) or close (on the whole).
        isolation: what surrounded it, "" when that was not recorded.
    """

    command: str
    exit_code: int | None
    passed: bool
    seconds: float
    excerpt: str
    commit: str | None
    moment: str
    isolation: str
    ref: str


@dataclass(frozen=True)
class RequirementStatus:
    """A requirement of the plan and what decides it.

    Attributes:
        line: in the plan's text, from 1.
        status: proved (what failed before passes now), checked (passes), unchecked (nothing could fail), open, failed.
        tasks: ids of the tasks that answer it.
    """

    key: str
    text: str
    line: int
    status: str
    claim: Claim
    evidence: tuple[Evidence, ...] = ()
    tasks: tuple[int, ...] = ()
    source: str = ""


@dataclass(frozen=True)
class FindingReport:
    """A finding. ``standing``: of the attempt that counts, or of the last close; else of an earlier attempt."""

    severity: str
    kind: str
    message: str
    file: str
    hint: str
    analyzer: str
    confidence: float
    task: int | None
    standing: bool
    ref: str


@dataclass(frozen=True)
class AttemptReport:
    """One attempt at a task.

    Attributes:
        outcome: done, failed, skipped, or the state of its last run while it goes on.
        reason: why it ended so, "" when nothing is recorded.
        started, ended: seconds since the epoch; None: not begun, not over.
        calls, tokens: of its model calls (prompt and completion).
        crashes: how often a worker died in it.
    """

    number: int
    outcome: str
    reason: str
    started: float | None
    ended: float | None
    calls: int
    tokens: int
    crashes: int
    claim: Claim


@dataclass(frozen=True)
class TaskReport:
    """A task, its attempts and what its diff is like.

    Attributes:
        evidence: what the commands did before it and at its last verification.
        findings: those that stand (of the attempt that counts).
        commit: the last one; None: nothing was committed.
        added, removed: lines in its commits; None: not measured (no git, or the commits are gone).
        risk: 0 to 100, how much it deserves a look; ``risk_why`` gives the reasons.
        proof: proved, checked or none.
        commits: all of them, the oldest first.
    """

    id: int
    title: str
    state: str
    claim: Claim
    attempts: tuple[AttemptReport, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    findings: tuple[FindingReport, ...] = ()
    commit: str | None = None
    files: tuple[str, ...] = ()
    added: int | None = None
    removed: int | None = None
    risk: float = 0.0
    risk_why: tuple[str, ...] = ()
    reason: str = ""
    proof: str = NONE
    commits: tuple[str, ...] = ()
    depends_on: tuple[int, ...] = ()


@dataclass(frozen=True)
class Span:
    """A stretch of time.

    Attributes:
        kind: phase, swap (a model after another one), load (the first one), wait (ready, but not begun), gate (a
            decision of the memory gate), call (of a model).
        start, end: seconds since the epoch; ``end`` None: it goes on.
        task: id, None when it is of the plan or of no plan.
    """

    kind: str
    label: str
    start: float
    end: float | None
    task: int | None
    ref: str
    plan: str = ""


@dataclass(frozen=True)
class Usage:
    """What one model did in one role.

    Attributes:
        cached_tokens: of the prompts, from the server's cache, as it told; None: it did not tell.
        seconds: wall time of the calls.
        claim: the same as a statement.
    """

    model: str
    role: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None
    seconds: float
    claim: Claim


@dataclass(frozen=True)
class Energy:
    """Joules of the phases with a model. ``complete``: every one of them was measured; else it is at least so much."""

    joules: float
    source: str
    complete: bool


@dataclass(frozen=True)
class Question:
    """A question of a model that waits for a person. ``asked``: seconds since the epoch."""

    id: int
    tool: str
    reason: str
    task: int | None
    asked: float
    ref: str


@dataclass(frozen=True)
class NextStep:
    """A command to run next, and why."""

    command: str
    why: str
    ref: str


@dataclass(frozen=True)
class PlanReport:
    """One plan.

    Attributes:
        claim: the headline; ``claims``: further statements about the whole (commands, cost, what is not known).
        over: nothing of it will change by itself.
        tasks: in the order in which their diffs deserve a look.
        commands: what the last close ran on the whole; ``commit``: on which commit.
        findings: the gravest first, those that stand before the others; ``findings_total`` tells how many there are.
        timeline: by start; ``timeline_left_out``: model calls that are left aside because there are too many.
        energy: None: not measured.
        started, ended: seconds since the epoch; ``ended`` None while it goes on.
    """

    schema_version: str
    id: str
    name: str
    state: str
    over: bool
    claim: Claim
    reason: str
    file: str
    workspace: str
    base_commit: str | None
    commit: str | None
    claims: tuple[Claim, ...] = ()
    requirements: tuple[RequirementStatus, ...] = ()
    tasks: tuple[TaskReport, ...] = ()
    commands: tuple[Evidence, ...] = ()
    timeline: tuple[Span, ...] = ()
    timeline_left_out: int = 0
    usage: tuple[Usage, ...] = ()
    energy: Energy | None = None
    findings: tuple[FindingReport, ...] = ()
    findings_total: int = 0
    questions: tuple[Question, ...] = ()
    next_steps: tuple[NextStep, ...] = ()
    started: float = 0.0
    ended: float | None = None

    def to_json(self) -> dict[str, Json]:
        """The same as JSON: names as here, tuples as lists."""
        return asdict(self)


@dataclass(frozen=True)
class NightReport:
    """All plans that were worked on in a window. ``since``, ``until``: seconds since the epoch; plans that want a
    person and failed ones first."""

    since: float
    until: float
    plans: tuple[PlanReport, ...] = ()
    headline: tuple[Claim, ...] = ()
    timeline: tuple[Span, ...] = ()
    usage: tuple[Usage, ...] = ()
    next_steps: tuple[NextStep, ...] = ()
    schema_version: str = SCHEMA_VERSION

    def to_json(self) -> dict[str, Json]:
        """The same as JSON: names as here, tuples as lists."""
        return asdict(self)
