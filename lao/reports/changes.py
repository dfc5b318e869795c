"""What commits changed: lines, files, public names that went. Asks git only to read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lao.core.errors import LaoError
from lao.workspace.git_calls import Git

PATCH_LINES: Final = 20_000
"""A commit with more changed lines is not read for names."""

_PLAIN: Final = ("--no-renames", "--no-color", "--no-ext-diff", "--no-textconv")
_PUBLIC: Final = re.compile(
    r"^(?:async )?(?:def|class) +([A-Za-z]\w*)"
    r"|^export +(?:default +)?(?:async +)?(?:function|class|const|interface|type|enum)\*? +(\w+)"
    r"|^func +(?:\([^)]*\) *)?([A-Z]\w*)|^ *(?:pub|public|open) .*?(\w+) *[({<:=]"
)


@dataclass(frozen=True)
class Change:
    """What one commit changed.

    Attributes:
        added, removed: lines; binary files count none.
        files: paths that it touched.
        lost: public names whose definition it removed or rewrote; None: too large to be read.
    """

    commit: str
    added: int
    removed: int
    files: tuple[str, ...]
    lost: tuple[str, ...] | None


def changes(workspace: Path, commits: Iterable[str]) -> dict[str, Change]:
    """The commits that can be read, by their id; those that are gone, or all without git or folder, are missing."""
    if not (workspace / ".git").exists():
        return {}
    git = Git(workspace)
    found: dict[str, Change] = {}
    for commit in dict.fromkeys(commits):
        try:
            found[commit] = _change(git, commit)
        except LaoError:  # pruned, or the repository is broken: it is reported as not measured
            continue
    return found


def is_there(workspace: Path, commit: str) -> bool:
    """Whether the plan's repository has this commit."""
    if not (workspace / ".git").exists():
        return False
    try:
        return Git(workspace).call("cat-file", "-e", f"{commit}^{{commit}}", ok=(0, 1, 128))[0] == 0
    except LaoError:
        return False


def _change(git: Git, commit: str) -> Change:
    shown = ("show", "--format=", "-m", "--first-parent", *_PLAIN)
    added = removed = 0
    files = []
    for line in git.out(*shown, "--numstat", "-z", commit).split("\0"):
        if line.strip():
            more, less, path = line.lstrip("\n").split("\t", 2)
            added, removed = added + _lines(more), removed + _lines(less)
            files.append(path)
    lost = None
    if added + removed <= PATCH_LINES:
        lost = _lost(git.out(*shown, "-U0", commit))
    return Change(commit, added, removed, tuple(files), lost)


def _lines(count: str) -> int:
    return int(count) if count.isdigit() else 0


def _lost(patch: str) -> tuple[str, ...]:
    """Public definitions in the removed lines, without those whose very line was added again."""
    minus: dict[str, str] = {}
    plus: set[str] = set()
    for line in patch.splitlines():
        if line.startswith("-") and not line.startswith("--- "):
            match = _PUBLIC.match(line[1:])
            if match is not None:
                minus[line[1:].strip()] = next(name for name in match.groups() if name)
        elif line.startswith("+") and not line.startswith("+++ "):
            plus.add(line[1:].strip())
    return tuple(dict.fromkeys(name for text, name in minus.items() if text not in plus))
