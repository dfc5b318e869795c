"""The list of projects, ``~/.lao/projects.json``: read, changed under a lock, written whole or not at all.

It is a convenience and not the truth: a project's own folder is. So a damaged list is set aside and begun anew.
"""

from __future__ import annotations

import datetime as dt
import difflib
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from lao.core.clock import Clock, SystemClock
from lao.core.errors import BadInput, Refused
from lao.core.folders import make_folders, user_home
from lao.durable.files import write_atomic
from lao.durable.owners import FileLock

VERSION: Final = 1
FILE: Final = "factory.yaml"
PROJECTS_LIMIT: Final = 2_000
BYTES_LIMIT: Final = 4_194_304
LOCK_S: Final = 5.0
FRESH_S: Final = 60.0
"""A project that was used this short a time ago is not written down again."""


@dataclass(frozen=True)
class Project:
    """One entry.

    Attributes:
        path: the folder, absolute, links resolved.
        name: what it is called; two may have the same.
        added_at: seconds since the epoch, as ``last_used_at``; 0: never used.
    """

    path: Path
    name: str
    tags: tuple[str, ...] = ()
    added_at: float = 0.0
    last_used_at: float = 0.0


def is_project(folder: Path) -> bool:
    """Whether a folder has a ``factory.yaml`` or, but for the user's own, a ``.lao`` folder."""
    if os.path.lexists(folder / FILE):
        return True
    return is_folder(folder / ".lao") and resolved(folder) != resolved(user_home())


