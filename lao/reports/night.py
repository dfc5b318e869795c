"""The report of a night: every plan that was worked on in a window, what wants a person first. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lao.reports.model import Claim, NextStep, NightReport, PlanReport, Span
from lao.reports.plans import report_of
from lao.reports.refs import ref
from lao.reports.timeline import model_spans
from lao.reports.usage import usage_of
from lao.reports.wording import several
from lao.reports.wording import state as worded
from lao.state.report_plans import plans_within, working_times
from lao.state.report_rows import PlanFacts, model_facts, plan_facts
from lao.state.store import Store

IDLE_S: Final = 4 * 3600.0
"""A night begins after the workers have had nothing to do for so long,"""

DAY_S: Final = 24 * 3600.0
"""but not before the last day."""

FINDINGS: Final = 20
"""Findings listed of each plan; its own report has more."""

_ORDER: Final = ("needs_human", "failed", "cancelled", "active", "planning", "queued", "completed")
_STEPS: Final = 20
_LOOKS: Final = 5
"""Diffs named of a whole night; the reports of its plans have the others."""


def night_report(store: Store, since: float, until: float) -> NightReport:
    """All plans that were handed in, worked on or ended between two moments (seconds since the epoch)."""
    facts = [plan_facts(store, ident) for ident in plans_within(store, since, until)]
    plans = sorted((report_of(one, findings=FINDINGS) for one in facts), key=_urgency)
    within = [span for plan in plans for span in plan.timeline if span.start <= until and _end(span, until) >= since]
    return NightReport(
        since=since,
        until=until,
        plans=tuple(plans),
        headline=_headline(plans, facts),
        timeline=tuple(sorted((*within, *_others(store, since, until, within)), key=lambda one: (one.start, one.ref))),
        usage=usage_of(facts),
        next_steps=_steps(plans),
    )


def last_night(store: Store) -> float:
    """Where the last night begins: after the last idle stretch of ``IDLE_S``, at most ``DAY_S`` ago. Seconds since the
    epoch."""
    now = store.now()
    begin = now - DAY_S
    last_end = begin
    for start, end in working_times(store, begin):
        if start - last_end >= IDLE_S:
            begin = start
        last_end = max(last_end, now if end is None else end)
    return min(begin, now)


def _urgency(plan: PlanReport) -> tuple[int, float, str]:
    return _ORDER.index(plan.state), plan.started, plan.id


def _end(span: Span, until: float) -> float:
    return until if span.end is None else span.end


def _others(store: Store, since: float, until: float, known: Sequence[Span]) -> list[Span]:
    """Loads and waits that were for no run of these plans."""
    seen = {span.ref for span in known}
    return [span for span in model_spans(model_facts(store, since, until), {}) if span.ref not in seen]


def _headline(plans: Sequence[PlanReport], facts: Sequence[PlanFacts]) -> tuple[Claim, ...]:
    if not plans:
        return ()
    refs = tuple(ref("plan", plan.id) for plan in plans)
    states = [(state, sum(plan.state == state for plan in plans)) for state in _ORDER]
    told = [(state, number) for state, number in states if number]
    text = f"{several(len(plans), 'plan')}: " + ", ".join(f"{number} {worded(state)}" for state, number in told)
    figures = (("plans", len(plans)), *((f"plans.{state}", number) for state, number in told))
    tasks = [task for one in facts for task in one.tasks]
    done = sum(task.state == "completed" for task in tasks)
    of_tasks = Claim(
        f"{done} of {several(len(tasks), 'task')} completed",
        tuple(ref("task", task.id) for task in tasks) or refs,
        (("tasks", len(tasks)), ("tasks.completed", done)),
    )
    return (Claim(text, refs, figures), of_tasks)


def _steps(plans: Sequence[PlanReport]) -> tuple[NextStep, ...]:
    """What waits for a person and what can be tried again, of each plan in turn so that no plan hides another; then
    the riskiest diffs of the night; then the word on what is completed."""
    risks = {f"lao diff {task.id}": task.risk for plan in plans for task in plan.tasks}
    looks = sorted(
        (s for plan in plans for s in plan.next_steps if s.command in risks), key=lambda s: -risks[s.command]
    )
    whole = {f"lao diff {plan.id} --stat" for plan in plans}
    others = [[s for s in plan.next_steps if s.command not in risks.keys() | whole] for plan in plans]
    found: list[NextStep] = []
    while any(others):
        found += [one.pop(0) for one in others if one]
    accepted = {f"lao accept {plan.id}" for plan in plans}
    last = [step for step in found if step.command in accepted]
    first = [step for step in found if step.command not in accepted]
    return tuple(dict.fromkeys([*first, *looks[:_LOOKS], *last]))[:_STEPS]
