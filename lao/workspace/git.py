"""A plan's repository: made if there is none, left as it is if there is one, committed to step by step."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lao.config.settings import GitSettings
from lao.core.errors import BadInput, Refused, Transient
from lao.core.folders import make_folders, sync_folder, sync_tree
from lao.core.steps import Steps
from lao.core.words import Json
from lao.durable.files import clean_temporaries, sha256_of, write_atomic
from lao.durable.owners import FileLock
from lao.workspace import checkpoints
from lao.workspace.commits import Commit, empty_tree, tip
from lao.workspace.desks import Desk
from lao.workspace.git_calls import Git, no_identity
from lao.workspace.landing import Landing, take_back
from lao.workspace.lines import LineCommit
from lao.workspace.old_texts import texts_at
from lao.workspace.snapshots import clean_snapshots, snapshot_of
from lao.workspace.traces import REVIEW_FILE, commit_message

_IGNORED: Final = """\
__pycache__/
*.pyc
.venv/
venv/
node_modules/
.pytest_cache/
.mypy_cache/
.ruff_cache/
.coverage
.env
*.egg-info/
.DS_Store
"""
_LOCK_WAIT_S: Final = 60.0
Dirty = tuple[tuple[str, "str | None"], ...]


@dataclass(frozen=True)
class Opened:
    """What a desk was laid out from.

    Attributes:
        head: HEAD of the plan's repository then.
        commit, tree: the checkpoint of its folder.
        found: what the user has changed there since the plan began, and has not committed.
    """

    head: str | None
    commit: str
    tree: str
    found: tuple[str, ...]


class Repository:
    """Git in one plan folder.

    Args:
        state_dir: LAO's own folder, where snapshots are made.
        marker: put on git's processes (``lao.durable.processes``).
        baseline_dirty: what ``dirty_paths`` said before LAO came; as long as such a path has the same content it is
            left out of commits.
    """

    def __init__(
        self, root: Path, *, settings: GitSettings, state_dir: Path, marker: str = "", baseline_dirty: Dirty = ()
    ) -> None:
        self.root = root
        self._settings = settings
        self._state_dir = state_dir
        self._baseline = baseline_dirty
        self._marker = marker
        self._git = Git(root, marker)
        self._held = False

    def available(self) -> None:
        """Check that git is there and knows its user.

        Raises:
            BadInput: with what to install or to configure.
        """
        status, _ = self._git.call("var", "GIT_AUTHOR_IDENT", ok=(0, 128))
        if status:
            raise no_identity()

    def ensure(self) -> bool:
        """Make the folder a repository if it is none; True when it was made now.

        An existing ``.git`` is never initialised again, unless a killed ``git init`` left it unfinished.

        Raises:
            BadInput: no git, no identity, or the ``.git`` there is broken.
        """
        make_folders(self.root)
        sync_folder(self.root.parent)  # a killed LAO may have made it
        clean_temporaries(self.root)
        if self._is_made():
            self.available()
            self._git.call("rev-parse", "--git-dir")
            return False
        if (self.root / ".git").is_file():
            raise BadInput(f"{str(self.root / '.git')!r} points nowhere", "repair it, or run with --no-git")
        if not (self.root / ".gitignore").exists():  # first: after a kill in between, the rest is still to do
            write_atomic(self.root / ".gitignore", _IGNORED)
        self._initialise()
        self.available()
        return True

    def _initialise(self) -> None:
        """``git init``; aside and synced first, so that a power cut leaves a whole repository or none."""
        if (self.root / ".git").exists():
            self._git.call("init", "-q", "-b", "main", str(self.root))
            sync_tree(self.root / ".git")
            return
        place = self.root / f".lao-{os.getpid()}-{secrets.token_hex(6)}.tmp"
        try:
            self._git.call("init", "-q", "-b", "main", str(place))
            sync_tree(place / ".git")
            (place / ".git").rename(self.root / ".git")
            sync_folder(self.root)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def _is_made(self) -> bool:
        """git init makes ``objects`` last."""
        folder = self._git.git_dir
        return (self.root / ".git").exists() and (
            (folder / "commondir").exists() or ((folder / "HEAD").exists() and (folder / "objects").exists())
        )

    def head(self) -> str | None:
        """Id of the commit in place, None before the first."""
        return tip(self._git)[0]

    def commit_step(
        self,
        steps: Steps,
        label: str,
        *,
        message: str,
        step_id: str,
        date: int,
        body: str = "",
        trailers: Mapping[str, str] | None = None,
        paths: tuple[str, ...] | None = None,
        line: tuple[str, str] | None = None,
    ) -> str | None:
        """Commit the work folder as one journal step; the commit's id, or None when there was nothing to commit.

        Args:
            message: the subject, cut at 72 characters.
            step_id: unique for ever; the commit carries it as ``LAO-Step``, and there is exactly one such commit.
            date: seconds since the epoch, the same on a redo.
            trailers: added when ``git.commit_trailers`` is on.
            paths: commit only these, also when ignored, and leave everything else of the folder alone.
            line: instead, append to a file: (path, the line with its end). See ``lines.LineCommit``.

        Raises:
            AttemptFailed: the branch is moved by others all the time.
            Transient: another process of LAO or git is busy there; the disk is full.
        """
        extra = dict(trailers or {}) if self._settings.commit_trailers else {}
        text = commit_message(message, body, {**extra, "LAO-Step": step_id})
        with self.exclusive():
            left_out = self._still_dirty() if paths is None and line is None else ()
            effect = (
                Commit(self._git, text, step_id, date, paths, left_out)
                if line is None
                else LineCommit(self._git, text, step_id, date, (line[0],), line=line[1])
            )
            commit: str | None = steps.effect(label, effect)["commit"]
            return commit

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep others of LAO out of the folder and its branch for a block; a call inside of another one is part of it.

        Raises:
            Transient: another one has it for longer than a minute.
        """
        if self._held:
            yield
            return
        lock = FileLock(self._git.git_dir / "lao.lock", f"the repository {str(self.root)!r}")
        try:
            lock.acquire(_LOCK_WAIT_S)
        except Refused as exc:
            raise Transient(exc.message, exc.hint) from exc
        self._held = True
        try:
            checkpoints.clean_indexes(self._git)
            yield
        finally:
            self._held = False
            lock.release()

    def _still_dirty(self) -> tuple[str, ...]:
        return tuple(path for path, digest in self._baseline if sha256_of(self.root / path) == digest)

    def dirty_paths(self) -> Dirty:
        """Paths that differ from HEAD or are new, with the hash of their content (None: deleted)."""
        text = self._git.call("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")[1]
        paths = [entry[3:] for entry in text.split("\0") if entry]
        return tuple((p, sha256_of(self.root / p)) for p in paths)

    def diff(self, start: str | None, end: str, limit: int = 60_000, paths: tuple[str, ...] = ()) -> str:
        """The patch from ``start`` (None: nothing at all) to ``end``, at most ``limit`` characters and a note.

        Args:
            paths: only these; () means all.
        """
        args = (
            "diff",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            "--no-renames",
            start or empty_tree(end),
            end,
            *(("--", *paths) if paths else ()),
        )
        text = self._git.call(*args)[1]
        if len(text) <= limit:
            return text
        kept = text[:limit]
        return f"{kept[: kept.rfind(chr(10)) + 1]}[… {len(text) - limit} more characters of the diff]\n"

    def changed_files(self, start: str | None, end: str) -> tuple[str, ...]:
        """Paths that differ between two commits, also deleted ones, sorted."""
        text = self._git.out("diff", "--name-only", "-z", "--no-renames", start or empty_tree(end), end)
        return tuple(sorted(name for name in text.split("\0") if name))

    def texts_at(self, commit: str, paths: Collection[str]) -> dict[str, str]:
        """Text by path as ``commit`` has them; see ``old_texts``."""
        return texts_at(self._git, commit, paths)

    def snapshot(self, commit: str) -> AbstractContextManager[Path]:
        """A folder with exactly that commit, gone at the end; see ``snapshots``."""
        return snapshot_of(self._git, commit, self._state_dir / "snapshots")

    def checkpoint(self) -> tuple[str, str]:
        """(commit, tree) with exactly what is in the folder now, on no branch; see ``checkpoints.save``."""
        return checkpoints.save(self._git)

    def restore(self, checkpoint: str) -> tuple[str, ...]:
        """Bring the folder back to a checkpoint; the paths that were changed for it."""
        return checkpoints.restore(self._git, checkpoint)

    def forget_checkpoints(self, tasks: Collection[int]) -> int:
        """Remove the names of what the attempts of these tasks began with; see ``checkpoints.forget``."""
        return checkpoints.forget(self._git, tasks)

    def desk(self, run: int) -> Desk:
        """The folder for one attempt's work, which may or may not be there."""
        return Desk(self._state_dir / "desks", run, self.root.name)

    def open_desk(self, run: int, task: int, landing: Callable[[], Iterable[str]]) -> Opened:
        """Lay out a desk with what is in the folder now, and let ``refs/lao/task-N`` name that.

        Args:
            landing: gives the paths that others were about to land; what is there of them is not the user's.
        """
        with self.exclusive():
            head = self.head()
            commit, tree = self.checkpoint()
            checkpoints.name(self._git, task, commit)
            others = {*self._still_dirty(), *landing()}
            found = tuple(path for path in self.changed_files(head, commit) if path not in others)
        self.desk(run).lay_out(self._git, commit)
        return Opened(head, commit, tree, found)

    def lay_again(self, run: int, candidate: str) -> None:
        """Lay out a desk with what is about to land, or has landed."""
        self.desk(run).lay_out(self._git, candidate)

    def at_desk(self, run: int) -> Repository:
        """The desk's own small repository."""
        return Repository(self.desk(run).root, settings=self._settings, state_dir=self._state_dir, marker=self._marker)

    def land(self, steps: Steps, label: str, *, run: int, base: str, candidate: str) -> tuple[str, ...]:
        """Bring what differs between two commits of a desk into this folder, as one journal step; the paths.

        Raises:
            AttemptFailed: kind "merge_conflict"; nothing is changed.
        """
        landing = Landing(self._git, Git(self.desk(run).root, self._marker), base, candidate)
        return tuple(steps.effect(label, landing)["changed"])

    def take_back(self, landing: Mapping[str, Json]) -> tuple[str, ...]:
        """Undo a landing of which no commit was made, by its intent; see ``landing.take_back``."""
        return take_back(self._git, landing)

    def settle(self, commit: Mapping[str, Json]) -> bool:
        """Whether the commit of an interrupted step was made, by its intent; index and folder then agree with it."""
        of_lines = commit["step"].rsplit("/", 2)[1] == "reviewer"
        kind = LineCommit if of_lines else Commit
        effect = kind(self._git, "", commit["step"], 0, (REVIEW_FILE,) if of_lines else ())
        found = effect.probe(dict(commit))
        return found is not None and found["commit"] is not None

    def hand_over(self, run: int) -> list[str]:
        """See ``Desk.hand_over``."""
        with self.exclusive():
            return list(self.desk(run).hand_over(self._git, self._marker))

    def tree(self, commit: str) -> str:
        """The id of the commit's tree."""
        return checkpoints.tree_of(self._git, commit)

    def clean_snapshots(self) -> int:
        """Remove what dead workers left; returns how many."""
        return clean_snapshots(self._state_dir / "snapshots")

    def tree_without(self, commit: str, paths: Collection[str]) -> str:
        """A SHA-256 of the commit's files (mode, content, path) without ``paths``: equal ids are equal folders but for
        these. 64 hex digits."""
        entries = self._git.out("ls-tree", "-r", "-z", "--full-tree", commit).split("\0")
        kept = [entry for entry in entries if entry and entry.partition("\t")[2] not in paths]
        return hashlib.sha256(os.fsencode("\0".join(kept))).hexdigest()
