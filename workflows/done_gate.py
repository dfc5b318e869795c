"""The gate that a plan passes when it is done: what the close decides by, and what a person is shown, from one place.

A plan is done only with all tasks completed, all commands green on the final commit, no critical finding and no open
question; with ``strict_adherence`` also with an allowed status for each of its demands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from lao.config.settings import OrchestrationSettings
from lao.core.states import TERMINAL_PLANS, TERMINAL_TASKS, PlanState, TaskState
from lao.core.words import CommandResult, Finding, Severity
from lao.quality.coverage import VALIDATED, Covered, covered
from lao.quality.gating import Gating, gating_of
from lao.state import approvals, plans, requirements, runs, standing
from lao.state.approvals import Approval
from lao.state.records import Plan, Task
from lao.state.standing import Judged
from workflows.factory import Factory


class Light(str, Enum):
    """How a condition stands."""

    GREEN = "ok"
    OPEN = "open"
    RED = "failed"


@dataclass(frozen=True)
class Condition:
    """One condition.

    Attributes:
        details: what stands against it, a line each.
        end, reason: how a plan ends that is over and does not meet it.
    """

    name: str
    light: Light
    text: str
    details: tuple[str, ...] = ()
    end: PlanState = PlanState.NEEDS_HUMAN
    reason: str = ""


@dataclass(frozen=True)
class Gate:
    """All conditions of a plan. ``over``: nothing of it will change by itself."""

    plan: Plan
    conditions: tuple[Condition, ...]
    over: bool

    @property
    def passed(self) -> bool:
        """Whether the plan is done."""
        return all(condition.light is Light.GREEN for condition in self.conditions)


def look(factory: Factory, plan: Plan) -> Gate:
    """The gate as it stands: tasks, commands on the final commit, findings, questions, demands if there are any."""
    store, now = factory.store, plans.get(factory.store, plan.id)
    over, tasks = now.state in TERMINAL_PLANS, plans.tasks_of(factory.store, plan.id)
    whole = standing.whole(store, plan.id)
    conditions = conditions_of(
        tasks,
        _of_commands(whole.commands, whole.commit, over=over),
        standing.findings(store, plan.id),
        questions_of(factory, plan.id),
        demands_of(factory, plan.id, tasks, {judged.command: judged.passed for judged in whole.commands}),
        factory.settings.orchestration,
        over=over,
    )
    return Gate(now, conditions, over)


def conditions_of(
    tasks: Sequence[Task],
    commands: Condition,
    findings: Sequence[tuple[int | None, Finding]],
    questions: Sequence[Approval],
    demands: Sequence[Covered],
    settings: OrchestrationSettings,
    *,
    over: bool,
) -> tuple[Condition, ...]:
    """The conditions in the order in which they decide.

    Args:
        over: nothing changes by itself any more, so that what is not met has failed.
    """
    found = [
        _of_tasks(tasks, over=over),
        commands,
        _of_findings(findings, gating_of(settings), over=over),
        _of_questions(questions),
    ]
    return (*found, *([_of_demands(demands, settings, over=over)] if demands else []))


def verdict(conditions: Sequence[Condition]) -> tuple[PlanState, str]:
    """How a plan whose tasks are over ends, and why: the first condition that it does not meet decides."""
    for condition in conditions:
        if condition.light is not Light.GREEN:
            return condition.end, condition.reason
    return PlanState.COMPLETED, ""


def questions_of(factory: Factory, plan_id: str) -> tuple[Approval, ...]:
    """The plan's open questions."""
    found = []
    for one in approvals.waiting(factory.store):
        run = runs.get(factory.store, one.run)
        found += [one] if run is not None and run.plan_id == plan_id else []
    return tuple(found)


def demands_of(factory: Factory, plan_id: str, tasks: Sequence[Task], passed: dict[str, bool]) -> tuple[Covered, ...]:
    """The plan's demands with their statuses; ``passed`` as ``lao.quality.coverage.covered``."""
    states = {task.id: task.state for task in tasks}
    return covered(requirements.of_plan(factory.store, plan_id), states, passed)