def is_folder(path: Path) -> bool:
    """Whether it is a folder; False also where that cannot be seen."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises for what may not be looked at


def resolved(path: Path) -> Path:
    """As entries have it."""
    return Path(os.path.realpath(path))


def _silent(_text: str) -> None:
    return


class Registry:
    """The projects of one user. Any number of processes may use it.

    Args:
        file: the list; None is the user's own.
        report: is told what was wrong with it, one line each.
    """

    def __init__(
        self, file: Path | None = None, *, clock: Clock | None = None, report: Callable[[str], None] = _silent
    ) -> None:
        self._given = file
        self._clock: Clock = clock or SystemClock()
        self._report = report

    @property
    def file(self) -> Path:
        """The list; a link to it is followed.

        Raises:
            BadInput: the user has no home folder.
        """
        file = self._given or user_home() / ".lao" / "projects.json"
        if not file.is_absolute():
            raise BadInput("this user has no home folder, so there is no list of projects", "set HOME")
        return resolved(file)

    def projects(self, tag: str = "") -> tuple[Project, ...]:
        """All projects, or those with a tag; the one used last first.

        Raises:
            BadInput: the list cannot be read. Refused: a newer LAO has written it.
        """
        found = self._read().projects
        chosen = [project for project in found if not tag or tag in project.tags]
        return tuple(sorted(chosen, key=lambda p: (-max(p.last_used_at, p.added_at), p.name, p.path)))

    def current(self) -> Project | None:
        """The project that ``use`` has chosen, None when there is none. Raises as ``projects``."""
        listed = self._read()
        return next((p for p in listed.projects if str(p.path) == listed.current), None)

    def get(self, path: Path) -> Project | None:
        """The entry of a folder. Raises as ``projects``."""
        wanted = resolved(path)
        return next((p for p in self._read().projects if p.path == wanted), None)

    def named(self, name: str) -> tuple[Project, ...]:
        """The projects of this name, else of this name in any case, the one used last first. Raises as ``projects``."""
        known = self.projects()
        exact = tuple(p for p in known if p.name == name)
        return exact or tuple(p for p in known if p.name.casefold() == name.casefold())

    def find(self, reference: str, cwd: Path) -> Project:
        """The one project that a name or a path means.

        Raises:
            BadInput: no project, or several, are meant; the nearest one, or all of them, are named.
            Refused: a newer LAO has written the list.
        """
        found = self.named(reference)
        if len(found) > 1:
            places = "\n".join(f"    {project.path}" for project in found)
            raise BadInput(f"{len(found)} projects are called {reference!r}:\n{places}", "give the path instead")
        if found:
            return found[0]
        path = place(reference, cwd)
        if path is not None and (known := self.get(path)) is not None:
            return known
        raise BadInput(f"no project {reference!r} in the list", self._advice(reference, path))

    def _advice(self, reference: str, path: Path | None) -> str:
        if path is not None and is_folder(path):
            return f"'lao projects add {reference}' adds it"
        names = sorted({project.name for project in self._read().projects})
        near = difflib.get_close_matches(reference, names, n=1, cutoff=0.5)
        return f"did you mean {near[0]!r}?" if near else "'lao projects list' shows all, 'lao projects scan' finds more"

    def add(self, path: Path, *, tags: Iterable[str] = (), name: str = "") -> tuple[Project, bool]:
        """Put a folder into the list, or more tags to its entry. Returns (entry, whether it is new).

        Raises:
            BadInput: the list is full, or cannot be read or written. Refused: as ``find``, or somebody holds it.
        """
        folder = resolved(path)
        with self._changing() as listed:
            known = listed.of(folder)
            now = round(self._clock.now(), 3)
            entry = known or Project(folder, name or folder.name or str(folder), (), now, 0.0)
            merged = tuple(dict.fromkeys((*entry.tags, *tags)))
            entry = replace(entry, tags=merged, name=name or entry.name)
            listed.put(entry)
        return entry, known is None

    def used(self, path: Path, *, choose: bool = False) -> Project:
        """A project is used now: it is in the list, and ``choose`` makes it the current one. Raises as ``add``."""
        folder, now = resolved(path), round(self._clock.now(), 3)
        known = self.get(folder)
        if known is not None and not choose and abs(now - known.last_used_at) < FRESH_S:
            return known
        with self._changing() as listed:
            entry = listed.of(folder) or Project(folder, folder.name or str(folder), (), now)
            entry = replace(entry, last_used_at=now)
            listed.put(entry)
            if choose:
                listed.current = str(folder)
        return entry

    def remove(self, project: Project) -> bool:
        """Take an entry off the list; the folder is not touched. False when it was not there. Raises as ``add``."""
        with self._changing() as listed:
            kept = [p for p in listed.projects if p.path != project.path]
            gone = len(kept) < len(listed.projects)
            listed.projects = kept
            if listed.current == str(project.path):
                listed.current = ""
        return gone

    @contextmanager
    def _changing(self) -> Iterator[_Listed]:
        file = self.file
        try:
            make_folders(file.parent)
            lock = FileLock(file.with_name("projects.lock"), "the list of projects")
            lock.acquire(LOCK_S)
        except OSError as error:
            raise _unusable(file, error, "written") from error
        with lock:
            listed = self._read(locked=True)
            before = "" if listed.damaged else listed.to_text()
            yield listed
            if (after := listed.to_text()) != before:
                try:
                    write_atomic(file, after)
                except OSError as error:
                    raise _unusable(file, error, "written") from error

    def _read(self, *, locked: bool = False) -> _Listed:
        file = self.file
        try:
            if not file.exists():
                return _Listed([])
            if not file.is_file():
                raise BadInput(
                    f"{str(file)!r} is not a regular file", "move it away; LAO begins a new list of projects"
                )
            with file.open("rb") as opened:
                raw = opened.read(BYTES_LIMIT + 1)
        except FileNotFoundError:  # set aside by another process at this moment
            return _Listed([])
        except OSError as error:
            raise _unusable(file, error, "read") from error
        listed, problem = _parsed(raw, file)
        if not problem:
            return listed
        if not locked:
            return self._mended(listed)
        aside = _set_aside(file, self._clock.now())
        self._report(f"the list of projects {str(file)!r} was damaged ({problem}); it is kept as {aside.name!r}")
        listed.damaged = True
        return listed

    def _mended(self, seen: _Listed) -> _Listed:
        """The list after the damaged file was set aside; ``seen`` where that cannot be done here."""
        try:
            with self._changing() as listed:
                return listed
        except (BadInput, Refused) as error:
            self._report(f"the list of projects is damaged, and {error.message}")
            return seen


@dataclass
class _Listed:
    """The list in memory; ``current`` is a path, "" for none; ``damaged``: its file was set aside."""

    projects: list[Project]
    current: str = ""
    damaged: bool = False

    def of(self, folder: Path) -> Project | None:
        return next((p for p in self.projects if p.path == folder), None)

    def put(self, entry: Project) -> None:
        known = self.of(entry.path)
        if known is None and len(self.projects) >= PROJECTS_LIMIT:
            raise BadInput(f"the list holds {PROJECTS_LIMIT} projects and is full", "'lao projects remove --gone'")
        self.projects = [*(p for p in self.projects if p.path != entry.path), entry]

    def to_text(self) -> str:
        entries = [
            {
                "path": str(p.path),
                "name": p.name,
                "tags": list(p.tags),
                "added_at": p.added_at,
                "last_used_at": p.last_used_at,
            }
            for p in sorted(self.projects, key=lambda p: str(p.path))
        ]
        document = {"version": VERSION, "current": self.current or None, "projects": entries}
        return json.dumps(document, indent=2) + "\n"  # ASCII, so that names that are no UTF-8 come back as they were


def _parsed(raw: bytes, file: Path) -> tuple[_Listed, str]:
    """The list, and what is wrong with the file; entries that can be used are kept."""
    if len(raw) > BYTES_LIMIT:
        return _Listed([]), f"it has more than {BYTES_LIMIT} bytes"
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        return _Listed([]), f"not JSON: {error}"
    if not isinstance(document, dict) or not isinstance(document.get("projects"), list):
        return _Listed([]), "no list of projects is in it"
    version = document.get("version")
    if isinstance(version, int) and version > VERSION:
        raise Refused(
            f"{str(file)!r} is of a newer LAO (version {version}, this one knows {VERSION})",
            "use that LAO, or move the file away",
        )
    entries = [_entry(item) for item in document["projects"]]
    good = {entry.path: entry for entry in entries if entry is not None}
    current = document.get("current")
    bad = sum(entry is None for entry in entries)
    return _Listed(list(good.values()), current if isinstance(current, str) else ""), (
        f"{bad} of {len(entries)} entries cannot be read" if bad else ""
    )


def _entry(item: Any) -> Project | None:
    if not isinstance(item, dict):
        return None
    path, name, tags = item.get("path"), item.get("name"), item.get("tags", [])
    if not (isinstance(path, str) and Path(path).is_absolute() and "\0" not in path and isinstance(name, str) and name):
        return None
    if not (isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)):
        return None
    times = [item.get(key, 0) for key in ("added_at", "last_used_at")]
    if not all(isinstance(at, (int, float)) and 0 <= at < 1e12 for at in times):
        times = [0.0, 0.0]
    return Project(Path(path), name, tuple(tags), float(times[0]), float(times[1]))


def _set_aside(file: Path, now: float) -> Path:
    """Move a damaged list away, under a name that is free."""
    stamp = dt.datetime.fromtimestamp(now, dt.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    aside = file.with_name(f"{file.name}.damaged-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = file.with_name(f"{file.name}.damaged-{stamp}-{number}")
    try:
        file.rename(aside)
    except OSError as error:
        raise _unusable(file, error, "moved aside") from error
    return aside


def _unusable(file: Path, error: OSError, what: str) -> BadInput:
    return BadInput(
        f"the list of projects {str(file)!r} cannot be {what}: {error.strerror or error}",
        "look at the rights of the file and its folder",
    )


def place(reference: str, cwd: Path) -> Path | None:
    """The path that a reference may be, counted from ``cwd``; None where it cannot be one."""
    if not reference or "\0" in reference:
        return None
    if reference == "~" or reference.startswith("~/"):
        return resolved(user_home() / reference[2:])
    return resolved(cwd / reference)
