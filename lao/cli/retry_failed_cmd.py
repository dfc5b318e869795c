"""``lao retry-failed``: another set of attempts for failed and parked work."""

from __future__ import annotations

import click

from lao.cli.context import Session, emit, emit_json, say
from lao.cli.project import open_project, path_of


@click.command(
    help="Give failed and parked tasks another set of attempts, of all plans, or of one (id, name or file) with what "
    "was cancelled of it."
)
@click.argument("plan", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(ctx: click.Context, plan: str | None, as_json: bool) -> None:
    session = ctx.ensure_object(Session)
    if ctx.info_name == "reset-failed":
        say("reset-failed is deprecated: use retry-failed")
    with open_project(session) as factory:
        import workflows.phases  # noqa: F401  # registers the tasks that a wake-up names
        from lao.state import plans, references
        from workflows.wake import wake_all

        plan_id = references.find_plan(factory.store, plan, path_of(session, plan)).id if plan else None
        count, ready = plans.retry(factory.store, plan_id)
        wake_all(factory.store, ready)
    if as_json:
        emit_json({"retried": count})
    else:
        emit(f"{count} set back" if count else "nothing has failed")
