"""What a line typed by a person means by a project: switch to it, look for some, or nothing. Reads names and folders.

Careful on purpose: whoever asks about a project, or names a path inside a sentence, does not want to leave this one.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lao.core.folders import user_home
from lao.projects.registry import FILE, Project, Registry, is_folder, is_project, resolved

LONGEST: Final = 1_000

_POLITE: Final = (
    r"(?:(?:ok|okay|hey|hi|now|then|please|and|lao)[,!]?\s+)*"
    r"(?:(?:can|could|would|will)\s+(?:you|we)\s+|let(?:'|’)?s\s+|let\s+us\s+"
    r"|i(?:\s+(?:want|need|would\s+like)|(?:'|’)d\s+like)\s+to\s+)?(?:please\s+)?(?:now\s+)?"
)
_MOVE: Final = r"(?P<move>(?:switch|change|go|move|jump|hop)\s+(?:over\s+|back\s+)*(?:in)?to|cd(?:\s+(?:in)?to)?)"
_OPEN: Final = r"(?P<open>open(?:\s+up)?|load|(?:start\s+)?work(?:ing)?\s+(?:on|in)|continue\s+(?:on|with|in))"
_USE: Final = r"(?P<use>use|select|choose|pick)"
_PHRASE: Final = re.compile(rf"^{_POLITE}(?:{_MOVE}|{_OPEN}|{_USE})\s+(?P<rest>\S.*)$", re.IGNORECASE)
_AFTER: Final = re.compile(r"(?:[,]?\s+(?:please|now|instead|again|thanks|thank\s+you))*\s*[.!?]*$", re.IGNORECASE)
_ARTICLE: Final = re.compile(r"^(?:the|my|our)\s+", re.IGNORECASE)
_KIND: Final = r"(?:project|workspace)"
_KIND_FIRST: Final = re.compile(rf"^(?P<the>(?:the|my|our)\s+)?{_KIND}\s+(?:called\s+|named\s+)?(?P<name>\S.*)$", re.I)
_KIND_LAST: Final = re.compile(rf"^(?:(?:the|my|our)\s+)?(?P<name>\S.*?)\s+{_KIND}$", re.I)
_NO_NAMES: Final = frozenset(
    {
        "a", "an", "another", "any", "current", "different", "existing", "first", "last", "latest", "main", "new",
        "next", "old", "other", "own", "previous", "right", "same", "second", "that", "this", "whole", "wrong",
        "your",
    }
)  # fmt: skip
_COMMAND: Final = re.compile(r"^/[^/\s]+/?$")
_QUOTES: Final = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "«": "»"}


@dataclass(frozen=True)
class Switch:
    """The person wants to work in this project; to be confirmed before it is done.

    Attributes:
        listed: it is in the list of projects.
    """

    path: Path
    name: str
    listed: bool


@dataclass(frozen=True)
class Scan:
    """The person names a folder that is no project; projects may be found below it."""

    root: Path


@dataclass(frozen=True)
class Nothing:
    """No switch.

    Attributes:
        why: what to tell the person who plainly named a project that cannot be told, "" for any other line.
    """

    why: str = ""


def wanted(text: str, registry: Registry, cwd: Path) -> Switch | Scan | Nothing:
    """What a line of text asks for. Changes nothing.

    Args:
        cwd: the folder that ``./x`` and ``../x`` count from.

    Raises:
        BadInput, Refused: as ``Registry.projects``.
    """
    line = text.strip()
    if not line or len(line) > LONGEST or "\n" in line or not line.isprintable():
        return Nothing()
    if (folder := _folder(line, cwd)) is not None:
        return _at(folder, registry)
    match = _PHRASE.match(line)
    if match is None:
        return Nothing()
    rest = _AFTER.sub("", match["rest"])
    first, last = _KIND_FIRST.match(rest), _KIND_LAST.match(rest)
    named = first or last
    paths = (match["rest"], rest, named["name"] if named else "")
    for part in paths:
        if part and (folder := _folder(part, cwd)) is not None:
            return _at(folder, registry)
    if match["move"] and any(part and _expanded(_unquoted(part) or part, cwd) for part in paths):
        return Nothing(f"there is no folder {rest!r}")
    if named:
        told = bool(last) if match["open"] else bool(match["move"]) and not (first and first["the"])
        return _called(named["name"], registry, told=told)
    return Nothing() if match["use"] else _called(rest, registry, told=False)


def _at(folder: Path, registry: Registry) -> Switch | Scan | Nothing:
    """A folder that was named: its project, the one that it lies in, or a place to look for some."""
    known = registry.get(folder)
    if known is not None:
        return Switch(known.path, known.name, listed=True)
    home = resolved(user_home())
    if is_project(folder):
        return Switch(folder, folder.name or str(folder), listed=False)
    for above in folder.parents:
        if above in (home, Path(above.anchor)):
            break
        if os.path.lexists(above / FILE):
            return _at(above, registry)
    return Nothing() if folder == Path(folder.anchor) else Scan(folder)


def _called(name: str, registry: Registry, *, told: bool) -> Switch | Nothing:
    """The project of that name. ``told``: the person said "project", so a name that is unknown is told."""
    said = _unquoted(name) or name
    projects = registry.projects()
    for form in dict.fromkeys((said, _ARTICLE.sub("", said))):
        found = [p for p in projects if p.name == form] or [p for p in projects if _key(p.name) == _key(form)]
        if len(found) == 1:
            return Switch(found[0].path, found[0].name, listed=True)
        if found:
            return Nothing(f"{len(found)} projects are called {form!r}; give the path: {_paths(found)}")
    if not told or len(said.split()) > 1 or said.casefold() in _NO_NAMES:
        return Nothing()
    near = difflib.get_close_matches(said, [p.name for p in projects], n=1, cutoff=0.5)
    advice = f"did you mean {near[0]!r}?" if near else "'lao projects list' shows all"
    return Nothing(f"there is no project {said!r} in the list; {advice}")


def _key(name: str) -> str:
    return re.sub(r"[\s_-]+", "-", name.strip().casefold())


def _paths(projects: Sequence[Project]) -> str:
    return ", ".join(str(project.path) for project in projects)


def _folder(text: str, cwd: Path) -> Path | None:
    """The existing folder that all of the text is the path of, None for anything else.

    Quotes and backslashes before spaces are understood, as a terminal puts them where a folder is dropped into it. A
    ``factory.yaml`` stands for its folder. ``/word`` alone is a command of the Pilot and no folder, unless it has one.
    """
    for candidate in dict.fromkeys((_unquoted(text), text, _one_word(text))):
        path = _expanded(candidate, cwd) if candidate else None
        if path is None:
            continue
        if path.name == FILE and not is_folder(path) and os.path.lexists(path):
            path = path.parent
        if is_folder(path) and (not _COMMAND.match(candidate) or is_project(path)):
            return path
    return None


def _expanded(text: str, cwd: Path) -> Path | None:
    if text == "~" or text.startswith("~/"):
        return resolved(user_home() / text[2:])
    if text in (".", "..") or text.startswith(("/", "./", "../")):
        return resolved(cwd / text)
    return None


def _unquoted(text: str) -> str:
    """The text between the quotes around all of it, "" when there are none."""
    closing = _QUOTES.get(text[0])
    inner = text[1:-1]
    return inner if closing and len(text) > 2 and text[-1] == closing and closing not in inner else ""


def _one_word(text: str) -> str:
    """What a shell would take for one word, "" when it takes it for several or for none."""
    try:
        words = shlex.split(text, posix=True)
    except ValueError:
        return ""
    return words[0] if len(words) == 1 else ""
