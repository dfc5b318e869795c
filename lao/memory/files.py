"""AGENTS.md files from the user's down to the task's: which there are, read within bounds, with their imports.

One file a folder: AGENTS.override.md, else AGENTS.md, else CLAUDE.md. Their text is guidance and grants nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lao.core.folders import user_home

NAMES: Final = ("AGENTS.override.md", "AGENTS.md", "CLAUDE.md")
USER_FOLDERS: Final = (".lao", ".agents", ".config/agents", ".codex", ".claude")
"""The first of these in the user's home that has such a file."""

BYTES_LIMIT: Final = 65_536
IMPORT_DEPTH: Final = 5
_IMPORT: Final = re.compile(r"^\s*(?:[-*]\s+)?@(\S+)\s*$")
_FENCE: Final = re.compile(r"^\s*(?:```|~~~)")


@dataclass(frozen=True)
class Note:
    """One file's text.

    Attributes:
        label: how the file is named in a prompt.
        depth: 0 the user's, 1 the project's folder, more below it; a deeper one wins.
    """

    label: str
    text: str
    depth: int


@dataclass(frozen=True)
class Notes:
    """The files found, the least deep first; ``problems``: what could not be used, one line each."""

    notes: tuple[Note, ...] = ()
    problems: tuple[str, ...] = ()


def guidance(
    root: Path, workspace: Path, *, place: Path | None = None, paths: Iterable[str] = (), home: Path | None = None
) -> Notes:
    """The AGENTS.md files that hold for files of a plan.

    Args:
        root: the project's folder.
        workspace: the plan's folder.
        place: where the plan's files are worked on now; None: in ``workspace``.
        paths: the task's files, relative to the workspace; their folders are looked into.
        home: the user's; None asks the system.
    """
    found: list[Note] = []
    problems: list[str] = []
    at_home = home or user_home()
    for name in USER_FOLDERS:
        if note := _read(at_home / name, at_home, f"~/{name}", 0, problems, bound=None):
            found.append(note)
            break
    above = [root, *(root / part for part in _between(root, workspace))]
    for depth, folder in enumerate(above, 1):
        name = "" if folder == root else f"{folder.relative_to(root).as_posix()}"
        if folder != workspace and (note := _read(folder, root, name, depth, problems, bound=root)):
            found.append(note)
    base = place or workspace
    for inner in _folders(paths):
        depth = len(above) + 1 + len(Path(inner).parts)
        label = f"{workspace.name}/{inner}" if inner else workspace.name
        if note := _read(base / inner, base, label, depth, problems, bound=base):
            found.append(note)
    return Notes(tuple(sorted(found, key=lambda note: note.depth)), tuple(problems))


def _between(root: Path, workspace: Path) -> list[str]:
    """The folders from the project's down to the one above the workspace, as paths below the root."""
    if not workspace.is_relative_to(root) or workspace == root:
        return []
    parts = workspace.relative_to(root).parts[:-1]
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]


def _folders(paths: Iterable[str]) -> list[str]:
    """The workspace itself ("") and the folders down to each path, without those that leave it."""
    found = {""}
    for path in paths:
        parts = Path(path).parts[:-1]
        if ".." in parts or Path(path).is_absolute():
            continue
        found |= {"/".join(parts[: n + 1]) for n in range(len(parts))}
    return sorted(found, key=lambda folder: (folder.count("/") + bool(folder), folder))


def _read(folder: Path, base: Path, name: str, depth: int, problems: list[str], *, bound: Path | None) -> Note | None:
    file = next((folder / n for n in NAMES if os.path.lexists(folder / n)), None)
    if file is None:
        return None
    label = f"{name}/{file.name}" if name else file.name
    text, problem = _text(file, bound)
    if problem:
        problems.append(f"{label} is not used: {problem}")
        return None
    text = _imported(text, file, bound or base, label, problems, (os.path.realpath(file),))
    return Note(label, text.strip(), depth) if text.strip() else None


def _text(file: Path, bound: Path | None) -> tuple[str, str]:
    """(text, "") or ("", why not). With ``bound``, what a link leads to must lie below it: a model may have made it."""
    real = os.path.realpath(file)
    if bound is not None and not real.startswith(os.path.realpath(bound) + os.sep):
        return "", "it is a link that leads outside"
    if not os.path.isfile(real):  # noqa: PTH113 - also false for loops of links, devices and pipes
        return "", "it is not a regular file"
    try:
        with open(real, "rb") as opened:  # noqa: PTH123
            raw = opened.read(BYTES_LIMIT + 1)
    except OSError as error:
        return "", error.strerror or str(error)
    if len(raw) > BYTES_LIMIT:
        return "", f"it has more than {BYTES_LIMIT} bytes"
    if b"\0" in raw:
        return "", "it is binary"
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n"), ""
    except UnicodeDecodeError:
        return "", "it is not UTF-8 text"


def _imported(text: str, file: Path, bound: Path, label: str, problems: list[str], chain: tuple[str, ...]) -> str:
    """``text`` with each line ``@path`` outside code replaced by that file. A circle, a file outside ``bound`` or too
    many levels leave the line as it is; a path that is no file is no import."""
    lines: list[str] = []
    size, in_code = len(text), False
    for line in text.split("\n"):
        in_code ^= bool(_FENCE.match(line))
        match = None if in_code else _IMPORT.match(line)
        target = file.parent / Path(match[1]) if match and not match[1].startswith("~") else None
        real = os.path.realpath(target) if target is not None and "\0" not in str(target) else ""
        if match is None or not real or not os.path.lexists(real):
            lines.append(line)
            continue
        inner, problem = _text(Path(real), bound)
        if real in chain:
            problem = "it imports itself"
        elif len(chain) > IMPORT_DEPTH:
            problem = f"imports go more than {IMPORT_DEPTH} files deep"
        elif size + len(inner) > BYTES_LIMIT:
            problem = f"with it the text would have more than {BYTES_LIMIT} bytes"
        if problem:
            problems.append(f"{label}: @{match[1]} is not imported: {problem}")
            lines.append(line)
            continue
        size += len(inner)
        lines.append(_imported(inner, Path(real), bound, label, problems, (*chain, real)).strip("\n"))
    return "\n".join(lines)
