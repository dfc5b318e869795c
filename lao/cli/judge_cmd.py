"""``lao accept`` and ``lao reject``: a person's word on a plan that is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.project import open_project, path_of

if TYPE_CHECKING:
    from lao.state.records import Plan
    from workflows.factory import Factory
    from workflows.judging import Judged


@click.command(help="Keep that you take the work of a plan (name, id or file) that is completed.")
@click.argument("plan")
@click.option("--note", default="", help="One sentence, kept with it.")
@click.option("--anyway", is_flag=True, help="Also a plan that is over and not completed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def accept(session: Session, plan: str, note: str, anyway: bool, as_json: bool) -> None:
    with open_project(session) as factory:
        from workflows import judging

        found = _plan(session, factory, plan)
        _show(found, judging.accept(factory, found, note, anyway=anyway), as_json=as_json)


@click.command(
    help="Keep that you do not want the work of a plan (name, id or file) that is over. The note is remembered, and "
    "the planner of a corrected plan is told."
)
@click.argument("plan")
@click.option("--note", default="", help="One sentence: why.")
@click.option("--revert", "take_back", is_flag=True, help="Take its commits back by one commit on top.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def reject(session: Session, plan: str, note: str, take_back: bool, as_json: bool) -> None:
    with open_project(session) as factory:
        from workflows import judging

        found = _plan(session, factory, plan)
        _show(found, judging.reject(factory, found, note, take_back=take_back), as_json=as_json)


def _plan(session: Session, factory: Factory, plan: str) -> Plan:
    from lao.state import references

    return references.find_plan(factory.store, plan, path_of(session, plan))


def _show(plan: Plan, judged: Judged, *, as_json: bool) -> None:
    word, undone = judged.judgement, judged.reverted
    if as_json:
        emit_json(
            {
                "plan": plan.id,
                "verdict": word.verdict,
                "changed": judged.new,
                "commit": word.commit,
                "note": word.note,
                "reverted": {"commit": undone.commit, "paths": list(undone.paths)} if undone else None,
            }
        )
        return
    if undone is not None:
        how = "took back" if undone.made else "has taken back already"
        emit(f"commit {undone.commit[:10]} {how} {len(undone.paths)} files of plan {plan.name}")
    emit(f"plan {plan.name} ({plan.id}) is {word.verdict}{'' if judged.new else ' already'}")
