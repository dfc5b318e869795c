"""The keyed commit: one step of the journal is one commit, whatever is killed when. Knows no settings and no phases."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lao.core.errors import AttemptFailed, Terminal
from lao.core.words import Json
from lao.durable.files import TEMPORARY_GLOB
from lao.workspace.git_calls import Git
from lao.workspace.lasting import keep_head, keep_named, keep_objects

_EMPTY_TREES: Final = {
    40: "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    64: "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
"""By the length of an object id (SHA-1, SHA-256); git knows them without having them."""
_TRAILER: Final = "LAO-Step"
_MOVES: Final = 3
_ABSENT: Final = "000000"
"""The mode of what is not there."""


@dataclass(frozen=True)
class Commit:
    """Effect: the work folder's state is in one commit that carries ``LAO-Step: step_id``.

    The id follows from parent, tree, message and date alone, so a redo makes the same object, and ``update-ref`` with
    the old value moves the branch once. The result is ``{"commit": id or None}``.

    Attributes:
        message: whole, with its trailers.
        date: seconds since the epoch, of author and committer.
        paths: only these; None means all that git sees but ``left_out``.
        left_out: paths that the user had changed before LAO came.
    """

    git: Git
    message: str
    step_id: str
    date: int
    paths: tuple[str, ...] | None = None
    left_out: tuple[str, ...] = ()

    def prepare(self) -> Json:
        index = self._index
        for stale in (index, self._lock):
            stale.unlink(missing_ok=True)
        parent, parent_tree = tip(self.git)
        self._seed(index, parent)
        self._add(index)
        tree = self.git.out("write-tree", env=self._using(index))
        if tree == parent_tree or (parent is None and tree in _EMPTY_TREES.values()):
            index.unlink(missing_ok=True)
            return {"parent": parent, "tree": None, "step": self.step_id}
        keep_objects(self.git, tree, *([f"^{parent}"] if parent else []))  # the intent names it
        return {"parent": parent, "tree": tree, "step": self.step_id, "message": self.message, "date": self.date}

    def apply(self, intent: Json) -> Json:
        self._lock.unlink(missing_ok=True)  # of a git that was killed, or that a power cut brought back
        wanted = intent
        for _ in range(_MOVES):
            if wanted["tree"] is None:
                return {"commit": None}
            commit = self._write(wanted)
            keep_named(self.git, [commit])
            if self._move(wanted, commit):
                self._settle(commit)
                keep_head(self.git)
                return {"commit": commit}
            # HEAD is elsewhere: this step got there before a crash, or somebody else committed in between.
            if (done := self.probe(intent)) is not None:
                return done
            wanted = self.prepare()
        raise AttemptFailed(
            f"the branch in {str(self.git.root)!r} moved {_MOVES} times while step {self.step_id!r} was committed",
            "do not commit there while LAO works",
            kind="head_moved",
        )

    def probe(self, intent: Json) -> Json | None:
        if intent["tree"] is None:
            return {"commit": None}
        head, _ = tip(self.git)
        if head is None:
            return None
        commit = self._find(intent["parent"], head)
        if commit is None:
            return None
        self._lock.unlink(missing_ok=True)
        if commit == head:
            self._settle(commit)
        else:
            self._catch_up(commit)
        self.git.clear_stale_locks()  # the killed git may have moved the branch and still hold HEAD
        keep_head(self.git)
        return {"commit": commit}

    @property
    def _index(self) -> Path:
        """Named after the step: a redo takes over what the killed run left."""
        return self.git.git_dir / f"lao-index-{hashlib.sha256(self.step_id.encode()).hexdigest()[:16]}"

    @property
    def _lock(self) -> Path:
        """What git writes before the index; LAO's lock keeps others from it."""
        return self._index.with_name(f"{self._index.name}.lock")

    @property
    def _whole(self) -> bool:
        return self.paths is None and not self.left_out

    def _using(self, index: Path) -> dict[str, str]:
        return {"GIT_INDEX_FILE": str(index)}

    def _seed(self, index: Path, parent: str | None) -> None:
        """The real index knows which files are unchanged since they were hashed; its own time keeps that safe."""
        real = self.git.git_dir / "index"
        if real.exists() and (parent is not None or self._whole):
            shutil.copy2(real, index)
        if parent is not None and not (self._whole and index.exists()):
            self.git.out("read-tree", "--reset", parent, env=self._using(index))

    def _add(self, index: Path) -> None:
        if self.paths is not None:
            there = [p for p in self.paths if os.path.lexists(self.git.root / p)]
            gone = [p for p in self.paths if p not in there]
            if there:  # -f: these were named on purpose, an ignore pattern does not count
                self._with_paths(index, ["add", "-A", "-f"], [f":(literal){p}" for p in there])
            if gone:
                self._with_paths(index, ["rm", "-r", "-q", "--cached", "--ignore-unmatch"], gone)
            return
        spec = [".", f":(exclude,glob)**/{TEMPORARY_GLOB}", *(f":(exclude,literal){p}" for p in self.left_out)]
        self._with_paths(index, ["add", "-A"], spec)

    def _with_paths(self, index: Path | None, args: list[str], paths: list[str]) -> None:
        """Paths go over standard input: there may be more than an argument list takes."""
        spec = b"\0".join(os.fsencode(p) for p in paths)
        more = ("--pathspec-from-file=-", "--pathspec-file-nul")
        self.git.call(*args, *more, stdin=spec, env=self._using(index) if index else None)

    def _write(self, intent: Json) -> str:
        date = f"@{intent['date']} +0000"
        parent = ("-p", intent["parent"]) if intent["parent"] else ()
        env = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
        return self.git.out("commit-tree", intent["tree"], *parent, stdin=intent["message"].encode(), env=env)

    def _move(self, intent: Json, commit: str) -> bool:
        """Compare and swap; "" as the old value means that the branch must not exist yet."""
        try:
            self.git.call("update-ref", "-m", f"lao: {self.step_id}", "HEAD", commit, intent["parent"] or "")
        except Terminal:
            if tip(self.git)[0] == intent["parent"]:
                raise
            return False
        return True

    def _settle(self, commit: str) -> None:
        """What follows the move of the branch; done again when a crash came in between."""
        self._refresh_index(commit)

    def _catch_up(self, commit: str) -> None:
        """Another step has moved HEAD on since the kill: what the index still has as before ``commit`` follows HEAD.

        Paths that it has otherwise were staged by the user, or were settled in time; they stay.
        """
        self._index.unlink(missing_ok=True)
        entries = (line.partition("\t") for line in self._records("ls-files", "-s"))
        staged = {path: tuple(entry.split(" ")[:2]) for entry, _, path in entries}
        tree = ("diff-tree", "-r", "--root", "--no-commit-id", "--no-renames", "--no-abbrev")
        changes = self._records(*tree, commit)
        stale = []
        for change, path in zip(changes[::2], changes[1::2], strict=True):
            mode, _, blob, _ = change.lstrip(":").split(" ", 3)
            if staged.get(path, (_ABSENT, "0" * len(commit))) == (mode, blob):
                stale.append(f":(literal){path}")
        if stale:
            self._with_paths(None, ["reset", "-q"], stale)

    def _records(self, command: str, *arguments: str) -> list[str]:
        return self.git.out(command, "-z", *arguments).split("\0")[:-1]

    def _refresh_index(self, commit: str) -> None:
        """The user's index agrees with the new HEAD; what the user had staged of other paths stays."""
        index = self._index
        if not self._whole:
            index.unlink(missing_ok=True)
            if paths := self.paths or self._changed_in(commit):
                self._with_paths(None, ["reset", "-q"], [f":(literal){p}" for p in paths])
        elif index.exists():
            index.replace(self.git.git_dir / "index")
        else:
            self.git.out("read-tree", "--reset", commit)

    def _changed_in(self, commit: str) -> tuple[str, ...]:
        names = self.git.out("diff-tree", "-r", "--root", "--no-commit-id", "--name-only", "-z", commit)
        return tuple(n for n in names.split("\0") if n)

    def _find(self, parent: str | None, head: str) -> str | None:
        span = f"{parent}..{head}" if parent else head
        form = f"--format=%H %(trailers:key={_TRAILER},valueonly,separator=%x20)"
        wanted = " ".join(self.step_id.split())
        for line in self.git.out("log", form, span).splitlines():
            commit, _, step = line.partition(" ")
            if step.strip() == wanted:
                return commit
        return None


def empty_tree(commit: str) -> str:
    """The id of the tree without entries, in the object format of ``commit``."""
    return _EMPTY_TREES[len(commit)]


def tip(git: Git) -> tuple[str | None, str | None]:
    """Ids of HEAD's commit and tree; twice None before the first commit."""
    status, text = git.call("rev-parse", "HEAD", "HEAD^{tree}", ok=(0, 128))
    if status == 0:
        commit, tree = text.split()
        return commit, tree
    git.call("rev-parse", "-q", "--verify", "HEAD", ok=(1,))  # 1: no commit yet; 128: broken
    return None, None
