"""``lao preflight``: looks at a plan before GPU hours are spent on it, without a model call."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.look import here
from lao.cli.project import NEEDS_PERSON, open_project, path_of

if TYPE_CHECKING:
    from lao.state.records import Plan
    from workflows.factory import Factory
    from workflows.preflight import Preflight


@click.command(
    help="Look at a plan (a file, or the name or id of one that was handed in) without a model call; exits with 4 when "
    "there is something that a person should look at first."
)
@click.argument("plan", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def command(session: Session, plan: str | None, as_json: bool) -> None:
    reference = plan or session.text("plan")
    if reference is None:
        raise click.UsageError("name a plan: 'lao preflight --plan plans/shop.md'")
    with open_project(session) as factory:
        from workflows import preflight

        path, text, known = _plan(factory, reference, path_of(session, reference))
        found = preflight.look(factory, path, text, known)
    if as_json:
        emit_json(_view(found))
    else:
        _print(found)
    sys.exit(0 if found.ok else NEEDS_PERSON)


def _plan(factory: Factory, reference: str, path: Path) -> tuple[Path, str, Plan | None]:
    """The file, its text, and what is known of exactly this text; without such a file the plan of this name."""
    from lao.state import plans, references
    from workflows.submission import read_plan

    if path.is_file():
        text = read_plan(path)
        ident = plans.plan_id_of(text)
        known = next((plan for plan in plans.all_plans(factory.store) if plan.id == ident), None)
        return path, text, known
    found = references.find_plan(factory.store, reference, path)
    return Path(found.file), found.text, found


def _view(found: Preflight) -> dict[str, object]:
    rows = [{"name": r.name, "level": r.level, "text": r.text, "remedy": r.remedy} for r in found.rows]
    return {"ok": found.ok, "name": found.name, "plan": found.plan or None, "rows": rows, "figures": found.figures}


def _print(found: Preflight) -> None:
    look = here()
    for row in found.rows:
        emit(look.line([look.piece(row.level), (f" {row.name:13} {row.text}", "")]))
        if row.remedy:
            emit(look.line([("    ", ""), look.piece("remedy"), (f" {row.remedy}", "")]))
    emit("nothing stands against it" if found.ok else "look at what is marked with ! first")
