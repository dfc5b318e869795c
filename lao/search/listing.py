"""Which files a workspace has, as git would see them, and their contents. Follows no link; indexes nothing."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lao.durable.files import SKIPPED_FOLDERS, TEMPORARY
from lao.durable.processes import child_environment

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

PROTECTED: Final = frozenset({".git", ".lao"})
MAX_FILES: Final = 20_000
MAX_BYTES: Final = 500_000
"""A bigger file is known by its name only."""

_GIT_S: Final = 30
_LINK, _BIG, _BINARY, _UNREADABLE = "link", "big", "binary", "unreadable"


@dataclass(frozen=True)
class Listed:
    """One file.

    Attributes:
        path: relative to the workspace, with ``/``.
        stamp: changes when the file does: size, times in ns, inode.
        note: why only its name is of use ("link", "big", "unreadable"), or "".
    """

    path: str
    stamp: tuple[int, int, int, int]
    note: str = ""


def files_of(root: Path, marker: str = "", limit: int = MAX_FILES) -> tuple[list[Listed], int]:
    """The files of a workspace by path, at most ``limit``, and how many more there are.

    In a repository those that git tracks or would add; elsewhere a walk that goes by the ``.gitignore`` files. A path
    that leads over a link is left out, and one that is no UTF-8; a link itself is listed by its name. Raises OSError
    when the system refuses (no process or file more).
    """
    names = _from_git(root, marker)
    if names is None:
        names = sorted(_walk(root))
    names = [n for n in names if _is_text(n)]
    real: dict[str, bool] = {"": True}
    found = [listed for name in names[:limit] if (listed := _look(root, name, real)) is not None]
    return found, max(0, len(names) - limit)


def content_of(root: Path, path: str) -> tuple[bytes, str]:
    """The bytes of a file, and why they are of no use ("big", "binary", "link", "unreadable"), or "".

    Each part of the path is opened on its own and refused when it is a link, so that nothing that is exchanged
    meanwhile leads out of the workspace.
    """
    try:
        handle = _open(root, path)
    except OSError:
        return b"", _UNREADABLE
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            return b"", _LINK
        if status.st_size > MAX_BYTES:
            return b"", _BIG
        try:
            raw = file.read(MAX_BYTES + 1)
        except OSError:
            return b"", _UNREADABLE
    if len(raw) > MAX_BYTES:
        return b"", _BIG
    return (b"", _BINARY) if b"\0" in raw[:8_192] else (raw, "")


def _open(root: Path, path: str) -> int:
    *folders, name = path.split("/")
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = below
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
    finally:
        os.close(at)


def _from_git(root: Path, marker: str) -> list[str] | None:
    """None where the workspace is no repository of its own, or git is missing or refuses."""
    if not (root / ".git").exists():
        return None
    argv = ["git", "-c", "core.fsmonitor=false", "ls-files", "-co", "--exclude-standard", "-z"]
    try:
        done = subprocess.run(
            argv, cwd=root, env=child_environment(marker), capture_output=True, timeout=_GIT_S, check=False
        )
    except (FileNotFoundError, NotADirectoryError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    names = sorted({os.fsdecode(n) for n in done.stdout.split(b"\0") if n})
    return [n for n in names if not PROTECTED.intersection(n.split("/"))]


def _walk(root: Path) -> Iterator[str]:
    specs: dict[str, GitIgnoreSpec] = {}
    for folder, below, files in os.walk(root, onerror=_unless_gone):
        inside = Path(folder).relative_to(root).as_posix()
        prefix = "" if inside == "." else f"{inside}/"
        if ".gitignore" in files:
            specs[prefix] = _ignored_by(root, f"{prefix}.gitignore")
        below[:] = sorted(
            n
            for n in below
            if n not in SKIPPED_FOLDERS and not (Path(folder) / n).is_symlink() and not _ignored(specs, f"{prefix}{n}/")
        )
        yield from (f"{prefix}{n}" for n in files if not TEMPORARY.match(n) and not _ignored(specs, f"{prefix}{n}"))


def _unless_gone(error: OSError) -> None:
    """A folder that is gone or closed to us has no files; want of memory or of open files is no empty workspace."""
    if not isinstance(error, (FileNotFoundError, NotADirectoryError, PermissionError)):
        raise error


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _ignored_by(root: Path, path: str) -> GitIgnoreSpec:
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(content_of(root, path)[0].decode("utf-8", "replace").splitlines())


def _ignored(specs: dict[str, GitIgnoreSpec], path: str) -> bool:
    """The nearest file that says something about the path decides, as in git."""
    for prefix in sorted((p for p in specs if path.startswith(p)), key=len, reverse=True):
        told = specs[prefix].check_file(path[len(prefix) :]).include
        if told is not None:
            return told
    return False


def _look(root: Path, name: str, real: dict[str, bool]) -> Listed | None:
    parent = name.rpartition("/")[0]
    if not _is_real(root, parent, real):
        return None
    try:
        status = os.lstat(root / name)
    except (OSError, ValueError):
        return None  # tracked and deleted, or gone since it was listed
    stamp = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    if stat.S_ISLNK(status.st_mode):
        return Listed(name, stamp, _LINK)
    if not stat.S_ISREG(status.st_mode):
        return None
    return Listed(name, stamp, _BIG if status.st_size > MAX_BYTES else "")


def _is_real(root: Path, folder: str, real: dict[str, bool]) -> bool:
    """Whether no part of the folder's path is a link: git lists what it tracked below a folder that is one now."""
    if folder not in real:
        above = _is_real(root, folder.rpartition("/")[0], real)
        try:
            real[folder] = above and stat.S_ISDIR(os.lstat(root / folder).st_mode)
        except (OSError, ValueError):
            real[folder] = False
    return real[folder]
