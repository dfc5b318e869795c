"""``lao diff``: what a plan or a task changed, by git, and the commands that prove it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from lao.cli.context import Session, emit_json, pass_session
from lao.cli.look import Look, here
from lao.cli.project import open_project, path_of

if TYPE_CHECKING:
    from workflows.changes import Difference


@click.command(
    help="Show what a plan (name, id or file) or a task (number) changed, with the commands that prove it. On a "
    "terminal it is paged."
)
@click.argument("target", metavar="PLAN|TASK")
@click.option("--stat", is_flag=True, help="A line a file instead of the patch.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def command(session: Session, target: str, stat: bool, as_json: bool) -> None:
    with open_project(session, whole=False) as factory:
        from lao.state import plans, references
        from lao.state.records import Plan
        from workflows import changes

        found = references.find(factory.store, target, path_of(session, target))
        plan, task = (found, None) if isinstance(found, Plan) else (plans.get(factory.store, found.plan_id), found)
        made = changes.of(factory, plan, task, stat=stat)
    name = f"plan {plan.name}" if task is None else f"task {task.id} {task.spec.title}"
    if as_json:
        emit_json({"plan": plan.id, "task": task.id if task else None, **_view(made)})
        return
    text = _text(name, made, here())
    if sys.stdout.isatty():
        click.echo_via_pager(text)
    else:
        click.echo(text)


def _view(made: Difference) -> dict[str, object]:
    return {
        "commits": [
            {"commit": one.commit, "task": one.task, "subject": one.subject, "paths": list(one.paths)}
            for one in made.commits
        ],
        "evidence": made.evidence or None,
        "proofs": [{"command": p.command, "exit_code": p.exit_code, "commit": p.commit} for p in made.proofs],
        "diff": made.text,
    }


def _text(name: str, made: Difference, look: Look) -> str:
    """Head, evidence, patch; the patch in git's colours of old and new where there are colours."""
    count = "1 commit" if len(made.commits) == 1 else f"{len(made.commits)} commits"
    lines = [f"{name}: {count}" + (f", {made.evidence}" if made.evidence else "")]
    for proof in made.proofs:
        good = proof.exit_code == 0
        ended = "passes" if good else "did not end" if proof.exit_code is None else f"exit code {proof.exit_code}"
        where = f" on {proof.commit[:10]}" if proof.commit else ""
        lines.append(look.line([look.piece("ok" if good else "fail"), (f" {proof.command}: {ended}{where}", "")]))
    if not made.proofs:
        lines.append("no command was run on it")
    lines += ["", *(_coloured(line, look) for line in made.text.splitlines())]
    return "\n".join(lines if made.text else [*lines[:-1], "nothing was committed"])


def _coloured(line: str, look: Look) -> str:
    style = {"+": "good", "-": "bad", "@": "busy"}.get(line[:1], "")
    shown = look.plain("".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in line))
    return shown if line.startswith(("+++", "---")) else look.paint(shown, style)
