"""The statements about a whole plan: how it ended, what was run on the whole, what is not known. Reads no state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lao.core.states import PHASE_ROLE, TERMINAL_PLANS, PlanState
from lao.reports import evidence as proofs
from lao.reports.model import Claim, Energy, Figure, FindingReport, TaskReport
from lao.reports.refs import ref
from lao.reports.usage import energy_claim
from lao.reports.wording import several
from lao.reports.wording import state as worded
from lao.state.report_rows import PlanFacts, ValidationFacts

_WORDS = {
    PlanState.COMPLETED: "done",
    PlanState.FAILED: "failed",
    PlanState.NEEDS_HUMAN: "needs a person",
    PlanState.CANCELLED: "cancelled",
}


def headline(facts: PlanFacts, closing: Sequence[ValidationFacts], *, there: bool) -> Claim:
    """How the plan stands, in one sentence. ``there``: whether the repository has the commit that was judged."""
    plan, tasks = facts.plan, facts.tasks
    word = _WORDS.get(plan.state, f"not over ({plan.state.value})")
    done = sum(task.state == "completed" for task in tasks)
    refs = [ref("plan", plan.id), *(ref("task", task.id) for task in tasks)]
    figures: list[Figure] = [("tasks", len(tasks)), ("tasks.completed", done)]
    parts = [f"{done} of {several(len(tasks), 'task')} completed" if tasks else "no task was planned"]
    for state in ("failed", "needs_human", "cancelled"):
        number = sum(task.state == state for task in tasks)
        if number:
            parts.append(f"{number} {worded(state)}")
            figures.append((f"tasks.{state}", number))
    if closing:
        commit = closing[-1].commit
        gone = "" if there else ", which is gone"
        parts.append(f"{proofs.pass_text(closing)} on the whole{f' ({commit[:10]}{gone})' if commit else ''}")
        refs += [ref("validation", row.id) for row in closing]
        refs += [ref("commit", plan.id, commit)] if commit and there else []
        figures += proofs.counted(closing)
    elif plan.state in TERMINAL_PLANS:
        parts.append("no command was run on the whole")
    return Claim(f"{word}: {', '.join(parts)}", tuple(refs), tuple(figures))


def claims(
    facts: PlanFacts, tasks: Sequence[TaskReport], findings: Sequence[FindingReport], energy: Energy | None
) -> tuple[Claim, ...]:
    """Further statements."""
    return (
        *_failing(facts),
        *_unproved(tasks),
        *_findings(facts, findings),
        *_crashes(facts),
        *_swaps(facts),
        *_questions(facts),
        energy_claim(facts.plan.id, energy),
    )


def worked_runs(facts: PlanFacts) -> int:
    """How many phases with a model have begun and are over."""
    with_model = {phase.value for phase in PHASE_ROLE}
    return sum(
        run.phase in with_model and run.started is not None and run.state in ("done", "failed") for run in facts.runs
    )


def _failing(facts: PlanFacts) -> Iterator[Claim]:
    for row in proofs.of_last_run(facts.validations, proofs.CLOSE):
        if not row.passed:
            how = "ran out of time" if row.timed_out else f"ends with exit code {row.exit_code}"
            how = "has an unknown outcome" if row.exit_code is None and not row.timed_out else how
            yield Claim(f"on the whole, {row.command!r} {how}", (ref("validation", row.id),), proofs.counted([row]))


def _unproved(tasks: Sequence[TaskReport]) -> Iterator[Claim]:
    bare = sorted(task.id for task in tasks if task.state == "completed" and task.proof == "none")
    if bare:
        text = f"no command that could fail stands behind {several(len(bare), 'completed task')}: look at the diff"
        yield Claim(text, tuple(ref("task", number) for number in bare), (("tasks", len(bare)),))


def _findings(facts: PlanFacts, findings: Sequence[FindingReport]) -> Iterator[Claim]:
    standing = [one for one in findings if one.standing]
    if not standing:
        yield Claim("no finding stands", (ref("plan", facts.plan.id),))
        return
    counts = [(grade, sum(one.severity == grade for one in standing)) for grade in ("critical", "major")]
    text = f"standing: {several(len(standing), 'finding')}, " + ", ".join(
        f"{number} {grade}" for grade, number in counts
    )
    figures = (("findings", len(standing)), *((f"findings.{grade}", number) for grade, number in counts))
    yield Claim(text, tuple(sorted((one.ref for one in standing), key=_number)), figures)


def _crashes(facts: PlanFacts) -> Iterator[Claim]:
    died = [run for run in facts.runs if run.crashes]
    if died:
        total = sum(run.crashes for run in died)
        text = f"a worker died {several(total, 'time')} in {several(len(died), 'phase')} of it; what was done was kept"
        yield Claim(text, tuple(ref("run", run.id) for run in died), (("runs", len(died)), ("crashes", total)))


def _swaps(facts: PlanFacts) -> Iterator[Claim]:
    loads = [event for event in facts.models if event.kind == "load"]
    if loads:
        seconds = round(sum(event.seconds for event in loads), 3)
        text = f"models were loaded {several(len(loads), 'time')} for it, in {seconds:g} s"
        refs = tuple(ref("event", event.id) for event in loads)
        yield Claim(text, refs, (("events", len(loads)), ("events.seconds", seconds)))


def _questions(facts: PlanFacts) -> Iterator[Claim]:
    if facts.questions:
        text = f"waiting for a person: {several(len(facts.questions), 'question')}"
        refs = tuple(ref("question", one.id) for one in facts.questions)
        yield Claim(text, refs, (("questions", len(refs)),))


def _number(reference: str) -> int:
    return int(reference.partition(":")[2])
