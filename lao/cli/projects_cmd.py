"""``lao projects``: the user's projects, looking for more of them, and what they need from a person."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lao.cli.context import Session, emit, emit_json, pass_session, say
from lao.cli.place import check_folder, printable, shown
from lao.cli.project import since
from lao.core.errors import BadInput

if TYPE_CHECKING:
    from lao.projects.registry import Project, Registry
    from lao.projects.scan import Found


@click.group("projects")
def command() -> None:
    """The projects that you use: list them, look for more, see what they need."""


@command.command("list")
@click.option("--tag", default="", help="Only projects with this tag.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@pass_session
def list_(session: Session, tag: str, as_json: bool) -> None:  # noqa: ARG001 - click's signature
    """Every project, the one used last first; * marks the current one."""
    registry = opened()
    current, found = registry.current(), registry.projects(tag)
    if as_json:
        emit_json({"current": _text(current.path) if current else None, "projects": [_view(p) for p in found]})
        return
    for project in found:
        emit(_line(project, marked=project == current))
    if not found:
        tagged = f" with the tag {tag!r}" if tag else ""
        say(f"no projects{tagged} yet: 'lao init' makes one, 'lao projects scan' finds those that are there")


@command.command("scan")
@click.option("--root", type=click.Path(path_type=Path), help="Where to look (default: the current folder).")
@click.option("--depth", type=click.IntRange(0, 12), default=5, show_default=True, help="How many folders down.")
@click.option("--seconds", type=click.FloatRange(0.1, 600), default=10.0, show_default=True, help="When to end.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@pass_session
def scan(session: Session, root: Path | None, depth: int, seconds: float, as_json: bool) -> None:
    """Look for folders with a factory.yaml and put them into the list. Hidden folders, links, node_modules and the like
    are left out."""
    from lao.projects.scan import scan as look

    here = session.cwd or Path.cwd()
    found = look(here / (root or Path()).expanduser(), depth=depth, seconds=seconds)
    registry = opened()
    added = [registry.add(path) for path in found.projects]
    if as_json:
        entries = [{**_view(project), "new": new} for project, new in added]
        emit_json(
            {
                "projects": entries,
                "folders": found.folders,
                "unreadable": found.unreadable,
                "stopped": found.stopped or None,
            }
        )
        return
    for project, new in added:
        emit(f"{'added' if new else 'known'}  {printable(project.name)}  {shown(project.path)}")
    say(_told(found))


@command.command("add")
@click.argument("path", type=click.Path(path_type=Path), default=Path())
@click.option("--tag", "tags", multiple=True, help="A word to list it by; may be given more than once.")
@click.option("--name", default="", help="What to call it (default: the folder's name).")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@pass_session
def add(session: Session, path: Path, tags: tuple[str, ...], name: str, as_json: bool) -> None:
    """Put a project into the list; one that is there gets the tags, and the name if one is given."""
    for word in (*tags, *([name] if name else [])):
        _check_word(word)
    folder = _project_folder((session.cwd or Path.cwd()) / path.expanduser())
    project, new = opened().add(folder, tags=tags, name=name)
    if as_json:
        emit_json({**_view(project), "new": new})
    else:
        emit(f"{'added' if new else 'known'}  {_line(project)}")


@command.command("use")
@click.argument("project", metavar="NAME|PATH")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@pass_session
def use(session: Session, project: str, as_json: bool) -> None:
    """Make it the current project: `lao` opens it where no project is."""
    chosen = opened().used(folder_of(session, project), choose=True)
    if as_json:
        emit_json(_view(chosen))
    else:
        emit(f"current project: {_line(chosen)}")


@command.command("remove")
@click.argument("project", metavar="[NAME|PATH]", required=False)
@click.option("--gone", is_flag=True, help="All projects whose folder is gone.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@pass_session
def remove(session: Session, project: str | None, gone: bool, as_json: bool) -> None:
    """Take a project off the list. Its folder is not touched."""
    from lao.projects.registry import is_folder

    if (project is None) is not gone:
        raise click.UsageError("Name a project, or give --gone.")
    registry = opened()
    if project is not None:
        chosen = [registry.find(project, session.cwd or Path.cwd())]
    else:
        chosen = [p for p in registry.projects() if not is_folder(p.path)]
    removed = [p for p in chosen if registry.remove(p)]
    if as_json:
        emit_json({"removed": [_view(p) for p in removed]})
        return
    for entry in removed:
        emit(f"removed  {printable(entry.name)}  {shown(entry.path)} (only from the list)")
    if not removed:
        say("nothing to remove")


@command.command("needs-action")
@click.option("--tag", default="", help="Only projects with this tag.")
@click.option("--all", "everything", is_flag=True, help="Also those that need nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@pass_session
def needs_action(session: Session, tag: str, everything: bool, as_json: bool) -> None:
    """Projects with questions of models, parked or failed work, workers that died, or a state that cannot be read."""
    from lao.projects.needs import needs_of

    env: Mapping[str, str] = os.environ if session.env is None else session.env
    known = opened().projects(tag)
    rows = [(project, needs_of(project, env)) for project in known]
    rows = [row for row in rows if row[1] or everything]
    if as_json:
        emit_json([{**_view(project), "needs": [vars(need) for need in needs]} for project, needs in rows])
        return
    for project, needs in rows:
        emit(_line(project))
        for need in needs:
            emit(f"    {printable(need.text)}  -> {need.hint}")
        if not needs:
            emit("    nothing")
    if not rows:
        say(f"none of {len(known)} projects needs anything" if known else "no projects yet: 'lao projects scan'")


def folder_of(session: Session, reference: str) -> Path:
    """The folder of the project that a name in the list or a path means.

    Raises:
        BadInput: none, or several, are meant. Refused: a newer LAO has written the list.
    """
    from lao.projects.registry import is_project, place

    registry, here = opened(), session.cwd or Path.cwd()
    folder = place(reference, here)
    if registry.named(reference) or folder is None or not is_project(folder):
        folder = registry.find(reference, here).path
    return _project_folder(folder)


def opened() -> Registry:
    """The user's list of projects; what is wrong with it goes to stderr."""
    from lao.projects.registry import Registry

    return Registry(report=lambda text: say(f"lao: {printable(text)}"))


