"""``lao skills``: which skills there are, what one says, and whether skills are well formed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lao.cli.context import Session, emit, emit_json, pass_session, say

if TYPE_CHECKING:
    from lao.skills.catalogue import Catalogue
    from lao.skills.format import BadSkill, Skill

BAD = 42


@click.group("skills")
def command() -> None:
    """List, show and validate skills."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@pass_session
def list_(session: Session, as_json: bool) -> None:
    """Every skill with its source; what is malformed is named on stderr."""
    found = _catalogue(session)
    if as_json:
        emit_json(
            {
                "skills": [_view(skill) for skill in found.skills.values()],
                "shadowed": [_view(skill) for skill in found.shadowed],
                "problems": [_problem(problem) for problem in found.problems],
            }
        )
        return
    width = max((len(name) for name in found.skills), default=0)
    for skill in found.skills.values():
        emit(f"{skill.name:<{width}}  {skill.source.value:<9}  {skill.description}")
    for problem in found.problems:
        say(f"left out: {problem}")
    if not session.settings().skills.enabled:
        say("skills.enabled is false: models are offered none of them")


@command.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@pass_session
def show(session: Session, name: str, as_json: bool) -> None:
    """The instructions of one skill, as a model gets them."""
    from lao.skills.shelf import Shelf

    shelf = Shelf(_catalogue(session))
    skill = shelf.catalogue.get(name)
    if as_json:
        emit_json({**_view(skill), "body": skill.body})
        return
    emit(f"# {skill.file}")
    emit(shelf.shown(name))


@command.command("validate")
@click.argument("path", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@pass_session
def validate(session: Session, path: str | None, as_json: bool) -> int:
    """Check a skill (its folder or file), or all skills of a folder; without PATH all that LAO finds. Exit code 42 when
    one is malformed."""
    good, bad = _validated(session, path)
    if as_json:
        emit_json({"valid": [_view(skill) for skill in good], "problems": [_problem(problem) for problem in bad]})
    else:
        for skill in good:
            notes = "".join(f"\n  note: {note}" for note in skill.notes)
            emit(f"valid: {skill.name}  {skill.file}{notes}")
        for problem in bad:
            emit(f"malformed: {problem}")
    return BAD if bad else 0


def _catalogue(session: Session) -> Catalogue:
    from lao.skills.catalogue import folders, load_catalogue

    settings = session.settings()
    return load_catalogue(folders(settings.paths.root, dirs=settings.skills.dirs))


def _validated(session: Session, path: str | None) -> tuple[list[Skill], list[BadSkill]]:
    from lao.core.errors import BadInput
    from lao.skills.catalogue import skill_files
    from lao.skills.format import BadSkill, Source, read_skill

    if path is None:
        found = _catalogue(session)
        return [*found.skills.values(), *found.shadowed], list(found.problems)
    place = (session.cwd or Path.cwd()) / Path(path).expanduser()
    if place.is_dir():
        own = next((place / name for name in ("SKILL.md", "skill.md") if (place / name).exists()), None)
        files = [own] if own else list(skill_files(place))
        if not files:
            raise BadInput(f"there is no skill in {str(place)!r}", "a skill is a folder with a file SKILL.md")
    else:
        files = [place]
    good: list[Skill] = []
    bad: list[BadSkill] = []
    for file in files:
        try:
            good.append(read_skill(file, Source.PROJECT))
        except BadSkill as problem:
            bad.append(problem)
    return good, bad


def _view(skill: Skill) -> dict[str, Any]:
    return {
        "name": skill.name,
        "description": skill.description,
        "source": skill.source.value,
        "file": str(skill.file),
        "allowed_tools": list(skill.allowed_tools),
        "notes": list(skill.notes),
    }


def _problem(problem: BadSkill) -> dict[str, Any]:
    return {"file": str(problem.file), "line": problem.line, "message": problem.what, "hint": problem.hint}
