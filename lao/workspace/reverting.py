"""One commit on top that takes a plan's work back. History is never rewritten, and nothing but the plan's files is
touched; a crash at any point is finished by the next call."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lao.core.errors import Refused
from lao.core.folders import sync_file, sync_folder
from lao.durable.faults import crash_point
from lao.workspace.changes import REVERT_STEP, Change, changes_of, others_since, parent_of
from lao.workspace.commits import Commit, tip
from lao.workspace.git_calls import Git

Entry = tuple[str, str]
"""(mode, blob)"""


@dataclass(frozen=True)
class Reverted:
    """The commit, the files that are as before again, and whether it was made by this call."""

    commit: str
    paths: tuple[str, ...]
    made: bool


@dataclass(frozen=True)
class RevertCommit(Commit):
    """Effect: one commit brings ``paths`` to what they were, and the folder follows where nobody has changed it.

    Attributes:
        before: what each path is brought to; None: it was not there.
    """

    before: dict[str, Entry | None] = field(default_factory=dict)

    def _add(self, index: Path) -> None:
        absent = "0" * len(tip(self.git)[0] or "")
        records = [
            f"{entry[0]} {entry[1]}\t{path}" if entry else f"0 {absent}\t{path}" for path, entry in self.before.items()
        ]
        stdin = os.fsencode("\0".join(records) + "\0")
        self.git.call("update-index", "-z", "--index-info", stdin=stdin, env=self._using(index))

    def _settle(self, commit: str) -> None:
        crash_point("after_intent")
        parent = parent_of(self.git, commit)
        folders = set()
        for path, entry in self.before.items():
            file = self.git.root / path
            if _has(self.git, file, _entry(self.git, parent, path)):
                _bring(self.git, commit, path, entry)
                folders.add(file.parent)
        for folder in folders:
            _sync(folder, self.git.root)
        super()._settle(commit)

    def settle(self, commit: str) -> None:
        """Finish what a crash left: the commit is on top, the folder may not have followed."""
        self._settle(commit)

    def found(self, head: str) -> str | None:
        """The commit of this step, where it was made already."""
        return self._find(None, head)


def revert(git: Git, plan_id: str, name: str, *, date: int) -> Reverted:
    """Take the plan's work back. The caller keeps others of LAO from the repository.

    Args:
        date: seconds since the epoch.

    Raises:
        Refused: the plan has changed nothing, its files have uncommitted changes, or others have committed to them
            since; nothing is changed.
    """
    own = changes_of(git, plan_id)
    if not own:
        raise Refused(f"plan {name!r} has no commit with work on this branch", "there is nothing to revert")
    paths = tuple(sorted({path for change in own for path in change.paths}))
    step = f"{plan_id}/-/{REVERT_STEP}/{own[-1].commit[:16]}"
    before = {path: _entry(git, parent_of(git, _first(own, path).commit), path) for path in paths}
    message = f"lao(revert): {name}\n\nTakes {len(own)} commits of the plan back.\n\nLAO-Step: {step}\n"
    effect = RevertCommit(git, message, step, date, paths, (), before)
    head = git.out("rev-parse", "HEAD")
    made = effect.found(head)
    if made is not None:
        if made == head:
            effect.settle(made)
        return Reverted(made, paths, made=False)
    _refuse_uncommitted(git, paths, name)
    _refuse_others(git, own, paths, name)
    commit = effect.apply(effect.prepare())["commit"]
    if commit is None:
        raise Refused(f"the files of plan {name!r} are as they were before it", "there is nothing to revert")
    return Reverted(commit, paths, made=True)


def _first(own: Sequence[Change], path: str) -> Change:
    return next(change for change in own if path in change.paths)


def _refuse_uncommitted(git: Git, paths: Sequence[str], name: str) -> None:
    spec = [f":(literal){path}" for path in paths]
    listed = git.call("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", *spec)[1]
    changed = sorted(entry[3:] for entry in listed.split("\0") if entry)
    if changed:
        raise Refused(
            f"uncommitted changes in {', '.join(changed[:3])}, which plan {name!r} changed",
            "commit or stash them; nothing was changed",
        )


def _refuse_others(git: Git, own: Sequence[Change], paths: Sequence[str], name: str) -> None:
    other = others_since(git, own[0].commit, [change.commit for change in own], paths)
    if other is not None:
        raise Refused(
            f"commit {other[0][:10]} ({other[1]}) changed files of plan {name!r} after it",
            "take that back first, or revert the plan's commits by hand ('lao diff' names them); nothing was changed",
        )


def _entry(git: Git, tree: str, path: str) -> Entry | None:
    listed = git.out("ls-tree", "-z", "--full-tree", tree, "--", f":(literal){path}").rstrip("\0")
    if not listed:
        return None
    mode, _, blob = listed.partition("\t")[0].split()
    return mode, blob


def _has(git: Git, file: Path, entry: Entry | None) -> bool:
    """Whether the folder has just this there: then nobody else's work is lost by changing it."""
    if entry is None:
        return not os.path.lexists(file)
    if file.is_symlink():
        there = git.out("hash-object", "--stdin", stdin=os.fsencode(file.readlink()))
        return entry == ("120000", there)
    if not file.is_file():
        return False
    return git.out("hash-object", "--", str(file)) == entry[1]


def _bring(git: Git, commit: str, path: str, entry: Entry | None) -> None:
    file = git.root / path
    if entry is not None:
        git.call("checkout", "-q", commit, "--", f":(literal){path}")
        if not file.is_symlink():
            sync_file(file)
        return
    file.unlink(missing_ok=True)
    for folder in file.parents:
        if folder == git.root or any(folder.iterdir()):
            break
        folder.rmdir()


def _sync(folder: Path, root: Path) -> None:
    while not folder.is_dir() and folder != root:
        folder = folder.parent
    sync_folder(folder)
