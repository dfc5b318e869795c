"""``lao logs``: what happened, from the record, a line each in local time; ``--follow`` goes on with what comes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.look import Look, here
from lao.cli.project import open_project, path_of, since

if TYPE_CHECKING:
    from lao.state.happenings import Happened, Scope
    from workflows.factory import Factory

POLL_S = 0.3
LATE_S = 120.0
"""A row may be written so long after the moment that it tells of."""

_RUN = re.compile(r"run:(\d{1,15})", re.IGNORECASE)
_STYLES = {
    "run": "strong",
    "finding": "bad",
    "check": "busy",
    "gate": "warn",
    "question": "person",
    "judgement": "person",
}


@click.command(
    help="Show what happened: of all, of a plan (name, id or file), of a task (number) or of a run (run:NUMBER)."
)
@click.argument("target", metavar="[PLAN|TASK|run:N]", required=False)
@click.option("--follow", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@click.option("--tail", type=click.IntRange(min=1), default=100, show_default=True, metavar="N", help="The last N.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON; with --follow one object a line.")
@pass_session
def command(session: Session, target: str | None, follow: bool, tail: int, as_json: bool) -> None:
    with open_project(session, whole=False) as factory:
        from lao.state import happenings

        scope = _scope(session, factory, target)
        found = happenings.happened(factory.store, scope, limit=tail)
        if as_json and not follow:
            emit_json([_view(one) for one in found])
            return
        look = here()
        for one in found:
            _show(one, look, as_json=as_json)
        if follow:
            _follow(factory, scope, found, tail, as_json=as_json)
        elif not found:
            emit("nothing has happened yet")


def _scope(session: Session, factory: Factory, target: str | None) -> Scope:
    from lao.core.errors import BadInput
    from lao.state import references, runs
    from lao.state.happenings import Scope
    from lao.state.records import Plan

    if target is None:
        return Scope()
    if (numbered := _RUN.fullmatch(target)) is not None:
        if runs.get(factory.store, int(numbered[1])) is None:
            raise BadInput(f"no run {numbered[1]}", "'lao logs' names the runs")
        return Scope(run=int(numbered[1]))
    found = references.find(factory.store, target, path_of(session, target))
    return Scope(plan=found.id) if isinstance(found, Plan) else Scope(plan=found.plan_id, task=found.id)


def _follow(factory: Factory, scope: Scope, found: tuple[Happened, ...], tail: int, *, as_json: bool) -> None:
    """Look again whenever somebody has committed; what was shown is known by its reference."""
    from lao.state import happenings

    look, shown = here(), {one.ref for one in found}
    version = factory.store.version_of_data()
    begun = found[-1].at if found else factory.clock.now()
    while True:
        factory.clock.wait(POLL_S)
        now = factory.store.version_of_data()
        if now == version:
            continue
        version = now
        for one in happenings.happened(factory.store, scope, limit=max(tail, 1000), since=begun - LATE_S):
            if one.ref not in shown and one.at >= begun - LATE_S:
                shown.add(one.ref)
                _show(one, look, as_json=as_json)
                begun = max(begun, one.at)


def _show(one: Happened, look: Look, *, as_json: bool) -> None:
    if as_json:
        import json

        emit(json.dumps(_view(one), ensure_ascii=False))
        return
    where = " ".join(
        [one.plan or "-", *([f"#{one.task}"] if one.task else []), *([f"run:{one.run}"] if one.run else [])]
    )
    pieces = [(since(one.at), ""), (f" {one.kind:9}", _STYLES.get(one.kind, "")), (f" {where}: {one.text}", "")]
    emit(look.line(pieces))


def _view(one: Happened) -> dict[str, object]:
    return {
        "at": one.at,
        "kind": one.kind,
        "text": one.text,
        "ref": one.ref,
        "plan": one.plan or None,
        "task": one.task,
        "run": one.run,
    }
