"""``lao cancel``: ends what is open of a plan, or one task and what needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.project import open_project, path_of

if TYPE_CHECKING:
    from lao.state.cancelling import Cancelled
    from lao.state.records import Plan, Task


@click.command(
    help="End what is open of a plan (name, id or file), or a task (number) and what needs it. Completed work stays."
)
@click.argument("target", metavar="PLAN|TASK")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def command(session: Session, target: str, as_json: bool) -> None:
    with open_project(session) as factory:
        import workflows.phases  # noqa: F401  # registers the tasks that a wake-up names
        from lao.state import plans, references
        from lao.state.records import Plan
        from workflows import control

        found = references.find(factory.store, target, path_of(session, target))
        plan, task = (found, None) if isinstance(found, Plan) else (plans.get(factory.store, found.plan_id), found)
        done = control.cancel(factory, plan, task)
        plan = plans.get(factory.store, plan.id)
        if as_json:
            emit_json(_view(plan, task, done))
        else:
            emit(_told(plan, task, done))


def _view(plan: Plan, task: Task | None, done: Cancelled) -> dict[str, object]:
    return {
        "plan": plan.id,
        "task": task.id if task else None,
        "changed": not done.before,
        "state": done.before or "cancelled",
        "plan_state": plan.state.value,
        "tasks": list(done.tasks),
        "phases": len(done.begun),
    }


def _told(plan: Plan, task: Task | None, done: Cancelled) -> str:
    what = f"plan {plan.name} ({plan.id})" if task is None else f"task {task.id} {task.spec.title}"
    if done.before:
        word = "already" if done.before == "cancelled" else "and over: there is nothing to cancel"
        return f"{what} is {done.before} {word}"
    if task is None:
        number = len(done.tasks)
        return f"cancelled {what}: {number} open task{'' if number == 1 else 's'}; what is completed stays"
    others = [str(number) for number in done.tasks if number != task.id]
    return f"cancelled {what}{' and what needs it: ' + ', '.join(others) if others else ''}"
