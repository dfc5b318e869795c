"""The gate that a plan passes when it is done: four conditions, each read from the record. Decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from lao.core.states import TERMINAL_PLANS, TERMINAL_TASKS, TaskState
from lao.core.words import Severity
from lao.quality.gating import gating_of
from lao.state import approvals, plans, standing
from lao.state.records import Plan
from workflows.factory import Factory


class Light(str, Enum):
    """How a condition stands."""

    GREEN = "ok"
    OPEN = "open"
    RED = "failed"


@dataclass(frozen=True)
class Condition:
    """One condition. ``details``: what stands against it, a line each."""

    name: str
    light: Light
    text: str
    details: tuple[str, ...] = ()


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
    """The gate as it stands: tasks, commands on the final commit, findings, questions."""
    now = plans.get(factory.store, plan.id)
    conditions = (_tasks(factory, now), _commands(factory, now), _findings(factory, now), _questions(factory, now))
    return Gate(now, conditions, now.state in TERMINAL_PLANS)


def _tasks(factory: Factory, plan: Plan) -> Condition:
    tasks = plans.tasks_of(factory.store, plan.id)
    done = sum(task.state is TaskState.COMPLETED for task in tasks)
    bad = [task for task in tasks if task.state in TERMINAL_TASKS and task.state is not TaskState.COMPLETED]
    text = f"{done} of {len(tasks)} tasks completed" if tasks else f"no tasks yet, the plan is {plan.state.value}"
    details = tuple(f"task {task.id} {task.spec.title}: {task.state.value}: {_first(task.reason)}" for task in bad)
    if bad or (not tasks and plan.state in TERMINAL_PLANS):
        return Condition("tasks", Light.RED, text, details)
    return Condition("tasks", Light.GREEN if tasks and done == len(tasks) else Light.OPEN, text)


def _commands(factory: Factory, plan: Plan) -> Condition:
    whole = standing.whole(factory.store, plan.id)
    over = plan.state in TERMINAL_PLANS
    if not whole.commands:
        text = "the plan has no command" if over else "not run on the whole yet"
        return Condition("commands", Light.GREEN if over else Light.OPEN, text)
    passed = sum(judged.passed for judged in whole.commands)
    where = f" on {whole.commit[:10]}" if whole.commit else ""
    text = f"{passed} of {len(whole.commands)} commands pass{where}"
    broken = tuple(f"{judged.command}: exit code {judged.exit_code}" for judged in whole.commands if not judged.passed)
    if not over:
        return Condition("commands", Light.OPEN, f"{text}; they run again at the close", broken)
    return Condition("commands", Light.RED if broken else Light.GREEN, text, broken)


def _findings(factory: Factory, plan: Plan) -> Condition:
    found = standing.findings(factory.store, plan.id)
    blocks = gating_of(factory.settings.orchestration).blocks
    critical = [(task, f) for task, f in found if f.severity is Severity.CRITICAL and blocks(f)]
    details = tuple(f"{f'task {task}: ' if task else ''}{finding.message}" for task, finding in critical)
    text = f"{len(critical)} critical of {len(found)} findings" if found else "no findings"
    if not critical:
        return Condition("findings", Light.GREEN, text)
    return Condition("findings", Light.RED if plan.state in TERMINAL_PLANS else Light.OPEN, text, details)


def _questions(factory: Factory, plan: Plan) -> Condition:
    waiting = [one for one in approvals.waiting(factory.store) if one.plan == plan.name]
    if not waiting:
        return Condition("questions", Light.GREEN, "no open question")
    details = tuple(f"question {one.id}: {one.tool}; /approve {one.id} or /deny {one.id}" for one in waiting)
    return Condition("questions", Light.OPEN, f"{len(waiting)} wait for a person", details)


def _first(reason: str) -> str:
    return reason.splitlines()[0] if reason else "no reason is recorded"
