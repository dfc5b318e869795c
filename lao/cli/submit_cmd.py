"""``lao submit``: queue one plan, and follow it to its end on request."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lao.cli.context import Session, emit, emit_json, pass_session, say
from lao.cli.place import note_use
from lao.cli.project import exit_code, open_project

if TYPE_CHECKING:
    from lao.state.plans import Submission
    from workflows.factory import Factory

POLL_S = 0.1


@click.command(help="Queue a plan (a Markdown file) and print its id.")
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--wait", is_flag=True, help="Follow the plan to its end; the exit code says how it ended.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def command(session: Session, plan: Path, wait: bool, as_json: bool) -> None:
    with open_project(session) as factory:
        import workflows.phases  # noqa: F401  # registers the tasks that a wake-up names
        from workflows import preflight
        from workflows.submission import submit_file

        submission = submit_file(factory, (session.cwd or Path.cwd()) / plan)
        if submission.created:
            for warning in preflight.warnings(factory, Path(submission.plan.file), submission.plan.text):
                say(f"warning: {warning}")
        if not as_json:
            emit(submission.plan.id)
        if not submission.created:
            say(f"this content is known already: plan {submission.plan.id} is {submission.plan.state.value}")
        elif submission.plan.supersedes:
            say(f"supersedes plan {submission.plan.supersedes}")
        code = _follow(factory, submission.plan.id) if wait else 0
        if as_json:
            emit_json(_view(factory, submission))
    note_use(session.settings().paths.root)
    sys.exit(code)


def _follow(factory: Factory, plan_id: str) -> int:
    from lao.state import queries
    from workflows.queues import live_workers

    if not queries.plan_over(factory.store, plan_id) and not live_workers():
        say("no worker is running: start one with 'lao run'; waiting")
    if queries.paused_open(factory.store, [plan_id]):
        say("PAUSED: 'lao resume' goes on; waiting")
    seen: dict[int, str] = {}
    while True:
        for task in queries.tasks_view(factory.store, plan_id):
            if seen.get(task["id"]) != task["state"]:
                seen[task["id"]] = task["state"]
                say(f"task {task['id']} {task['title']}: {task['state']}")
        if queries.plan_over(factory.store, plan_id):
            break
        factory.clock.wait(POLL_S)
    outcome = queries.outcome(factory.store, [plan_id])
    state = next(name for name, number in outcome.items() if number)
    say(f"plan {plan_id}: {state}")
    return exit_code(outcome)


def _view(factory: Factory, submission: Submission) -> dict[str, object]:
    from lao.state import queries

    plan = next(p for p in queries.plans_view(factory.store) if p["id"] == submission.plan.id)
    return {"id": plan["id"], "created": submission.created, "plan": plan}
