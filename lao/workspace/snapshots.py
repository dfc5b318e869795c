"""A commit laid out in a folder of its own, to run checks on while the coder goes on in the live one.

The folder is a small repository that borrows the plan's objects: git works in it, tools that look for ignore files
stop there, and the plan's repository knows nothing of it.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lao.core.errors import BadInput
from lao.durable.files import pid_exists
from lao.durable.owners import Owner, current_owner
from lao.durable.sandbox import folders
from lao.workspace.git_calls import Git

BORROWED: Final = ("node_modules", ".venv", "venv", "env", ".env", "vendor", ".bundle", "bower_components", "Pods")
"""Untracked top-level entries that commands need and no commit has; linked in, so what is written there is shared."""

CACHES: Final = frozenset(
    {
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        ".tox",
        ".nox",
        ".coverage",
        ".DS_Store",
    }
)
"""Made by tools, by each for itself: never linked in."""

MOST_BORROWED: Final = 500


@contextmanager
def snapshot_of(git: Git, commit: str, folder: Path) -> Iterator[Path]:
    """``commit`` of ``git``'s repository in a new folder below ``folder``, removed at the end."""
    place = folder / f"{os.getpid()}-{secrets.token_hex(4)}"
    try:
        place.mkdir(parents=True)
        (place / "owner").write_text(current_owner().to_text(), encoding="utf-8")
        yield lay_out(git, commit, place / git.root.name)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def lay_out(git: Git, commit: str, tree: Path) -> Path:
    """``commit`` as a small repository of its own in the new folder ``tree``."""
    repository = tree / ".git"
    for name in ("objects/info", "refs/heads", "info"):
        (repository / name).mkdir(parents=True)
    (repository / "objects/info/alternates").write_text(f"{git.common_dir / 'objects'}\n", encoding="utf-8")
    form = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n"
    if len(commit) == 64:
        form = form.replace("= 0", "= 1") + "[extensions]\n\tobjectFormat = sha256\n"
    (repository / "config").write_text(form, encoding="utf-8")
    (repository / "HEAD").write_text(f"{commit}\n", encoding="utf-8")
    Git(tree).out("-c", "core.fsync=none", "read-tree", "--reset", "-u", "HEAD")
    borrowed = [n for n in kept_aside(git) if (git.root / n).exists() and not os.path.lexists(tree / n)]
    for name in borrowed:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(Path(os.path.realpath(git.root / name)))
    targets = "".join(f"{os.path.realpath(tree / name)}\n" for name in borrowed)
    (repository / folders.BORROWED).write_text(targets, encoding="utf-8", errors="surrogateescape")
    excluded = "".join(f"/{n}\n" for n in borrowed)
    (repository / "info/exclude").write_text(f"{_excluded(git)}\n{excluded}", encoding="utf-8")
    return tree


def _excluded(git: Git) -> str:
    """What the user ignores here without a ``.gitignore``."""
    try:
        return (git.common_dir / "info/exclude").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def kept_aside(git: Git) -> list[str]:
    """What the user keeps in the folder and git ignores (data, settings, installed packages), without caches: commands
    that pass in the live folder must not fail here for want of it."""
    listed = git.out("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory").split("\0")
    names = [name.rstrip("/") for name in listed if name]
    wanted = [n for n in names if not any(part in CACHES or part.endswith(".pyc") for part in n.split("/"))]
    return list(dict.fromkeys((*BORROWED, *wanted[:MOST_BORROWED])))


def clean_snapshots(folder: Path) -> int:
    """Remove the snapshots of processes that are dead; returns how many."""
    removed = 0
    for place in folder.iterdir() if folder.is_dir() else ():
        if not _is_alive(place):
            shutil.rmtree(place, ignore_errors=True)
            removed += 1
    return removed


def _is_alive(place: Path) -> bool:
    try:
        return Owner.from_text((place / "owner").read_text(encoding="utf-8")).alive()
    except (OSError, BadInput):  # killed, or just being made, before the owner was written
        pid = place.name.partition("-")[0]
        return pid.isdigit() and pid_exists(int(pid))
