"""Desks: the folder in which one attempt works, laid out from the plan's folder as it stands and gone afterwards.

What is done at a desk reaches the plan's folder by a landing (``lao.workspace.landing``) or not at all. Like a snapshot
it is a small repository that borrows the plan's objects, so that nothing that is run there can harm the plan's own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from lao.core.errors import AttemptFailed
from lao.durable.owners import boot_id
from lao.workspace.git_calls import Git
from lao.workspace.snapshots import kept_aside, lay_out

_PREFIX = "run-"
_BOOT = "boot"


class Desk:
    """The folder of one run; found again by the run's number after a crash.

    Args:
        folder: where all desks are.
        name: of the plan's folder, which the desk's folder is called as well.
    """

    def __init__(self, folder: Path, run: int, name: str) -> None:
        self._place = folder / f"{_PREFIX}{run}"
        self.root = self._place / name

    def lay_out(self, git: Git, commit: str) -> None:
        """Make the desk anew from a commit of the plan's repository."""
        self.drop()
        fresh = self._place.with_name(f"{self._place.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        lay_out(git, commit, fresh / self.root.name)
        (fresh / _BOOT).write_text(boot_id(), encoding="utf-8")
        fresh.rename(self._place)

    def outlived(self) -> bool:
        """Whether the machine was started again since the desk was laid out: what is there may be half written, since
        nothing at a desk is synced."""
        try:
            return (self._place / _BOOT).read_text(encoding="utf-8", errors="replace") != boot_id()
        except FileNotFoundError:
            return True

    def find(self) -> None:
        """Check that the desk is still there, as it was left.

        Raises:
            AttemptFailed: it was removed while its run was interrupted, or the machine went down; what was done there
                is lost.
        """
        if (self.root / ".git").is_dir() and self.outlived():
            raise AttemptFailed(
                "the machine was started again during the attempt, and its folder may be half written",
                "the attempt is made again",
                kind="desk_gone",
            )
        if not (self.root / ".git").is_dir():
            raise AttemptFailed(
                f"the folder of the interrupted attempt is gone: {str(self.root)!r}",
                "leave .lao/ alone while LAO works",
                kind="desk_gone",
            )

    def hand_over(self, git: Git, marker: str = "") -> tuple[str, ...]:
        """Move what git ignores and what was made here (installed packages, say) to the plan's folder, where nothing
        is in its way; returns the names."""
        moved = []
        for name in kept_aside(Git(self.root, marker)):
            made, target = self.root / name, git.root / name
            if made.is_symlink() or not made.exists() or os.path.lexists(target):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(made, target)
            moved.append(name)
        return tuple(moved)

    def drop(self) -> None:
        """Remove the desk, if it is there."""
        shutil.rmtree(self._place, ignore_errors=True)


def desks_of(folder: Path) -> tuple[int, ...]:
    """The runs that have a desk."""
    names = [place.name.removeprefix(_PREFIX) for place in (folder.iterdir() if folder.is_dir() else ())]
    return tuple(sorted(int(name) for name in names if name.isdigit()))


def clean_desks(folder: Path, wanted: Callable[[int], bool]) -> int:
    """Remove the desks of runs that are over; returns how many."""
    removed = 0
    for place in folder.iterdir() if folder.is_dir() else ():
        number = place.name.removeprefix(_PREFIX)
        if not number.isdigit() or not wanted(int(number)):
            shutil.rmtree(place, ignore_errors=True)
            removed += 1
    return removed
