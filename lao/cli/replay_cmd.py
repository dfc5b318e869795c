"""``lao replay``: tries a task that is over again, from one of its phases."""

from __future__ import annotations

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.project import open_project

PHASES = ("code", "verify", "review")


@click.command(
    help="Try a task that is over again: code is a new attempt, verify its checks on what is committed, review a new "
    "review of its last verified commit."
)
@click.argument("task")
@click.option("--from", "since", type=click.Choice(PHASES), default="code", show_default=True, help="Where to begin.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def command(session: Session, task: str, since: str, as_json: bool) -> None:
    with open_project(session) as factory:
        import workflows.phases  # noqa: F401  # registers the tasks that a wake-up names
        from lao.core.states import Phase
        from lao.state import plans, references
        from workflows import control

        found = references.find_task(factory.store, task)
        woken = control.replay(factory, found, Phase(since))
        now = plans.task(factory.store, found.id)
    if as_json:
        emit_json({"task": now.id, "plan": now.plan_id, "from": since, "state": now.state.value, "woken": woken})
    else:
        wait = "" if woken else "; it waits for what it needs"
        emit(f"task {now.id} {now.spec.title} is tried again from {since}{wait}")
