"""Close (cpu): the plan's commands once more on the whole, then its end state. A plan is done only with evidence."""

from __future__ import annotations

from lao.core.states import PlanState, TaskState
from lao.core.steps import StepKind
from lao.core.words import CommandResult
from lao.quality.commands import command_findings
from lao.state import ledger, pipeline, plan_order, plans, queries
from workflows import guidance, plan_checks
from workflows.work import Outcome, Work

Standing = list[tuple[TaskState, int]]


def body(work: Work) -> Outcome:
    """See that the plan's commands and its tasks' commands pass on the result, and end the plan."""
    factory, plan = work.factory, work.plan
    standing = _standing(work)
    whole = plan_checks.look(work)
    known = plan_checks.gathered(work, whole)
    results = plan_checks.judge(work, whole, known)
    state, reason = judge([state for state, _ in standing], results)
    repository = work.repository()
    if state is PlanState.COMPLETED and repository is not None:
        ids = [task.id for task in plans.tasks_of(factory.store, plan.id)]
        work.steps.run(StepKind.REPEATABLE, "forget checkpoints", lambda: repository.forget_checkpoints(ids))
    guidance.sync(work)
    evidence = queries.evidence_view(factory.store, plan.id)
    done = [task for task in plans.tasks_of(factory.store, plan.id) if task.state is TaskState.COMPLETED]
    bare = [task for task in done if task.id not in evidence]
    note = f"; {len(bare)} of {len(standing)} tasks have no check that could fail: look at them" if bare else ""
    early = f"; {sum(r.command in known for r in results)} of {len(results)} results came early" if known else ""

    def apply(now: float) -> list[int]:
        if pipeline.open_tasks(plan.id) or _standing(work) != standing:  # somebody set tasks back meanwhile
            return pipeline.close_if_over(plan.id, now)
        ledger.add_validations(factory.store, work.claim, "close", whole.commit, results)
        ledger.add_findings(factory.store, work.claim, command_findings(results))
        pipeline.end_plan(plan.id, state, now, reason)
        return plan_order.freed(plan.id)

    return Outcome(apply, text=f"{state.value}{': ' + reason if reason else ''}{note}{early}")


def _standing(work: Work) -> Standing:
    """State and number of attempts of each of the plan's tasks."""
    return [(task.state, task.attempts) for task in plans.tasks_of(work.factory.store, work.plan.id)]


def judge(states: list[TaskState], results: tuple[CommandResult, ...]) -> tuple[PlanState, str]:
    """How a plan ends: the worst of its tasks decides, and a failing command on the whole is never "completed"."""
    waiting = states.count(TaskState.NEEDS_HUMAN)
    failed, cancelled = states.count(TaskState.FAILED), states.count(TaskState.CANCELLED)
    broken = [result.command for result in results if not result.passed]
    if waiting:
        return PlanState.NEEDS_HUMAN, f"{waiting} of {len(states)} tasks need a person"
    if failed:
        return PlanState.FAILED, f"{failed} of {len(states)} tasks failed"
    if cancelled:  # what fails on the whole then may fail for want of them
        return PlanState.CANCELLED, f"{cancelled} of {len(states)} tasks were cancelled"
    if broken:
        return PlanState.FAILED, f"on the whole, {broken[0]!r} fails"
    return PlanState.COMPLETED, ""
