"""``LAO_QUALITY.md``: a plan's report for five minutes of reading, what failed first. Writes no file.

Each line that states something ends with a comment that names its rows, which renders as nothing and which ``lao
report check`` reads. Somebody else's text (titles, findings, output) is escaped, so that it can neither draw nor state
anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timezone
from typing import Final

from lao.reports.model import Claim, Evidence, FindingReport, NightReport, PlanReport, RequirementStatus, TaskReport
from lao.reports.refs import ref, short

FILE: Final = "LAO_QUALITY.md"
MARK: Final = "<!-- LAO quality report"
"""How every report of LAO's begins; a file of the same name that does not is somebody else's."""

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>|~#&])")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_BAD: Final = ("failed", "needs_human", "cancelled")
_OUTPUT: Final = "      "
_FINDINGS, _OUTPUT_LINES, _STEPS = 20, 15, 10


def plan_markdown(report: PlanReport) -> str:
    """The whole text of one plan."""
    lines = [
        f"{MARK} {report.schema_version} · plan {report.id} · 'lao report check' resolves every statement -->",
        "",
        f"# {_text(report.name)}: {report.state}",
        "",
        _said(report.claim),
    ]
    lines += [f"\nReason: {_text(report.reason)}{_refs([ref('plan', report.id)])}"] if report.reason else []
    bad = [task for task in report.tasks if task.state in _BAD] or not all(item.passed for item in report.commands)
    first = [_failures(report), _steps(report), _requirements(report)]
    parts = first if bad else [first[2], first[1]]
    for part in [*parts, _tasks(report), _attempts(report), _commands(report), _findings(report), _cost(report)]:
        lines += part
    return "\n".join(lines) + "\n"


def night_markdown(night: NightReport) -> str:
    """The text of a night: what there is to decide, then each plan in short."""
    lines = [
        f"{MARK} {night.schema_version} · night {night.since!r} {night.until!r} -->",
        "",
        f"# {_moment(night.since)} to {_moment(night.until)}",
        "",
    ]
    lines += [f"- {_said(claim)}" for claim in night.headline] or ["Nothing was worked on."]
    if night.next_steps:
        lines += ["", "## What to do next", ""]
        lines += [f"1. {_code(step.command)}: {_text(step.why)}{_refs([step.ref])}" for step in night.next_steps]
    for plan in night.plans:
        lines += ["", f"## {_text(plan.name)}: {plan.state}", "", _said(plan.claim), ""]
        lines += [f"- {_said(claim)}" for claim in plan.claims]
        lines += [f"- {_said(task.claim)}" for task in plan.tasks if task.state in _BAD]
    if night.usage:
        lines += ["", "## Models", "", *(f"- {_said(one.claim)}" for one in night.usage)]
    return "\n".join(lines) + "\n"


def _failures(report: PlanReport) -> list[str]:
    lines = ["", "## What failed and why", ""]
    for task in [task for task in report.tasks if task.state in _BAD]:
        why = _text(task.reason) or "no reason is recorded"
        lines.append(f"- **Task {task.id} {_text(task.title)}**: {task.state}: {why}{_refs([ref('task', task.id)])}")
        for item in [item for item in task.evidence if not item.passed and item.moment != "before"][:1]:
            lines += ["", *_shown(item)]
    for item in [item for item in report.commands if not item.passed]:
        lines += [f"- On the whole, {_outcome(item)}{_refs([item.ref])}", "", *_shown(item)]
    return lines


def _steps(report: PlanReport) -> list[str]:
    if not report.next_steps:
        return []
    steps = [f"1. {_code(s.command)}: {_text(s.why)}{_refs([s.ref])}" for s in report.next_steps[:_STEPS]]
    return ["", "## What to do next", "", *steps]


def _requirements(report: PlanReport) -> list[str]:
    if not report.requirements:
        text = f"No requirement was found in the plan.{_refs([ref('plan', report.id)])}"
        return ["", "## Requirements", "", text]
    head = ["| Requirement | Status | What | Evidence |", "|---|---|---|---|"]
    return ["", "## Requirements", "", *head, *(_requirement(one) for one in report.requirements)]


def _requirement(one: RequirementStatus) -> str:
    evidence = "; ".join(_outcome(item) for item in one.evidence[:3]) or "none"
    more = f" and {len(one.evidence) - 3} more" if len(one.evidence) > 3 else ""
    cells = (_text(one.key), f"**{one.status}**", f"{_text(one.text)} (line {one.line})", f"{evidence}{more}")
    return _row(cells, [*one.claim.refs, *(item.ref for item in one.evidence)])


def _tasks(report: PlanReport) -> list[str]:
    if not report.tasks:
        return []
    head = ["| Look | Task | State | Proof | Lines | Why it deserves a look |", "|---|---|---|---|---|---|"]
    return ["", "## Tasks, the riskiest diff first", "", *head, *(_task(report, task) for task in report.tasks)]


def _task(report: PlanReport, task: TaskReport) -> str:
    size = "not measured" if task.added is None else f"+{task.added} −{task.removed}"
    size = "none" if not task.commits and not task.files else size
    commits = [ref("commit", report.id, commit) for commit in task.commits] if task.added is not None else []
    name = f"{task.id} {_text(task.title)}"
    cells = (f"{task.risk:g}", name, task.state, task.proof, size, "; ".join(_text(why) for why in task.risk_why))
    return _row(cells, [*task.claim.refs, *commits])


def _attempts(report: PlanReport) -> list[str]:
    """Of tasks that took more than one, or did not get done."""
    lines = []
    for task in sorted(report.tasks, key=lambda one: one.id):
        if len(task.attempts) > 1 or (task.attempts and task.state in _BAD):
            lines += [f"- {_said(task.claim)}"]
            for one in task.attempts:
                why = f": {_text(one.reason)}" if one.reason else ""
                lines.append(f"  - {_text(one.claim.text)}{why}{_refs(one.claim.refs)}")
    return ["", "## Attempts", "", *lines] if lines else []


def _commands(report: PlanReport) -> list[str]:
    if not report.commands:
        return []
    where = f" on commit {_code(report.commit[:10])}" if report.commit else ""
    rows = [f"- {_outcome(item)}{_refs([item.ref])}" for item in report.commands]
    return ["", f"## Commands on the whole{where}", "", *rows]


def _findings(report: PlanReport) -> list[str]:
    if not report.findings:
        return []
    shown = report.findings[:_FINDINGS]
    lines = ["", "## Findings", "", *(_finding(one) for one in shown)]
    if report.findings_total > len(shown):
        plan = ref("plan", report.id)
        more = (
            f"{len(shown)} of {report.findings_total} are listed; `lao report {report.id} --json --all` has all of them"
        )
        lines += ["", f"{more}{_refs([plan])}"]
    return lines


def _finding(one: FindingReport) -> str:
    where = f" {_code(one.file)}:" if one.file else ""
    whose = f" task {one.task}" if one.task is not None else ""
    old = "" if one.standing else " (of an earlier attempt)"
    return f"- **{one.severity}**{whose}{old}:{where} {_text(one.message)}{_refs([one.ref])}"


def _cost(report: PlanReport) -> list[str]:
    lines = ["", "## Figures", ""]
    lines += [f"- {_said(claim)}" for claim in report.claims]
    lines += [f"- {_said(one.claim)}" for one in report.usage]
    ended = "not over" if report.ended is None else _moment(report.ended)
    return [*lines, f"- from {_moment(report.started)} to {ended}{_refs([ref('plan', report.id)])}"]


def _outcome(item: Evidence) -> str:
    how = "passes" if item.passed else "outcome unknown" if item.exit_code is None else f"exit code {item.exit_code}"
    where = f" on {item.commit[:10]}" if item.commit else ""
    return f"{_code(item.command)} {how}{where} in {item.seconds:.1f} s"


def _shown(item: Evidence) -> list[str]:
    """The end of the output, indented: nothing in it can end the block."""
    tail = [_CONTROL.sub("\N{REPLACEMENT CHARACTER}", line) for line in item.excerpt.splitlines()[-_OUTPUT_LINES:]]
    return [*(f"{_OUTPUT}{line}" for line in tail), ""] if tail else []


def _said(claim: Claim) -> str:
    return f"{_text(claim.text)}{_refs(claim.refs)}"


def _refs(references: Iterable[str]) -> str:
    return f" <!-- refs: {short(references)} -->"


def _row(cells: Sequence[str], references: Iterable[str]) -> str:
    return f"| {' | '.join(cells)}{_refs(references)} |"


def _text(text: str) -> str:
    """Somebody else's text as one line that is nothing but text."""
    return _SPECIAL.sub(r"\\\1", " ".join(_CONTROL.sub(" ", text).split()))


def _code(text: str) -> str:
    """Somebody else's text in code quotes; a bar would end a table's cell even there."""
    plain = " ".join(_CONTROL.sub(" ", text).split()).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall(r"`+", plain)), default=0) + 1)
    edge = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{edge}{plain.replace('<!--', '<! --')}{edge}{fence}"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def refs_in(text: str) -> Iterator[tuple[int, str]]:
    """(line from 1, the references of its comment) of every line that has one."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith(_OUTPUT):
            continue
        for match in re.finditer(r"<!-- refs: (.*?) -->", line):
            yield number, match[1]
