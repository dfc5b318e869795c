"""The path guard: which file below the root a model means, or why it may not have it. Opens nothing."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath
from typing import Final

from lao.core.errors import BadInput
from lao.durable.sandbox import folders

PROTECTED: Final = frozenset({".git", ".lao"})
RIGHTS: Final = frozenset(name.casefold() for name in folders.RIGHTS)
"""At the top of a workspace: what would give a model rights that nobody gave it. Readable, not writable."""
_MAX_PATH: Final = 1_024
_MAX_NAME: Final = 240


def resolve(root: Path, path: str, *, writing: bool = False, folder: bool = False) -> Path:
    """The real path of ``path`` inside ``root``; it need not exist.

    Relative paths and absolute ones below ``root`` are taken; links are followed as long as they stay inside.

    Args:
        writing: also refuse a file that has a second name (hard link), since the other name may lie outside.
        folder: ``path`` must be a folder, else it must not be one.

    Raises:
        BadInput: the reason, in words for the model.
    """
    real_root = Path(os.path.realpath(root))
    relative = _inside(_plain(path), path, root, real_root)
    _refuse_protected(relative, path)
    try:
        target = Path(os.path.realpath(real_root / relative))
    except (OSError, RuntimeError) as exc:
        raise BadInput(f"path {path!r} cannot be followed: {exc}", "check the links on its way") from exc
    if not target.is_relative_to(real_root):
        raise BadInput(f"path {path!r} is a link that leaves the workspace", "work on files inside the workspace")
    _refuse_protected(PurePosixPath(target.relative_to(real_root)), path)
    if writing:
        _refuse_rights(real_root, target.relative_to(real_root).parts[:1], path)
    _refuse_kind(target, path, writing=writing, folder=folder)
    return target


def relative_name(root: Path, target: Path) -> str:
    """The workspace-relative POSIX name of what ``resolve`` returned."""
    return target.relative_to(os.path.realpath(root)).as_posix()


def _plain(path: str) -> str:
    if not isinstance(path, str) or not path.strip():
        raise BadInput("the path is empty", "give a path relative to the workspace, for example 'src/app.py'")
    if any(ord(c) < 32 or ord(c) == 127 for c in path):
        raise BadInput(f"path {path[:80]!r} has a control character in it", "give one plain path")
    try:
        size, longest = len(os.fsencode(path)), max(len(os.fsencode(p)) for p in path.split("/"))
    except UnicodeEncodeError as exc:
        raise BadInput(f"path {path[:80]!r} is not valid text", "give one plain path") from exc
    if size > _MAX_PATH or longest > _MAX_NAME:
        raise BadInput(f"path {path[:60]!r}… is too long", f"at most {_MAX_NAME} bytes a name, {_MAX_PATH} in all")
    if "\\" in path or path[1:2] == ":":
        raise BadInput(f"path {path!r} is in Windows form", "separate folders with '/', relative to the workspace")
    if path.startswith("~"):
        raise BadInput(f"path {path!r}: '~' is not expanded", "give a path relative to the workspace")
    return path


def _inside(text: str, path: str, root: Path, real_root: Path) -> PurePosixPath:
    """``text`` relative to the root with no ``..`` left, so that links cannot give ``..`` another meaning."""
    normal = os.path.normpath(text)
    if normal.startswith("/"):
        absolute = Path("/" + normal.lstrip("/"))  # normpath keeps a leading "//"
        for base in (real_root, Path(os.path.normpath(root))):
            if absolute.is_relative_to(base):
                return PurePosixPath(absolute.relative_to(base))
        raise BadInput(
            f"path {path!r} is outside the workspace",
            f"use a path relative to the workspace, for example {absolute.name or 'src'!r}",
        )
    if normal == ".." or normal.startswith("../"):
        raise BadInput(f"path {path!r} leaves the workspace", "'..' may not go above the workspace")
    return PurePosixPath(normal)


def _refuse_protected(relative: PurePosixPath, path: str) -> None:
    for part in relative.parts:
        # ".GIT", ".git." and "git~1" are the same folder on some file systems (CVE-2014-9390).
        plain = part.casefold().rstrip(". ").split(":")[0]
        if plain in PROTECTED or plain in {"git~1", "lao~1"}:
            raise BadInput(
                f"path {path!r}: {part!r} belongs to git or LAO itself", "leave it alone; LAO commits the work"
            )


def _refuse_rights(root: Path, top: tuple[str, ...], path: str) -> None:
    project = folders.OF_A_PROJECT if (root / "factory.yaml").exists() else ("factory.yaml",)
    for name in top:
        if name.casefold() in RIGHTS or name in project:
            raise BadInput(
                f"path {path!r}: LAO or another agent would follow {name!r}, so models do not write it",
                "leave it alone; say in your answer what should be in it",
            )


def _refuse_kind(target: Path, path: str, *, writing: bool, folder: bool) -> None:
    try:
        status = target.lstat()
    except FileNotFoundError:
        return
    except OSError as exc:
        raise BadInput(f"path {path!r} cannot be used: {exc.strerror}", "a part of it may be a file") from exc
    if stat.S_ISDIR(status.st_mode):
        if not folder:
            raise BadInput(f"path {path!r} is a folder", "name a file in it; list_dir shows what is there")
        return
    if folder:
        raise BadInput(f"path {path!r} is a file, not a folder", "file_read shows its content")
    if not stat.S_ISREG(status.st_mode):
        raise BadInput(f"path {path!r} is not a regular file", "devices, pipes and sockets are not read or written")
    if writing and status.st_nlink > 1:
        raise BadInput(
            f"path {path!r} is a hard link: the file has {status.st_nlink} names, others may be outside",
            "write a new file under another name",
        )
