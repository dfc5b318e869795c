"""What a person should do next, as commands. Reads no state; names only commands that LAO has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lao.core.states import TERMINAL_PLANS, PlanState
from lao.reports.model import NextStep, TaskReport
from lao.reports.refs import ref
from lao.state.report_rows import PlanFacts

RISKIEST = 3


def next_steps(facts: PlanFacts, tasks: Sequence[TaskReport]) -> tuple[NextStep, ...]:
    """The most urgent first: what waits for a person, what can be tried again, what to look at."""
    return (*_questions(facts), *_again(facts), *_looking(facts, tasks), *_going_on(facts))


def _questions(facts: PlanFacts) -> Iterator[NextStep]:
    for one in facts.questions:
        why = f"a model waits to be allowed {one.tool}: {_line(one.reason)} ('lao deny {one.id}' refuses)"
        yield NextStep(f"lao approve {one.id}", why, ref("question", one.id))


def _again(facts: PlanFacts) -> Iterator[NextStep]:
    """A task that was ended by another one comes back with it."""
    bad = [task for task in facts.tasks if task.state in ("needs_human", "failed")]
    lost = {task.id for task in bad} | {task.id for task in facts.tasks if task.state == "cancelled"}
    roots = [task for task in bad if not lost.intersection(task.needs)]
    for task in roots:
        what = "needs a person" if task.state == "needs_human" else "failed"
        why = f"task {task.id} {task.title!r} {what}: {_line(task.reason)}"
        yield NextStep(f"lao replay {task.id}", why, ref("task", task.id))
    plan = facts.plan
    if plan.state in (PlanState.FAILED, PlanState.NEEDS_HUMAN) and (len(bad) != 1 or not facts.tasks):
        what = f"tries all {len(bad)} of them again" if bad else f"tries the plan again: {_line(plan.reason)}"
        yield NextStep(f"lao retry-failed {plan.id}", what, ref("plan", plan.id))
    if plan.state is PlanState.CANCELLED:
        yield NextStep(f"lao retry-failed {plan.id}", "brings back what was cancelled", ref("plan", plan.id))


def _looking(facts: PlanFacts, tasks: Sequence[TaskReport]) -> Iterator[NextStep]:
    plan = facts.plan
    for task in [task for task in tasks if task.commit and task.risk > 0][:RISKIEST]:
        why = f"task {task.id} {task.title!r} deserves a look: {task.risk_why[0]}"
        yield NextStep(f"lao diff {task.id}", why, ref("task", task.id))
    if plan.state in TERMINAL_PLANS and any(task.commit for task in tasks):
        yield NextStep(f"lao diff {plan.id} --stat", f"all that was committed for {plan.name}", ref("plan", plan.id))
    if plan.state is PlanState.COMPLETED:
        why = f"your word on {plan.name}; 'lao reject {plan.id} --revert' takes it back"
        yield NextStep(f"lao accept {plan.id}", why, ref("plan", plan.id))


def _going_on(facts: PlanFacts) -> Iterator[NextStep]:
    if facts.plan.state not in TERMINAL_PLANS:
        yield NextStep("lao run", f"the plan is {facts.plan.state.value}, not over", ref("plan", facts.plan.id))


def _line(reason: str) -> str:
    """The first line of a reason."""
    return reason.splitlines()[0] if reason else "no reason is recorded"
