"""The reviewer: task, diff and evidence in, a review out. Runs nothing; what it counts for is in objections."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lao.agents.ask import JournaledModel, completion_limit, request
from lao.agents.coder_brief import fenced
from lao.agents.objections import Objection, Review
from lao.agents.prompt import load, schema
from lao.config.settings import ModelSettings
from lao.core.chat import ChatAnswer, ChatRequest, Model
from lao.core.errors import AttemptFailed
from lao.core.steps import Steps
from lao.core.words import CommandResult, Finding, Json, Severity, TaskSpec, Verdict
from lao.llm.clean import clean
from lao.llm.failures import Failure
from lao.llm.structured import complete_json
from lao.llm.tokens import clip, estimate

MAX_TOKENS = 700
"""A verdict with three findings needs about half of it; a model that rambles is cut."""
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
        memory: what is known about the project.
        survey: what was found in the workspace; it stands first, the same for all tasks of the plan.
        viewpoint: what to look at only, for a critic; "" for the reviewer.
    """

    task: TaskSpec
    plan_title: str
    diff: str
    files: tuple[tuple[str, str], ...] = ()
    evidence: tuple[CommandResult, ...] = ()
    memory: str = ""
    survey: str = ""
    viewpoint: str = ""


def review(brief: ReviewBrief, *, model: Model, settings: ModelSettings, steps: Steps, label: str = "review") -> Review:
    """The model's verdict on the change, with the proof that it gives for its findings.

    A rejection with nothing but minor findings is an approval with notes; findings beside an approval are notes.

    Raises:
        AttemptFailed: kind "bad_verdict", or what the model raises.
    """
    asked = JournaledModel(model, steps, label, context=settings.context_length)
    system = load("reviewer")
    answer_tokens = min(completion_limit(settings), MAX_TOKENS)
    budget = int((settings.context_length - answer_tokens - estimate(system)) * 0.9)
    messages: list[dict[str, Json]] = [
        {"role": "system", "content": system},
        {"role": "user", "content": _message(brief, max(budget, 300))},
    ]
    return _ask(asked, replace(request(settings, messages), max_tokens=answer_tokens), settings, brief)


def _ask(model: JournaledModel, ask: ChatRequest, settings: ModelSettings, brief: ReviewBrief) -> Review:
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
    return read_review(value)


class _Reader:
    """Passes calls on and keeps the answers' texts, for a verdict in plain words."""

    def __init__(self, model: JournaledModel) -> None:
        self._model = model
        self._texts: list[str] = []

    def complete(self, request: ChatRequest) -> ChatAnswer:
        answer = self._model.complete(request)
        self._texts.append(clean(answer.text))
        return answer

    def fault(self, failure: Failure, text: str) -> None:
        """Handed on to the model, which reports it."""
        self._model.fault(failure, text)

    def worded(self) -> Review | None:
        for text in reversed(self._texts):
            if match := _WORD.match(text):
                if match[1].lower() in _APPROVED:
                    return Review(Verdict(True, text[:500]))
                return _rejection(text[:500], (_objection(text[:2000]),))
        return None


def _problem(value: Json) -> str:
    try:
        verdict = read_review(value).verdict
    except ValueError as error:
        return str(error)
    if not verdict.approved and not verdict.findings:
        return "it rejects without a finding. Name the file and the defect in findings, or answer APPROVED."
    return ""


def read_review(value: Json) -> Review:
    """The review in a decoded answer, whatever words it uses.

    Raises:
        ValueError: there is none; the message can go back to the model.
    """
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        raise ValueError('the answer must be an object {"verdict": "APPROVED" or "REJECTED", ...}')  # noqa: TRY004
    said = next((value[k] for k in _VERDICTS if k in value), None)
    if isinstance(said, dict):
        return read_review({**value, **said})
    word = re.sub(r"[\W_]+", "", str(said)).lower()
    if word not in _APPROVED | _REJECTED:
        raise ValueError('"verdict" must be "APPROVED" or "REJECTED"')
    raw: Json = next((value[k] for k in _FINDINGS if value.get(k)), [])
    objections = tuple(
        o
        for o in map(_objection, raw if isinstance(raw, list) else [raw])
        if o.finding.message and "<" not in o.finding.message[:1]
    )
    summary = str(value.get("summary") or value.get("reason") or "").strip()
    if word in _APPROVED:
        return Review(Verdict(True, summary, tuple(_note(o.finding) for o in objections)), objections)
    if not objections and summary:
        objections = (_objection(summary),)
    return _rejection(summary, objections)


def _rejection(summary: str, objections: tuple[Objection, ...]) -> Review:
    findings = tuple(o.finding for o in objections)
    approved = bool(findings) and not any(f.blocks for f in findings)
    return Review(Verdict(approved, summary, findings), objections)


def _note(finding: Finding) -> Finding:
    return replace(finding, severity=Severity.MINOR) if finding.blocks else finding


def _objection(item: Json) -> Objection:
    if not isinstance(item, dict):
        return Objection(Finding(Severity.MAJOR, "review", str(item or "").strip(), analyzer="reviewer"))
    severity = _SEVERITIES.get(str(item.get("severity") or item.get("level") or "").strip().lower(), Severity.MAJOR)
    file, _, behind = _text(item, ("file", "path")).partition(":")
    line = re.search(r"\d+", str(item.get("line") or behind))
    finding = Finding(
        severity, "review", _text(item, _MESSAGES), file=file, hint=_text(item, _HINTS), analyzer="reviewer"
    )
    command = _text(item, ("command", "evidence", "proof", "reproduce"))
    if not command and item.get("input") and item.get("expected") is not None:
        command = f"{_text(item, ('input',))} == {item['expected']}"
    criterion = _text(item, ("criterion", "requirement", "rule"))
    return Objection(finding, criterion, int(line[0][:9]) if line else 0, command.strip("`"))


def _text(item: dict[str, Json], names: Sequence[str]) -> str:
    return str(next((item[k] for k in names if item.get(k)), "")).strip()


def _message(brief: ReviewBrief, budget: int) -> str:
    task = brief.task
    head = f"# Task: {task.title}\n(of the plan {brief.plan_title!r})\n\n{clip(task.description, budget // 4)}"
    if task.file_paths:
        head += "\n\nFiles of this task:\n" + "\n".join(f"- {p}" for p in task.file_paths)
    evidence = _evidence(brief, budget // 4)
    end = "\n\n".join(part for part in (brief.viewpoint, load("reviewer_end")) if part)
    survey = brief.survey if estimate(brief.survey) <= budget // 8 else ""
    memory = clip(brief.memory, max(0, budget // 8)) if brief.memory else ""
    left = budget - sum(map(estimate, (survey, head, evidence, memory, end)))
    diff = f"# The change\n{fenced('change.diff', clip(brief.diff.strip() or '(no change)', max(100, left * 2 // 3)))}"
    left -= estimate(diff)
    shown = []
    for path, content in brief.files:
        part = f"# {path} after the change\n{fenced(path, content.rstrip())}"
        if estimate(part) <= left:
            shown.append(part)
            left -= estimate(part)
    return "\n\n".join(part for part in (survey, head, diff, *shown, evidence, memory, end) if part)


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
