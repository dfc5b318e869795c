"""Which commits of a repository are a plan's work, and what they changed; read by their ``LAO-Step`` trailers only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lao.workspace.commits import empty_tree, tip
from lao.workspace.git_calls import Git

_TRAILER: Final = "LAO-Step"
_PLAIN: Final = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-renames")
PLAN_STEP, REVERT_STEP = "plan", "revert"
"""The commit that took the plan in, which may hold all that lay in the folder; and the one that took it back."""

SURVEY_STEP, ANALYST_STEP = "survey", "analyst"
"""The commits of what was found in the folder: LAO's record, no work."""

_NO_WORK: Final = frozenset({PLAN_STEP, REVERT_STEP, SURVEY_STEP, ANALYST_STEP})

OWN_PREFIX: Final = "LAO_"
"""Of the names of files that LAO leaves as a record; they are no work, and stay when a plan is taken back."""


@dataclass(frozen=True)
class Change:
    """A commit of a plan's work.

    Attributes:
        task: None for work that belongs to the plan as a whole.
        paths: files that it changed, LAO's own record left aside; never empty.
    """

    commit: str
    task: int | None
    subject: str
    paths: tuple[str, ...]


def changes_of(git: Git, plan_id: str) -> tuple[Change, ...]:
    """The plan's commits on the present branch, the oldest first; () without commits."""
    if tip(git)[0] is None:
        return ()
    form = f"--format=%H%x00%(trailers:key={_TRAILER},valueonly,separator=%x20)%x00%s"
    listed = git.out("log", "--reverse", "-F", f"--grep={_TRAILER}: {plan_id}/", form)
    found = []
    for line in listed.splitlines():
        commit, step, subject = line.split("\0")
        plan, task, what = (*step.strip().split("/"), "", "", "")[:3]
        if plan != plan_id or what in _NO_WORK:
            continue
        paths = tuple(path for path in paths_of(git, commit) if not path.startswith(OWN_PREFIX))
        if paths:
            found.append(Change(commit, int(task) if task.isdigit() else None, subject, paths))
    return tuple(found)


def paths_of(git: Git, commit: str) -> tuple[str, ...]:
    """Files that a commit changed; of a merge none."""
    names = git.out("diff-tree", "-r", "--root", "--no-commit-id", "--name-only", "-z", "--no-renames", commit)
    return tuple(name for name in names.split("\0") if name)


def parent_of(git: Git, commit: str) -> str:
    """The commit before it; the empty tree for the first one."""
    status, text = git.call("rev-parse", "-q", "--verify", f"{commit}^", ok=(0, 1, 128))
    return text.strip() if status == 0 else empty_tree(commit)


def patch(git: Git, start: str, end: str, paths: Iterable[str], *, stat: bool) -> str:
    """What differs between two trees in these files: the patch, or a line a file with ``stat``."""
    form = ("--stat=100",) if stat else ("-p",)
    return git.call("diff", *_PLAIN, *form, start, end, "--", *(f":(literal){path}" for path in paths))[1]


def others_since(git: Git, first: str, own: Sequence[str], paths: Iterable[str]) -> tuple[str, str] | None:
    """(commit, its subject) of the newest commit from ``first`` on that is not among ``own`` and changes one of the
    paths; None when there is none."""
    spec = [f":(literal){path}" for path in paths]
    span = f"{first}..HEAD"
    for line in git.out("log", "--format=%H%x00%s", span, "--", *spec).splitlines():
        commit, subject = line.split("\0")
        if commit not in own:
            return commit, subject
    return None
