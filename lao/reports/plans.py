"""The report of one plan, put together from its rows and its repository. Writes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lao.core.states import TERMINAL_PLANS
from lao.reports import evidence as proofs
from lao.reports.changes import changes
from lao.reports.headline import claims, headline, worked_runs
from lao.reports.model import SCHEMA_VERSION, PlanReport, Question
from lao.reports.next_steps import next_steps
from lao.reports.refs import ref
from lao.reports.requirements import requirements_of
from lao.reports.tasks import commits_of, findings_of, tasks_of
from lao.reports.timeline import timeline
from lao.reports.usage import energy_of, usage_of
from lao.state.report_rows import PlanFacts, plan_facts
from lao.state.store import Store

FINDINGS: Final = 200
"""Findings of a report, unless more are asked for; it says how many there are."""


def plan_report(store: Store, plan_id: str, *, findings: int | None = FINDINGS) -> PlanReport:
    """The report of a plan in whatever state it is; the same rows and commits give the same report.

    Args:
        findings: at most so many are listed; None lists all.

    Raises:
        BadInput: there is no such plan.
    """
    return report_of(plan_facts(store, plan_id), findings=findings)


def report_of(facts: PlanFacts, *, findings: int | None = FINDINGS) -> PlanReport:
    """The report that follows from these rows."""
    plan = facts.plan
    changed = changes(Path(plan.workspace), (commit for task in facts.tasks for commit in commits_of(facts, task)))
    every = findings_of(facts)
    tasks = tasks_of(facts, every, changed)
    closing = proofs.of_last_run(facts.validations, proofs.CLOSE)
    energy = energy_of(facts.energy, worked_runs(facts))
    spans, left_out = timeline(facts)
    over = plan.state in TERMINAL_PLANS
    return PlanReport(
        schema_version=SCHEMA_VERSION,
        id=plan.id,
        name=plan.name,
        state=plan.state.value,
        over=over,
        claim=headline(facts, closing),
        reason=plan.reason,
        file=plan.file,
        workspace=str(plan.workspace),
        base_commit=plan.base_commit,
        commit=closing[-1].commit if closing else None,
        claims=claims(facts, tasks, every, energy),
        requirements=requirements_of(facts, tasks),
        tasks=tasks,
        commands=tuple(proofs.evidence(row) for row in closing),
        timeline=spans,
        timeline_left_out=left_out,
        usage=usage_of([facts]),
        energy=energy,
        findings=every[:findings],
        findings_total=len(every),
        questions=tuple(
            Question(one.id, one.tool, one.reason, one.task, one.asked, ref("question", one.id))
            for one in facts.questions
        ),
        next_steps=next_steps(facts, tasks),
        started=plan.created_at,
        ended=facts.moved if over else None,
    )
