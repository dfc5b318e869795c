"""What a plan demands, bound to the tasks that answer it, and the gaps in it. Kept when the plan's tasks are."""

from __future__ import annotations

from collections.abc import Sequence

from lao.agents.plan_answers import answer, bound, gaps
from lao.core.words import Finding, Severity, TaskSpec
from lao.quality.requirements import requirements_of
from lao.state import ledger, plans, requirements
from workflows.work import Work


def keep_bound(work: Work, specs: Sequence[TaskSpec]) -> list[int]:
    """Inside the transaction that stores the plan's tasks: its demands with the tasks and commands that answer them.

    Returns the ids of the tasks in the plan's order. What nobody answers, nothing can show or nobody can check is noted
    as a finding where ``spec_doctor_enabled``.
    """
    store, plan = work.factory.store, work.plan
    ids = [task.id for task in plans.tasks_of(store, plan.id)]
    demands = requirements_of(plan.text, plan.options)
    if not demands:
        return ids
    answers = [answer(demand.requirement, demand.block, specs) for demand in demands]
    requirements.keep(plan.id, [bound(d.requirement, a, ids) for d, a in zip(demands, answers, strict=True)])
    if work.factory.settings.raw["agentic"]["spec_doctor_enabled"]:
        found = gaps([demand.requirement for demand in demands], answers)
        ledger.add_findings(store, work.claim, [_note(what, hint) for what, hint in found])
    return ids


def _note(what: str, hint: str) -> Finding:
    return Finding(Severity.INFO, "plan_gap", what, "", hint, "spec_doctor")
