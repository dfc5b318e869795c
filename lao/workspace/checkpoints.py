"""Checkpoints of a work folder: its exact state as a commit that no branch shows, and the way back to it.

The user's index and branch are never touched; what git ignores belongs to no checkpoint.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Final

from lao.core.errors import BadInput
from lao.core.folders import make_folders, sync_file, sync_folder
from lao.durable.files import TEMPORARY_GLOB, pid_exists
from lao.workspace.commits import tip
from lao.workspace.git_calls import Git

_INDEX: Final = "lao-checkpoint-"
_REFS: Final = "refs/lao/task-"
_IDENTITY: Final = {
    "GIT_AUTHOR_NAME": "LAO",
    "GIT_AUTHOR_EMAIL": "lao@localhost",
    "GIT_COMMITTER_NAME": "LAO",
    "GIT_COMMITTER_EMAIL": "lao@localhost",
    "GIT_AUTHOR_DATE": "@0 +0000",
    "GIT_COMMITTER_DATE": "@0 +0000",
}


def save(git: Git) -> tuple[str, str]:
    """(commit, tree) with exactly what is in the folder now; HEAD's own when nothing differs from it."""
    head, tree = tip(git)
    now = folder_tree(git)
    commit = head if head is not None and now == tree else _commit(git, now, head)
    assert commit is not None, "a folder has a tree"
    return commit, now


def name(git: Git, task: int, commit: str) -> None:
    """Let ``refs/lao/task-N`` say what the task's latest attempt began with: nothing is pruned then, and a person can
    compare with it or go back to it."""
    git.call("update-ref", f"{_REFS}{task}", commit)


def forget(git: Git, tasks: Collection[int]) -> int:
    """Remove the names of these tasks; returns how many there were."""
    wanted = {f"{_REFS}{task}" for task in tasks}
    there = [ref for ref in git.out("for-each-ref", "--format=%(refname)", "refs/lao/").split() if ref in wanted]
    git.call("update-ref", "--stdin", stdin="".join(f"delete {ref}\n" for ref in there).encode())
    git.clear_stale_locks()  # of an interrupted try, which may have removed them all
    refs = git.common_dir / "refs"
    for folder in (refs / "lao", refs):  # a power cut must not bring them back once the step is done
        if folder.is_dir():
            sync_folder(folder)
    return len(there)


def tree_of(git: Git, commit: str) -> str:
    """The id of the commit's tree: equal trees are equal folders."""
    return git.out("rev-parse", f"{commit}^{{tree}}")


def restore(git: Git, commit: str) -> tuple[str, ...]:
    """Bring the folder to a checkpoint or tree; the paths that were changed or removed for it. Safe to repeat."""
    gone, back = _differing(git, commit)
    for path in gone:  # first: a folder may have to make room for a file of its name
        _remove(git, path)
    if back:
        _check_out(git, commit, back)
    return tuple(sorted((*gone, *back)))


def replace(git: Git, commit: str) -> tuple[str, ...]:
    """As ``restore``, and so that it lasts: a power cut meanwhile leaves each file old or new, never half."""
    gone, back = _differing(git, commit)
    for path in gone:
        _remove(git, path)
    place = git.git_dir / f"{_INDEX}{os.getpid()}-{secrets.token_hex(4)}.files"
    try:
        if back:
            place.mkdir()
            _check_out(git, commit, back, f"--prefix={place}/")
        for path in back:
            _put(place / path, git.root / path)
        for folder in sorted({_nearest((git.root / path).parent) for path in (*gone, *back)}):
            sync_folder(folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return tuple(sorted((*gone, *back)))


def _nearest(folder: Path) -> Path:
    """The folder, or the one above it that is still there."""
    while not folder.is_dir():
        folder = folder.parent
    return folder


def _put(new: Path, target: Path) -> None:
    """Move a file that was just made to its place, synced before; a folder that is in its way goes, as with git."""
    if not new.is_symlink():
        sync_file(new)
    make_folders(target.parent)
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    new.replace(target)


def _differing(git: Git, commit: str) -> tuple[list[str], list[str]]:
    """Paths that are in the folder and not in the commit, and those that the commit has and the folder has not so."""
    listed = git.out("diff-tree", "-r", "--no-renames", "--name-status", "-z", folder_tree(git), commit).split("\0")
    pairs = list(zip(listed[1::2], listed[0::2], strict=False))
    return [path for path, status in pairs if status == "D"], [path for path, status in pairs if status != "D"]


def _check_out(git: Git, commit: str, paths: list[str], *where: str) -> None:
    index = temporary_index(git)
    env = {"GIT_INDEX_FILE": str(index)}
    try:
        git.out("read-tree", commit, env=env)
        names = b"\0".join(os.fsencode(p) for p in paths)
        git.call("checkout-index", "-f", "-z", *where, "--stdin", stdin=names, env=env)
    finally:
        index.unlink(missing_ok=True)


def folder_tree(git: Git) -> str:
    """The tree of what is in the folder, without what git ignores."""
    index = temporary_index(git)
    env = {"GIT_INDEX_FILE": str(index)}
    try:
        real = git.git_dir / "index"
        if real.exists():  # it knows which files are unchanged since they were hashed; its own time keeps that safe
            shutil.copy2(real, index)
        spec = b"\0".join([b".", f":(exclude,glob)**/{TEMPORARY_GLOB}".encode()])
        git.call("add", "-A", "--pathspec-from-file=-", "--pathspec-file-nul", stdin=spec, env=env)
        return git.out("write-tree", env=env)
    finally:
        index.unlink(missing_ok=True)
        index.with_name(index.name + ".lock").unlink(missing_ok=True)


def _commit(git: Git, tree: str, parent: str | None) -> str:
    after = ("-p", parent) if parent else ()
    return git.out("commit-tree", tree, *after, stdin=b"LAO checkpoint\n", env=_IDENTITY)


def temporary_index(git: Git) -> Path:
    """A path for an index of one's own; the caller removes it."""
    return git.git_dir / f"{_INDEX}{os.getpid()}-{secrets.token_hex(4)}"


def clean_indexes(git: Git) -> None:
    """Remove the indexes, with their locks, and the files of processes that were killed."""
    for file in git.git_dir.glob(f"{_INDEX}*"):
        pid = file.name.removeprefix(_INDEX).partition("-")[0]
        if not (pid.isdigit() and pid_exists(int(pid))):
            if file.is_dir():
                shutil.rmtree(file, ignore_errors=True)
            else:
                file.unlink(missing_ok=True)


def _remove(git: Git, path: str) -> None:
    target = git.root / path
    if target.is_dir() and not target.is_symlink():
        raise BadInput(f"{path!r} is a folder now and was a file", "look at what the coder left there")
    target.unlink(missing_ok=True)
    for folder in target.parents:
        if folder == git.root:
            break
        try:
            folder.rmdir()
        except OSError:
            break
