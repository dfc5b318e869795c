"""Memory and skills for the phases: found in their folders, cut to the model's context, learned from approved tasks.

What cannot be used is said once by each worker and left out; nothing here ends a phase.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable
from pathlib import Path

from lao.agents.guidance import SMALLEST_CONTEXT, Shown, memory_budget, memory_section, skills_section
from lao.config.settings import Settings
from lao.core.errors import BadInput
from lao.core.folders import user_home
from lao.core.states import Role
from lao.core.words import CommandResult
from lao.memory.book import PROJECT, USER, MemoryBook
from lao.memory.facts import learned
from lao.memory.files import Note, guidance
from lao.skills.catalogue import Catalogue, folders, load_catalogue
from lao.state import facts
from lao.state.facts import Fact
from lao.state.store import Store
from lao.workspace.symbols import public_names
from lao.workspace.tree import read_text_files
from workflows.work import Work

log = logging.getLogger("lao")

LEARNED_CHARACTERS = 200_000
"""Of the files whose public names are learned."""


def book(
    settings: Settings, store: Store, *, origin: str = "person", plan: str = "", task: int | None = None
) -> MemoryBook:
    """The memory of the project and its user."""
    own = settings.memory.user_path
    user = settings.paths.root / Path(own).expanduser() if own else user_home() / ".lao" / "MEMORY.md"
    return MemoryBook(store, settings.paths.root / settings.memory.project_filename, user, origin, plan, task)


def book_of(work: Work) -> MemoryBook | None:
    """The memory as a model of this run may use it; None where memory is switched off."""
    if not work.factory.settings.memory.enabled:
        return None
    task = work.task.id if work.task is not None else None
    return book(work.factory.settings, work.factory.store, origin="model", plan=work.plan.name, task=task)


def memory_text(work: Work, role: Role, *, place: Path | None = None, paths: Iterable[str] = ()) -> Shown:
    """The part of a prompt that says what is known; empty when nothing is.

    Args:
        place: where the plan's files are worked on now; None: in the plan's folder.
        paths: the task's files.
    """
    settings = work.factory.settings
    limit = memory_budget(settings.memory.max_tokens, work.model_settings(role).context_length)
    opened = book_of(work)
    if opened is None or not limit:
        return Shown()
    sync(work)
    root, hidden = settings.paths.root, work.hidden(place or work.plan.workspace)
    open_paths = [path for path in paths if not hidden(path)]
    found = guidance(root, work.plan.workspace, place=place, paths=open_paths)
    notes = list(found.notes)
    problems = list(found.problems)
    for scope, depth in ((USER, 0), (PROJECT, 1)):
        try:
            text = "\n".join(
                (opened.own_text(scope), *(f"- {f}" for f in opened.facts(scope) if scope == USER))
            ).strip()
        except BadInput as error:
            problems.append(error.message)
            continue
        if text:
            label = "~/.lao/MEMORY.md" if scope == USER else settings.memory.project_filename
            notes.append(Note(label, text, depth))
    shown = memory_section(sorted(notes, key=lambda n: n.depth), _useful(work), limit)
    for problem in problems:
        work.factory.warn_once(f"memory: {problem}")
    if shown.cut:
        work.factory.warn_once(f"memory: {limit} tokens for the {role.value} leave out {', '.join(shown.cut)}")
    return shown


def _useful(work: Work) -> list[str]:
    """Facts that somebody asked to keep, then what was learned in this plan's folder; each latest first. What was
    learned in other folders is no use here: no tool reaches them."""
    name = work.plan.workspace.name
    found = list(reversed(facts.known(work.factory.store)))
    asked = [f.text for f in found if f.origin != "approved"]
    here = (f"file:{name}/", f"check:{name}:")
    return asked + [f.text for f in found if f.origin == "approved" and f.subject.startswith(here)]


def sync(work: Work) -> None:
    """Bring the project's memory file to what the state says; a file that cannot be used is left alone."""
    opened = book_of(work)
    if opened is None:
        return
    try:
        opened.sync()
    except (BadInput, OSError) as error:
        work.factory.warn_once(f"memory: {error}")


def skills_of(work: Work, role: Role) -> Catalogue:
    """The skills that the role is offered: none where they are switched off, or with a small context or no tools."""
    settings = work.factory.settings
    model = work.model_settings(role)
    small = model.context_length < SMALLEST_CONTEXT or not model.supports_tools
    if not settings.skills.enabled or small or not settings.skills.max_tokens:
        return Catalogue()
    places = folders(settings.paths.root, dirs=settings.skills.dirs, workspace=work.plan.workspace)
    found = load_catalogue(places)
    for problem in found.problems:
        work.factory.warn_once(f"skill left out: {problem}")
    return found


def skills_text(work: Work, role: Role) -> Shown:
    """The part of a prompt that names the skills."""
    return skills_section(skills_of(work, role), work.factory.settings.skills.max_tokens)


def extra_tools(work: Work, role: Role, catalogue: Catalogue, cut: Collection[str]) -> tuple[str, ...]:
    """The tools of skills and memory that have something to offer where there is room for them.

    Args:
        cut: "memory" and "skills" when the prompt does not show all of it: then they can be read by a tool.
    """
    tools = ["skill_run"] if catalogue.skills else []
    tools += ["skill_list"] if catalogue.skills and "skills" in cut else []
    tools += ["skill_clear"] if any(s.allowed_tools for s in catalogue.skills.values()) else []
    model = work.model_settings(role)
    if model.context_length >= SMALLEST_CONTEXT and work.factory.settings.memory.enabled:
        tools += ["memory_append", *(["memory_read"] if "memory" in cut else [])]
    return tuple(tools)


def lessons(
    work: Work, changed: Iterable[str], evidence: Iterable[CommandResult], commit: str | None
) -> tuple[Fact, ...]:
    """What an approved task teaches, without asking a model: files with their public names, commands that pass."""
    if not work.factory.settings.memory.enabled:
        return ()
    folder, task = work.plan.workspace, work.the_task
    hidden = work.hidden(folder)
    paths = sorted(path for path in {*task.files, *changed} if not hidden(path))
    written = [(path, public_names(path, text)) for path, text in read_text_files(folder, paths, LEARNED_CHARACTERS)]
    passed = [result.command for result in evidence if result.passed]
    return learned(folder.name, written, passed, plan=work.plan.name, task=task.id, commit=commit)
