"""What gives rights at the top of a workspace is after a command what it was before, whatever surrounds the command.

git and LAO itself follow these files, outside of the sandbox. Where a backend makes them read-only nothing is left to
do here but to take away what was not there before.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lao.durable.sandbox.folders import BORROWED, RIGHTS, rights_of

_OF_GIT: Final = ("config", "config.worktree", "info/attributes", "objects/info/alternates", "commondir", BORROWED)
_HOOKS: Final = "hooks"
_Content = tuple[bytes, int] | str | None


@dataclass
class Restored:
    """What had to be put back, as paths relative to the workspace."""

    names: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """One line for the model, or ""."""
        shown = ", ".join(sorted(self.names))
        return f"[sandbox: put back as it was, since git or LAO would follow it: {shown}]" if shown else ""


@contextmanager
def kept(cwd: Path, *, frozen: bool = False) -> Iterator[Restored]:
    """For the block that runs a command: afterwards its workspace gives nobody more rights than before.

    Args:
        frozen: what is there is read-only for the command: a change of it is the user's, and stays.
    """
    restored = Restored()
    if frozen and (cwd / ".git").exists() and not (cwd / ".git" / BORROWED).exists():
        yield restored  # the user's own folder, where models do not work
        return
    before = {} if frozen else {name: _content(cwd / name) for name in _files(cwd)}
    there = {name for name in rights_of(cwd) if os.path.lexists(cwd / name)}
    try:
        yield restored
    finally:
        new = {n for n in (*RIGHTS, "factory.yaml") if n != ".git" and n not in there and os.path.lexists(cwd / n)}
        for name in new:
            _remove(cwd / name)
        after = set() if frozen else {*_files(cwd)}
        changed = {n for n in {*before, *after} - new if _content(cwd / n) != before.get(n)}
        for name in sorted(changed, key=len):  # a file in the place of a folder goes before what was in it
            _put_back(cwd / name, before.get(name))
        restored.names += [*new, *changed]


def _files(cwd: Path) -> list[str]:
    names = [name for name in rights_of(cwd) if name not in RIGHTS or name == ".mcp.json"]
    if (cwd / ".git").is_file() or (cwd / ".git").is_symlink():
        return [*names, ".git"]
    if (cwd / ".git").is_dir():
        names += [f".git/{name}" for name in _OF_GIT]
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            names += [f".git/{_HOOKS}/{entry.name}" for entry in os.scandir(cwd / ".git" / _HOOKS)]
    return names


def _content(file: Path) -> _Content:
    """The bytes and mode of a file, where a link leads, or None for anything else."""
    if file.is_symlink():
        return str(file.readlink())
    try:
        return file.read_bytes(), file.stat().st_mode & 0o777
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError):
        return None


def _put_back(file: Path, content: _Content) -> None:
    _remove(file)
    if isinstance(content, str):
        file.symlink_to(content)
    elif content is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content[0])
        file.chmod(content[1])


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
