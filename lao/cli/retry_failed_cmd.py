"""``lao retry-failed``: another set of attempts for failed and parked work, of a class or an age on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lao.cli.context import Session, emit, emit_json, say
from lao.cli.look import here
from lao.cli.project import open_project, path_of

if TYPE_CHECKING:
    from workflows.factory import Factory
    from workflows.retrying import Choice, Failed


@click.command(
    help="Give failed and parked tasks another set of attempts, of all plans, or of one (id, name or file) with what "
    "was cancelled of it. Classes: planner, coder, verify, review, close, conflict, server, setup, budget, "
    "needs_human, cancelled."
)
@click.argument("plan", required=False)
@click.option("--class", "classes", multiple=True, metavar="CLASS", help="Only what ended so; may be given repeatedly.")
@click.option("--older-than", metavar="TIME", help="Only what ended at least so long ago: 90s, 30m, 2h, 7d.")
@click.option("--newer-than", metavar="TIME", help="Only what ended at most so long ago.")
@click.option("--dry-run", is_flag=True, help="Say what would be tried again, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    plan: str | None,
    classes: tuple[str, ...],
    older_than: str | None,
    newer_than: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    session = ctx.ensure_object(Session)
    if ctx.info_name == "reset-failed":
        say("reset-failed is deprecated: use retry-failed")
    with open_project(session) as factory:
        import workflows.phases  # noqa: F401  # registers the tasks that a wake-up names
        from workflows import retrying

        choice = _choice(session, factory, plan, classes, older_than, newer_than)
        if dry_run:
            count, chosen = 0, retrying.find(factory, choice)
        else:
            count, chosen = retrying.retry(factory, choice)
    if as_json:
        emit_json({"retried": count, "dry_run": dry_run, "chosen": [_view(item) for item in chosen]})
        return
    if dry_run:
        _print(chosen)
    else:
        emit(f"{count} set back" if count else _nothing(choice))


def _choice(
    session: Session,
    factory: Factory,
    plan: str | None,
    classes: tuple[str, ...],
    older: str | None,
    newer: str | None,
) -> Choice:
    from lao.config.problems import nearest
    from lao.core.durations import seconds_of
    from lao.core.errors import BadInput
    from lao.state import references
    from workflows.retrying import CLASSES, Choice

    for name in classes:
        if name not in CLASSES:
            near = nearest(name, CLASSES)
            raise BadInput(
                f"no class of failure {name!r}", f"did you mean {near!r}?" if near else f"known: {', '.join(CLASSES)}"
            )
    plan_id = references.find_plan(factory.store, plan, path_of(session, plan)).id if plan else None
    older_s = seconds_of(older, "--older-than") if older is not None else None
    newer_s = seconds_of(newer, "--newer-than") if newer is not None else None
    return Choice(plan_id, classes, older_s, newer_s)


def _nothing(choice: Choice) -> str:
    return (
        "nothing has failed" if choice.everything else "nothing that failed is of this kind; --dry-run without it lists"
    )


def _view(item: Failed) -> dict[str, object]:
    what = item.what
    return {
        "plan": what.plan,
        "plan_name": what.plan_name,
        "task": what.task,
        "title": what.title,
        "state": what.state,
        "class": item.failure,
        "reason": what.reason,
        "at": what.at,
        "by_cron": what.by_clock,
    }


def _print(chosen: tuple[Failed, ...]) -> None:
    look = here()
    for item in chosen:
        what = item.what
        name = f"{what.plan_name} task {what.task} {what.title}" if what.task else f"plan {what.title}"
        tries = f", set back {what.by_clock} times by cron" if what.by_clock else ""
        reason = what.reason.splitlines()[0] if what.reason else "no reason is recorded"
        emit(look.line([look.piece(what.state), (f" {item.failure:11} {name}{tries}: {reason}", "")]))
    emit(f"{len(chosen)} would be set back" if chosen else "nothing would be set back")