def _project_folder(path: Path) -> Path:
    """The folder of a project, links resolved.

    Raises:
        BadInput: it is none.
    """
    from lao.projects.registry import FILE, is_folder, is_project, resolved

    folder = resolved(path.parent if path.name == FILE else path)
    if not is_folder(folder):
        raise BadInput(f"{str(folder)!r} is not a folder", "name the folder with the factory.yaml")
    if not is_project(folder):
        raise BadInput(
            f"{str(folder)!r} is no project: it has neither factory.yaml nor .lao/",
            f"'lao init' there makes it one, 'lao projects scan --root {folder}' looks for some below it",
        )
    check_folder(folder)
    return folder


def _check_word(word: str) -> None:
    if not word.strip() or not word.isprintable() or len(word) > 100:
        raise BadInput(f"{word[:100]!r} is no name or tag", "one line of at most 100 characters")


def _line(project: Project, *, marked: bool = False) -> str:
    from lao.projects.registry import is_folder

    tags = f"  [{', '.join(map(printable, project.tags))}]" if project.tags else ""
    used = f"  used {since(project.last_used_at)}" if project.last_used_at else ""
    gone = "" if is_folder(project.path) else "  (its folder is gone)"
    return f"{'* ' if marked else ''}{printable(project.name)}  {shown(project.path)}{tags}{used}{gone}"


def _view(project: Project) -> dict[str, Any]:
    from lao.projects.registry import is_folder

    return {
        "name": _text(project.name),
        "path": _text(project.path),
        "tags": [_text(tag) for tag in project.tags],
        "added_at": project.added_at,
        "last_used_at": project.last_used_at or None,
        "exists": is_folder(project.path),
    }


def _text(value: Path | str) -> str:
    """As UTF-8 can say it: names of folders may be any bytes."""
    return os.fsencode(value).decode("utf-8", "replace")


def _told(found: Found) -> str:
    stopped = {"time": "; stopped by --seconds, there may be more", "number": "; stopped, there are more"}
    unreadable = f", {found.unreadable} of them unreadable" if found.unreadable else ""
    return f"{len(found.projects)} projects in {found.folders} folders{unreadable}{stopped.get(found.stopped, '')}"
