"""``lao memory``: what LAO remembers, for the project and for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.project import open_project

if TYPE_CHECKING:
    from lao.memory.book import MemoryBook
    from workflows.factory import Factory

_SCOPE = click.Choice(("project", "user"))


@click.group("memory")
def command() -> None:
    """Show and change what LAO remembers."""


@command.command("show")
@click.option("--scope", type=_SCOPE, help="Only this memory.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@pass_session
def show(session: Session, scope: str | None, as_json: bool) -> None:
    """The files and their facts; LAO_MEMORY.md is brought up to date."""
    from lao.memory.book import SCOPES

    with open_project(session, whole=False) as factory:
        opened = _book(factory)
        opened.sync()
        views = {name: _view(opened, name) for name in ((scope,) if scope else SCOPES)}
    if as_json:
        emit_json(views)
        return
    for name, view in views.items():
        emit(f"# {name}: {view['file']}")
        if view["text"]:
            emit(view["text"])
        for fact in view["facts"]:
            emit(f"- {fact['text']}{_from(fact)}")
        if not view["text"] and not view["facts"]:
            emit("(nothing yet)")


@command.command("edit")
@click.argument("fact")
@click.option("--scope", type=_SCOPE, default="project", show_default=True, help="Whose memory.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@pass_session
def edit(session: Session, fact: str, scope: str, as_json: bool) -> None:
    """Remember a fact; one that is known already is not added again."""
    with open_project(session) as factory:
        opened = _book(factory)
        added = opened.append(fact, scope)
    if as_json:
        emit_json({"scope": scope, "added": added, "file": str(opened.file(scope))})
    else:
        emit(f"remembered in {opened.file(scope)}" if added else "known already")


@command.command("forget")
@click.argument("text")
@click.option("--scope", type=_SCOPE, default="project", show_default=True, help="Whose memory.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@pass_session
def forget(session: Session, text: str, scope: str, as_json: bool) -> None:
    """Forget the facts that contain the text; what you wrote into the file yourself stays."""
    from lao.core.errors import BadInput

    with open_project(session) as factory:
        opened = _book(factory)
        gone = opened.forget(text, scope)
        if not gone:
            own = text.casefold() in opened.own_text(scope).casefold()
            hint = (
                f"it stands in your own text: edit {opened.file(scope)}" if own else "'lao memory show' lists the facts"
            )
            raise BadInput(f"no {scope} fact contains {text!r}", hint)
    if as_json:
        emit_json({"scope": scope, "forgotten": list(gone)})
    else:
        for fact in gone:
            emit(f"forgotten: {fact}")


def _book(factory: Factory) -> MemoryBook:
    from workflows.guidance import book

    return book(factory.settings, factory.store)


def _view(opened: MemoryBook, scope: str) -> dict[str, Any]:
    from lao.memory.book import PROJECT
    from lao.state.facts import known

    if scope == PROJECT:
        facts = [
            {"text": f.text, "origin": f.origin, "plan": f.plan, "task": f.task, "commit": f.commit}
            for f in known(opened.store)
        ]
    else:
        facts = [{"text": text} for text in opened.facts(scope)]
    return {"file": str(opened.file(scope)), "text": opened.own_text(scope), "facts": facts}


def _from(fact: dict[str, Any]) -> str:
    where = [f"plan {fact['plan']}"] if fact.get("plan") else []
    where += [f"task #{fact['task']}"] if fact.get("task") is not None else []
    return f"  ({', '.join(where)})" if where else ""
