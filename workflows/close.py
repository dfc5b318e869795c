"""Close (cpu): the plan's commands once more on the whole, then its end state. A plan is done only with evidence."""

from __future__ import annotations

from lao.core.states import PlanState, TaskState
from lao.core.words import CommandResult
from lao.quality.commands import command_findings, run_checks, validation_commands
from lao.state import ledger, pipeline, plans, queries
from workflows.work import Outcome, Work


def body(work: Work) -> Outcome:
    """Run the plan's commands and its tasks' commands on the result, and end the plan."""
    factory, plan = work.factory, work.plan
    tasks = plans.tasks_of(factory.store, plan.id)
    completed = [task for task in tasks if task.state is TaskState.COMPLETED]
    own = [("test", command) for task in completed for command in task.spec.commands]
    whole = validation_commands(factory.settings.orchestration, plan.options, None, plan.workspace)
    commands = {command: kind for kind, command in (*own, *whole)}
    results = run_checks(
        [(kind, command) for command, kind in commands.items()],
        cwd=plan.workspace,
        steps=work.steps,
        marker=work.marker,
        timeout_s=factory.settings.orchestration.validation_timeout_s,
        stop=lambda: work.stopping,
    )
    state, reason = judge([task.state for task in tasks], results)
    evidence = queries.evidence_view(factory.store, plan.id)
    bare = [task for task in completed if task.id not in evidence]
    note = f"; {len(bare)} of {len(tasks)} tasks have no check that could fail: look at them" if bare else ""

    def apply(now: float) -> list[int]:
        ledger.add_validations(factory.store, work.claim, "close", None, results)
        ledger.add_findings(factory.store, work.claim, command_findings(results))
        pipeline.end_plan(plan.id, state, now, reason)
        return []

    return Outcome(apply, text=f"{state.value}{': ' + reason if reason else ''}{note}")


def judge(states: list[TaskState], results: tuple[CommandResult, ...]) -> tuple[PlanState, str]:
    """How a plan ends: the worst of its tasks decides, and a failing command on the whole is never "completed"."""
    waiting = states.count(TaskState.NEEDS_HUMAN)
    failed = states.count(TaskState.FAILED) + states.count(TaskState.CANCELLED)
    broken = [result.command for result in results if not result.passed]
    if waiting:
        return PlanState.NEEDS_HUMAN, f"{waiting} of {len(states)} tasks need a person"
    if failed:
        return PlanState.FAILED, f"{failed} of {len(states)} tasks failed"
    if broken:
        return PlanState.FAILED, f"on the whole, {broken[0]!r} fails"
    return PlanState.COMPLETED, ""
