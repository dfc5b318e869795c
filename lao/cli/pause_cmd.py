"""``lao pause`` and ``lao resume``: begin nothing new, of a plan or of all, and go on again."""

from __future__ import annotations

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.project import open_project, path_of, since


@click.command(help="Begin nothing new, of a plan (name, id or file) or of all; what is at work ends its phase.")
@click.argument("plan", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def pause(session: Session, plan: str | None, as_json: bool) -> None:
    with open_project(session) as factory:
        from lao.core.states import TERMINAL_PLANS
        from lao.state import references
        from workflows import control

        found = references.find_plan(factory.store, plan, path_of(session, plan)) if plan else None
        name = f"plan {found.name} ({found.id})" if found else "everything"
        at, changed, over = None, False, found is not None and found.state in TERMINAL_PLANS
        if not over:
            at, changed = control.pause(factory, found)
    if as_json:
        emit_json({"plan": found.id if found else None, "paused": at, "changed": changed})
    elif at is None:
        emit(f"{name} is {found.state.value if found else 'over'}: there is nothing to pause")
    elif changed:
        emit(f"PAUSED: {name}; what is at work ends its phase, 'lao resume{f' {found.id}' if found else ''}' goes on")
    else:
        emit(f"{name} is PAUSED already, since {since(at)}")


@click.command(help="Go on with a plan (name, id or file), or with everything that is paused.")
@click.argument("plan", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def resume(session: Session, plan: str | None, as_json: bool) -> None:
    with open_project(session) as factory:
        import workflows.phases  # noqa: F401  # registers the tasks that a wake-up names
        from lao.state import pauses, plans, references
        from workflows import control

        found = references.find_plan(factory.store, plan, path_of(session, plan)) if plan else None
        ended, woken = control.resume(factory, found)
        still = pauses.of_all(factory.store)
        names = [plans.get(factory.store, plan_id).name if plan_id else "everything" for plan_id in ended]
    if as_json:
        emit_json({"plan": found.id if found else None, "resumed": bool(ended), "woken": woken, "paused": still})
        return
    what = f"plan {found.name} ({found.id})" if found else "nothing"
    emit(f"goes on: {', '.join(names)}" if ended else f"{what} was {'not ' if found else ''}paused")
    if still is not None:
        emit(f"everything is PAUSED since {since(still)}: 'lao resume' goes on with all")
