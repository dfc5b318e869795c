"""``lao doctor``, group Git: the program, who commits, and repositories that somebody has left in the middle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from lao.cli.doctor.rows import Check
from lao.cli.doctor.scene import Scene
from lao.core.errors import LaoError

if TYPE_CHECKING:
    from lao.workspace.git_calls import Git

IDENTITY: Final = '`git config --global user.name "Your Name" && git config --global user.email "you@example.org"`'

_UNDERWAY: Final = {
    "MERGE_HEAD": ("a merge", "merge --abort"),
    "rebase-merge": ("a rebase", "rebase --abort"),
    "rebase-apply": ("a rebase", "rebase --abort"),
    "CHERRY_PICK_HEAD": ("a cherry-pick", "cherry-pick --abort"),
    "REVERT_HEAD": ("a revert", "revert --abort"),
}
_FOLDERS: Final = 20


def examine(scene: Scene) -> list[Check]:
    """The rows ``program``, ``identity`` and ``repository``."""
    from lao.workspace.git_calls import Git

    if not scene.settings.git.enabled:
        return [Check("program", "skipped", "git.enabled is false: no task is committed")]
    git = Git(scene.settings.paths.root)
    try:
        version = git.out("version")
    except LaoError as error:
        return [Check("program", "fail", error.message, "install git (Debian: `sudo apt-get install git`)")]
    return [Check("program", "ok", version), _identity(git), _repositories(scene)]


def _identity(git: Git) -> Check:
    status, told = git.call("var", "GIT_AUTHOR_IDENT", ok=(0, 128))
    if status:
        return Check("identity", "fail", "git does not know who commits: no user.name or user.email", IDENTITY)
    return Check("identity", "ok", f"commits are by {told.rpartition('>')[0]}>")


def _repositories(scene: Scene) -> Check:
    seen = scene.lookover()
    folders = [scene.settings.paths.root, *(seen.workspaces if seen else ())]
    own = [folder for folder in dict.fromkeys(folders) if (folder / ".git").exists()][:_FOLDERS]
    for folder in own:
        found = _state(folder)
        if found is not None:
            return found
    return Check("repository", "ok", f"{len(own)} repositories, none in the middle of something")


def _state(folder: Path) -> Check | None:
    """What is wrong with one repository, None for nothing."""
    from lao.workspace.git_calls import Git

    git = Git(folder)
    try:
        git.call("rev-parse", "--git-dir")
        inner = git.git_dir
        for name, (what, end) in _UNDERWAY.items():
            if (inner / name).exists():
                return Check("repository", "warn", f"{what} is under way in {folder}", f"`git -C '{folder}' {end}`")
        if (inner / "index.lock").exists():
            lock = inner / "index.lock"
            return Check("repository", "warn", f"{lock}: a git is at work, or one was killed", f"`rm '{lock}'`")
    except (LaoError, OSError) as error:
        text = f"{folder}: {getattr(error, 'message', error)}"
        return Check("repository", "fail", text, getattr(error, "hint", "") or f"`git -C '{folder}' status`")
    return None
