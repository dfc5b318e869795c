"""The landing: what an attempt changed at its desk, brought into the plan's folder, which has moved on meanwhile.

A three-way merge of whole trees: what nobody else changed is taken as it is, text that others changed in other lines is
merged, and anything else is a conflict, with which nothing is changed.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lao.core.errors import AttemptFailed
from lao.core.words import Json
from lao.workspace.checkpoints import folder_tree, replace, temporary_index
from lao.workspace.commits import tip
from lao.workspace.git_calls import Git
from lao.workspace.lasting import keep_objects

_REGULAR: Final = frozenset({"100644", "100755"})
_SIDES: Final = ("base", "ours", "theirs")

Entry = tuple[str, str]
"""(mode, blob)"""


@dataclass(frozen=True)
class Landing:
    """Effect: the plan's folder has what differs between two commits. The result is ``{"changed": paths}``.

    After a power cut each file is the old or the new one, and the new one when the result was recorded.

    Done twice it is done once: what is there already merges with itself. The caller keeps others from the folder
    meanwhile and commits the paths.

    Attributes:
        live: the plan's repository; it has ``base``.
        desk: the repository that has ``candidate`` too.
    """

    live: Git
    desk: Git
    base: str
    candidate: str

    def prepare(self) -> Json:
        self._import()
        listed = self.live.out("diff-tree", "-r", "--no-renames", "--name-only", "-z", self.base, self.candidate)
        return {"base": self.base, "candidate": self.candidate, "changed": sorted(p for p in listed.split("\0") if p)}

    def apply(self, intent: Json) -> Json:
        if intent["changed"]:
            ours = folder_tree(self.live)
            replace(self.live, merged_tree(self.live, intent["base"], ours, intent["candidate"]))
        return {"changed": intent["changed"]}

    def probe(self, intent: Json) -> Json | None:  # noqa: ARG002  # the Protocol's name
        return None

    def _import(self) -> None:
        """Copy the candidate's objects, so that the desk may go."""
        names = self.desk.out("rev-list", "--objects", "--no-object-names", self.candidate, f"^{self.base}")
        if names:
            pack = self.desk.raw("pack-objects", "-q", "--stdout", stdin=f"{names}\n".encode())
            self.live.call("unpack-objects", "-q", stdin=pack)
        head, _ = tip(self.live)
        keep_objects(self.live, self.candidate, *([f"^{head}"] if head else []))  # the intent names it


def take_back(live: Git, intent: Mapping[str, Json]) -> tuple[str, ...]:
    """Undo a landing that was not committed, also one that was only begun; what others changed meanwhile stays.

    Returns the paths that were changed for it.

    Raises:
        AttemptFailed: kind "merge_conflict": somebody changed the same lines; nothing is changed.
    """
    if not intent["changed"]:
        return ()
    return replace(live, merged_tree(live, intent["candidate"], folder_tree(live), intent["base"]))


def merged_tree(git: Git, base: str, ours: str, theirs: str) -> str:
    """The tree with the changes from ``base`` to ``theirs`` made in ``ours``.

    Raises:
        AttemptFailed: kind "merge_conflict", with the first paths.
    """
    index = temporary_index(git)
    env = {"GIT_INDEX_FILE": str(index)}
    try:
        git.out("read-tree", "-i", "-m", "--aggressive", base, ours, theirs, env=env)
        conflicts = [path for path, sides in _unmerged(git, env).items() if not _merge(git, env, path, sides)]
        if conflicts:
            raise AttemptFailed(
                f"another task changed the same lines of {', '.join(conflicts[:3])}",
                "this task is done again on what is there now",
                kind="merge_conflict",
            )
        return git.out("write-tree", env=env)
    finally:
        index.unlink(missing_ok=True)
        index.with_name(index.name + ".lock").unlink(missing_ok=True)


def _unmerged(git: Git, env: Mapping[str, str]) -> dict[str, dict[str, Entry]]:
    """Of each path that both sides changed: what each of the three has there."""
    found: dict[str, dict[str, Entry]] = {}
    for record in git.out("ls-files", "-u", "-z", env=env).split("\0"):
        if record:
            told, _, path = record.partition("\t")
            mode, blob, stage = told.split()
            found.setdefault(path, {})[_SIDES[int(stage) - 1]] = (mode, blob)
    return found


def _merge(git: Git, env: Mapping[str, str], path: str, sides: dict[str, Entry]) -> bool:
    """Merge the text of one path into the index; False for a conflict."""
    ours, theirs, base = sides.get("ours"), sides.get("theirs"), sides.get("base")
    if ours is None or theirs is None or {ours[0], theirs[0]} - _REGULAR:
        return False
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / side for side in _SIDES]
        for file, side in zip(files, (base, ours, theirs), strict=True):
            file.write_bytes(git.raw("cat-file", "blob", side[1]) if side else b"")
        before, mine, other = (str(file) for file in files)
        conflicts, _ = git.call("merge-file", "-q", mine, before, other, ok=range(256))
        if conflicts:  # or no text
            return False
        blob = git.out("hash-object", "-w", "--no-filters", mine)
    mode = theirs[0] if base is None or ours[0] == base[0] else ours[0]
    git.call("update-index", "-z", "--index-info", stdin=os.fsencode(f"{mode} {blob}\t{path}\0"), env=env)
    return True
