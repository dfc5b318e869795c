"""The reviewer: task, diff and evidence in, a verdict out. Runs nothing and changes nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from lao.agents.ask import JournaledModel, prompt_limit, request
from lao.agents.coder_brief import fenced
from lao.agents.prompt import load, schema
from lao.config.settings import ModelSettings
from lao.core.chat import ChatAnswer, ChatRequest, Model
from lao.core.errors import AttemptFailed
from lao.core.steps import Steps
from lao.core.words import CommandResult, Finding, Json, Severity, TaskSpec, Verdict
from lao.llm.clean import clean
from lao.llm.structured import complete_json
from lao.llm.tokens import clip, estimate

_APPROVED = frozenset({"approved", "approve", "accept", "accepted", "pass", "passed", "ok", "lgtm", "yes", "true"})
_REJECTED = frozenset(
    {"rejected", "reject", "rework", "fail", "failed", "no", "false", "changesrequested", "needswork"}
)
_VERDICTS = ("verdict", "decision", "status", "result", "review", "approved")
_MESSAGES = ("message", "description", "issue", "problem", "finding", "comment", "text", "title")
_HINTS = ("hint", "suggestion", "fix", "recommendation")
_FINDINGS = ("findings", "issues", "problems", "comments")
_SEVERITIES: Mapping[str, Severity] = {
    "critical": Severity.CRITICAL, "blocker": Severity.CRITICAL, "high": Severity.MAJOR, "major": Severity.MAJOR,
    "error": Severity.MAJOR, "medium": Severity.MAJOR, "minor": Severity.MINOR, "low": Severity.MINOR,
    "warning": Severity.MINOR, "info": Severity.INFO, "note": Severity.INFO, "nit": Severity.INFO,
    "suggestion": Severity.INFO, "style": Severity.INFO,
}  # fmt: skip
_WORD = re.compile(
    r"\A\W*(?:(?:final\s+)?verdict|decision|review)?\W*(approved|approve|rejected|reject|rework)\b", re.I
)


@dataclass(frozen=True)
class ReviewBrief:
    """All that a review starts from.

    Attributes:
        diff: the task's change as a unified diff, any length; it is cut to fit.
        files: (path, content) of changed files, for context.
        evidence: what LAO's own commands really did.
    """

    task: TaskSpec
    plan_title: str
    diff: str
    files: tuple[tuple[str, str], ...] = ()
    evidence: tuple[CommandResult, ...] = ()


def review(brief: ReviewBrief, *, model: Model, settings: ModelSettings, steps: Steps) -> Verdict:
    """The model's verdict on the change.

    A rejection with nothing but minor findings is an approval with notes; findings beside an approval are notes.

    Raises:
        AttemptFailed: kind "bad_verdict", or what the model raises.
    """
    asked = JournaledModel(model, steps, "review")
    system = load("reviewer")
    budget = int((prompt_limit(settings) - estimate(system)) * 0.9)
    messages: list[dict[str, Json]] = [
        {"role": "system", "content": system},
        {"role": "user", "content": _message(brief, budget)},
    ]
    return _verdict(asked, request(settings, messages), settings, brief)


def _verdict(model: JournaledModel, ask: ChatRequest, settings: ModelSettings, brief: ReviewBrief) -> Verdict:
    reader = _Reader(model)
    try:
        value, _ = complete_json(
            reader, ask, schema("review_schema"), supports_schema=settings.supports_json_schema, check=_problem
        )
    except AttemptFailed as error:
        if error.kind != "bad_json":
            raise
        worded = reader.worded()
        if worded is not None:
            return worded
        raise AttemptFailed(
            f"the review of task {brief.task.title!r} is no verdict: {error.message}",
            "Try another reviewer model.",
            kind="bad_verdict",
        ) from error
    return read_verdict(value)


class _Reader:
    """Passes calls on and keeps the answers' texts, for a verdict in plain words."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._texts: list[str] = []

    def complete(self, request: ChatRequest) -> ChatAnswer:
        answer = self._model.complete(request)
        self._texts.append(clean(answer.text))
        return answer

    def worded(self) -> Verdict | None:
        for text in reversed(self._texts):
            if match := _WORD.match(text):
                approved = match[1].lower() in _APPROVED
                findings = () if approved else (_finding(text[:2000]),)
                return Verdict(approved, text[:500], findings)
        return None


