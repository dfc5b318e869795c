"""Close (cpu): the plan's commands once more on the whole, then its end state. A plan is done only with evidence.

What decides is ``workflows.done_gate``, the same that a person is shown.
"""

from __future__ import annotations

from collections.abc import Sequence

from lao.core.states import PlanState, TaskState
from lao.core.steps import StepKind
from lao.core.words import CommandResult, Finding, Severity
from lao.quality.commands import command_findings
from lao.quality.coverage import VALIDATED, Covered
from lao.state import ledger, pipeline, plan_order, plans, queries, standing
from lao.state.records import Task
from workflows import decisions, done_gate, guidance, plan_checks
from workflows.work import Outcome, Work

Standing = list[tuple[TaskState, int]]


def body(work: Work) -> Outcome:
    """See that the plan's commands and its tasks' commands pass on the result, and end the plan."""
    store, plan = work.factory.store, work.plan
    tasks = plans.tasks_of(store, plan.id)
    whole = plan_checks.look(work)
    known = plan_checks.gathered(work, whole)
    results = plan_checks.judge(work, whole, known)
    demands = done_gate.demands_of(work.factory, plan.id, tasks, {r.command: r.passed for r in results})
    state, reason = _verdict(work, tasks, whole.commit, results, demands)
    repository = work.repository()
    if state is PlanState.COMPLETED and repository is not None:
        ids = [task.id for task in tasks]
        work.steps.run(StepKind.REPEATABLE, "forget checkpoints", lambda: repository.forget_checkpoints(ids))
    findings = (*command_findings(results), *_uncovered(demands))
    made = decisions.decision(work, (state, reason), commit=whole.commit, tasks=tasks, results=results, demands=demands)
    begun = _standing(tasks)

    def apply(now: float) -> list[int]:
        if pipeline.open_tasks(plan.id) or _standing(plans.tasks_of(store, plan.id)) != begun:
            return pipeline.close_if_over(plan.id, now)  # somebody set tasks back meanwhile
        ledger.add_validations(store, work.claim, "close", whole.commit, results)
        ledger.add_findings(store, work.claim, findings)
        pipeline.end_plan(plan.id, state, now, reason)
        decisions.keep(work, made, now)
        return plan_order.freed(plan.id)

    text = f"{state.value}{': ' + reason if reason else ''}{_notes(work, tasks, demands)}"
    early = f"; {sum(r.command in known for r in results)} of {len(results)} results came early" if known else ""
    return Outcome(apply, text=f"{text}{early}", after=lambda: _tell(work))


def _tell(work: Work) -> None:
    """Bring the files that show what is kept up to date."""
    guidance.sync(work)
    decisions.write_log(work.factory)


def _verdict(
    work: Work,
    tasks: Sequence[Task],
    commit: str | None,
    results: tuple[CommandResult, ...],
    demands: Sequence[Covered],
) -> tuple[PlanState, str]:
    conditions = done_gate.conditions_of(
        tasks,
        done_gate.of_results(results, commit, ran=plan_checks.wanted(work)),
        standing.findings(work.factory.store, work.plan.id),
        done_gate.questions_of(work.factory, work.plan.id),
        demands,
        work.factory.settings.orchestration,
        over=True,
    )
    return done_gate.verdict(conditions)


def _standing(tasks: Sequence[Task]) -> Standing:
    """State and number of attempts of each of the plan's tasks."""
    return [(task.state, task.attempts) for task in tasks]


def _uncovered(demands: Sequence[Covered]) -> tuple[Finding, ...]:
    """What of the plan's demands is not shown, for the report; whether that ends the plan is decided by the gate."""
    hint = "look at it, or give it a line 'Check: `command`' in the plan"
    found = [one for one in demands if one.status != VALIDATED]
    return tuple(Finding(Severity.MINOR, "demand_open", one.text, "", hint, "plan_integrator") for one in found)


def _notes(work: Work, tasks: Sequence[Task], demands: Sequence[Covered]) -> str:
    evidence = queries.evidence_view(work.factory.store, work.plan.id)
    bare = [task for task in tasks if task.state is TaskState.COMPLETED and task.id not in evidence]
    note = f"; {len(bare)} of {len(tasks)} tasks have no check that could fail: look at them" if bare else ""
    met = sum(one.status == VALIDATED for one in demands)
    return f"{note}; {met} of {len(demands)} demands validated" if demands else note