def end_of_tasks(states: Sequence[TaskState]) -> tuple[PlanState, str]:
    """How a plan ends by its tasks alone: the worst of them decides."""
    ways = (
        (TaskState.NEEDS_HUMAN, PlanState.NEEDS_HUMAN, "need a person"),
        (TaskState.FAILED, PlanState.FAILED, "failed"),
        (TaskState.CANCELLED, PlanState.CANCELLED, "were cancelled"),  # what fails then may fail for want of them
    )
    for state, end, what in ways:
        if number := states.count(state):
            return end, f"{number} of {len(states)} tasks {what}"
    return PlanState.COMPLETED, ""


def _of_tasks(tasks: Sequence[Task], *, over: bool) -> Condition:
    done = sum(task.state is TaskState.COMPLETED for task in tasks)
    bad = [task for task in tasks if task.state in TERMINAL_TASKS and task.state is not TaskState.COMPLETED]
    text = f"{done} of {len(tasks)} tasks completed" if tasks else "no tasks"
    details = tuple(f"task {task.id} {task.spec.title}: {task.state.value}: {_first(task.reason)}" for task in bad)
    if tasks and done == len(tasks):
        return Condition("tasks", Light.GREEN, text)
    end, reason = end_of_tasks([task.state for task in tasks])
    if end is PlanState.COMPLETED:
        end, reason = PlanState.NEEDS_HUMAN, text
    return Condition("tasks", Light.RED if bad or over else Light.OPEN, text, details, end, reason)


def of_results(results: Sequence[CommandResult], commit: str | None, *, ran: bool) -> Condition:
    """The commands as the close has just run them; with ``ran`` False they were not to be run again."""
    if not ran:
        return Condition("commands", Light.GREEN, "not run again: agentic.plan_integrator_enabled is false")
    return _of_commands(results, commit, over=True)


def _of_commands(commands: Sequence[Judged | CommandResult], commit: str | None, *, over: bool) -> Condition:
    if not commands:
        text = "no command was run on the whole" if over else "not run on the whole yet"
        return Condition("commands", Light.GREEN if over else Light.OPEN, text)
    passed = sum(judged.passed for judged in commands)
    where = f" on {commit[:10]}" if commit else ""
    text = f"{passed} of {len(commands)} commands pass{where}"
    broken = [judged for judged in commands if not judged.passed]
    details = tuple(f"{judged.command}: exit code {judged.exit_code}" for judged in broken)
    if not over:
        return Condition("commands", Light.OPEN, f"{text}; they run again at the close", details)
    reason = f"on the whole, {broken[0].command!r} fails" if broken else ""
    return Condition("commands", Light.RED if broken else Light.GREEN, text, details, PlanState.FAILED, reason)


def _of_findings(found: Sequence[tuple[int | None, Finding]], gating: Gating, *, over: bool) -> Condition:
    critical = [(task, f) for task, f in found if f.severity is Severity.CRITICAL and gating.blocks(f)]
    details = tuple(f"{f'task {task}: ' if task else ''}{finding.message}" for task, finding in critical)
    text = f"{len(critical)} critical of {len(found)} findings" if found else "no findings"
    if not critical:
        return Condition("findings", Light.GREEN, text)
    reason = f"{len(critical)} critical findings: {details[0]}"
    return Condition("findings", Light.RED if over else Light.OPEN, text, details, reason=reason)


def _of_questions(waiting: Sequence[Approval]) -> Condition:
    if not waiting:
        return Condition("questions", Light.GREEN, "no open question")
    details = tuple(f"question {one.id}: {one.tool}; /approve {one.id} or /deny {one.id}" for one in waiting)
    text = f"{len(waiting)} wait for a person"
    return Condition("questions", Light.OPEN, text, details, reason=f"{len(waiting)} questions are open: {details[0]}")


def _of_demands(demands: Sequence[Covered], settings: OrchestrationSettings, *, over: bool) -> Condition:
    """Told always; decided by only with ``strict_adherence``."""
    met = sum(one.status == VALIDATED for one in demands)
    text = f"{met} of {len(demands)} demands of the plan validated"
    details = tuple(one.text for one in demands if one.status != VALIDATED)
    allowed = settings.strict_closure_allowed_statuses
    against = [one for one in demands if one.status not in allowed] if settings.strict_adherence else []
    if not against:
        return Condition("demands", Light.GREEN, text, details)
    reason = f"strict_adherence: {against[0].text}"
    return Condition("demands", Light.RED if over else Light.OPEN, text, details, reason=reason)


def _first(reason: str) -> str:
    return reason.splitlines()[0] if reason else "no reason is recorded"