def _problem(value: Json) -> str:
    try:
        verdict = read_verdict(value)
    except ValueError as error:
        return str(error)
    if not verdict.approved and not verdict.findings:
        return "it rejects without a finding. Name the file and the defect in findings, or answer APPROVED."
    return ""


def read_verdict(value: Json) -> Verdict:
    """The verdict in a decoded answer, whatever words it uses.

    Raises:
        ValueError: there is none; the message can go back to the model.
    """
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        raise ValueError('the answer must be an object {"verdict": "APPROVED" or "REJECTED", ...}')  # noqa: TRY004
    said = next((value[k] for k in _VERDICTS if k in value), None)
    if isinstance(said, dict):
        return read_verdict({**value, **said})
    word = re.sub(r"[\W_]+", "", str(said)).lower()
    if word not in _APPROVED | _REJECTED:
        raise ValueError('"verdict" must be "APPROVED" or "REJECTED"')
    raw: Json = next((value[k] for k in _FINDINGS if value.get(k)), [])
    findings = tuple(
        f for f in map(_finding, raw if isinstance(raw, list) else [raw]) if f.message and "<" not in f.message[:1]
    )
    summary = str(value.get("summary") or value.get("reason") or "").strip()
    if word in _APPROVED:
        return Verdict(True, summary, tuple(_note(f) for f in findings))
    if not findings and summary:
        findings = (_finding(summary),)
    return Verdict(bool(findings) and not any(f.blocks for f in findings), summary, findings)


def _note(finding: Finding) -> Finding:
    return replace(finding, severity=Severity.MINOR) if finding.blocks else finding


def _finding(item: Json) -> Finding:
    if not isinstance(item, dict):
        return Finding(Severity.MAJOR, "review", str(item or "").strip(), analyzer="reviewer")
    severity = _SEVERITIES.get(str(item.get("severity") or item.get("level") or "").strip().lower(), Severity.MAJOR)
    return Finding(
        severity,
        "review",
        str(next((item[k] for k in _MESSAGES if item.get(k)), "")).strip(),
        file=str(item.get("file") or item.get("path") or "").strip(),
        hint=str(next((item[k] for k in _HINTS if item.get(k)), "")).strip(),
        analyzer="reviewer",
    )


def _message(brief: ReviewBrief, budget: int) -> str:
    task = brief.task
    head = f"# Task: {task.title}\n(of the plan {brief.plan_title!r})\n\n{clip(task.description, budget // 4)}"
    if task.file_paths:
        head += "\n\nFiles of this task:\n" + "\n".join(f"- {p}" for p in task.file_paths)
    evidence = _evidence(brief, budget // 4)
    end = load("reviewer_end")
    left = budget - sum(map(estimate, (head, evidence, end)))
    diff = f"# The change\n{fenced('change.diff', clip(brief.diff.strip() or '(no change)', max(100, left * 2 // 3)))}"
    left -= estimate(diff)
    shown = []
    for path, content in brief.files:
        part = f"# {path} after the change\n{fenced(path, content.rstrip())}"
        if estimate(part) <= left:
            shown.append(part)
            left -= estimate(part)
    return "\n\n".join((head, diff, *shown, evidence, end))


def _evidence(brief: ReviewBrief, limit: int) -> str:
    if not brief.evidence:
        return "# Commands\nNo command was run for this task."
    share = max(60, limit // len(brief.evidence))
    parts = []
    for result in brief.evidence:
        outcome = (
            "passed" if result.passed else "timed out" if result.timed_out else f"failed, exit code {result.exit_code}"
        )
        output = result.output.strip()
        text = f"`{result.command}` {outcome}"
        parts.append(f"{text}:\n{fenced('', clip(output, share, tail_share=0.8))}" if output else f"{text}.")
    return "# Commands that were run on the change\n" + "\n\n".join(parts)
