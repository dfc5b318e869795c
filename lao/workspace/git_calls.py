"""One git command: fixed arguments, no prompts, no hooks, durable objects, errors in LAO's words."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from lao.core.errors import BadInput, DiskFull, LaoError, Terminal, Transient
from lao.durable import limits, space
from lao.durable.processes import child_environment

# Each -c is there so that no setting of the user can prompt, run code, start a daemon or skip an fsync.
_FIXED: Final = tuple(
    part
    for setting in (
        "core.fsync=all", "gc.auto=0", "maintenance.auto=false", "commit.gpgsign=false", "core.hooksPath=/dev/null",
        "core.fsmonitor=false", "core.safecrlf=false", "core.quotePath=false", "advice.addEmbeddedRepo=false",
        "i18n.commitEncoding=UTF-8", "log.showSignature=false", "user.useConfigOnly=true",
    )
    for part in ("-c", setting)
)  # fmt: skip
_TIMEOUT_S: Final = 300
_NO_SPACE: Final = ("No space left", "Disk quota", "Out of diskspace")
_NOT_WRITTEN: Final = ("couldn't write '", "unable to write ")
"""The first of a reference, the second of an index or object; git gives no reason then."""


class Git:
    """Calls git for one work folder and its own ``.git``; never finds the repository of a folder above.

    Args:
        marker: put on the git processes, so that a sweep finds those of a dead worker.
    """

    def __init__(self, root: Path, marker: str = "") -> None:
        self.root = root
        self._marker = marker

    @property
    def git_dir(self) -> Path:
        """The real git folder; ``.git`` may be a file that names it (linked work tree, submodule)."""
        entry = self.root / ".git"
        if entry.is_file():
            text = entry.read_text(encoding="utf-8", errors="replace")
            return Path(os.path.normpath(self.root / text.removeprefix("gitdir:").strip()))
        return entry

    @property
    def common_dir(self) -> Path:
        """Where objects and branches are; a linked work tree keeps them in the main repository."""
        folder = Path(os.path.realpath(self.git_dir))
        link = folder / "commondir"
        return Path(os.path.normpath(folder / link.read_text(encoding="utf-8").strip())) if link.exists() else folder

    def call(
        self, *args: str, stdin: bytes = b"", env: Mapping[str, str] | None = None, ok: Iterable[int] = (0,)
    ) -> tuple[int, str]:
        """Exit status and standard output.

        Args:
            ok: exit statuses that are answers, not failures.

        Raises:
            BadInput: no git, no permission, not a repository.
            Transient, DiskFull: git was killed, somebody holds a lock, no space.
            LaoError: the disk failed.
            Terminal: git says anything else.
        """
        done = self._done(args, stdin, env, ok)
        return done.returncode, os.fsdecode(done.stdout)

    def out(self, *args: str, stdin: bytes = b"", env: Mapping[str, str] | None = None) -> str:
        """Standard output without the last line end; see ``call``."""
        return self.call(*args, stdin=stdin, env=env)[1].rstrip("\n")

    def raw(self, *args: str, stdin: bytes = b"") -> bytes:
        """Standard output as it came; see ``call``."""
        return self._done(args, stdin, None, (0,)).stdout

    def _done(
        self, args: tuple[str, ...], stdin: bytes, env: Mapping[str, str] | None, ok: Iterable[int]
    ) -> subprocess.CompletedProcess[bytes]:
        done = self._run(args, stdin, env)
        if done.returncode not in ok and _is_locked(done.stderr) and self.clear_stale_locks():
            done = self._run(args, stdin, env)
        if done.returncode not in ok:
            raise self._failure(args, done)
        return done

    def _run(
        self, args: tuple[str, ...], stdin: bytes, env: Mapping[str, str] | None
    ) -> subprocess.CompletedProcess[bytes]:
        place = [f"--git-dir={self.root / '.git'}", f"--work-tree={self.root}"] if (self.root / ".git").exists() else []
        try:
            return subprocess.run(
                ["git", *_FIXED, *place, *args],
                cwd=self.root,
                env={**child_environment(self._marker), "LC_ALL": "C", **(env or {})},
                input=stdin,
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except FileNotFoundError as exc:
            if not self.root.is_dir():
                raise BadInput(f"there is no folder {str(self.root)!r}", "create it or rename the plan") from exc
            raise no_git() from exc
        except PermissionError as exc:
            raise no_git() from exc
        except subprocess.TimeoutExpired as exc:
            raise Transient(f"git {args[0]} in {str(self.root)!r} took more than {_TIMEOUT_S} s") from exc

    def _failure(self, args: tuple[str, ...], done: subprocess.CompletedProcess[bytes]) -> LaoError:
        said = os.fsdecode(done.stderr).strip()[-1_000:] or f"exit status {done.returncode}"
        what = f"git {args[0]} failed in {str(self.root)!r}: {said}"
        if any(words in said for words in _NO_SPACE) or space.is_full(self.root):
            return DiskFull(what, "free some space; LAO goes on by itself")
        if "Input/output error" in said:
            return LaoError(what, "look after the disk; the phase is tried again")
        if short := limits.said(f"git {args[0]} in {str(self.root)!r}", done.returncode, said):
            return short
        if _is_locked(done.stderr):
            return Transient(what, "another git command is running there")
        if "Permission denied" in said or "insufficient permission" in said or "Read-only file system" in said:
            return BadInput(what, "LAO must be able to write in the plan's folder")
        if "not a git repository" in said:
            return BadInput(what, "repair or remove the .git there, or run with --no-git")
        if "tell me who you are" in said or "no email was given" in said or "no name was given" in said:
            return no_identity()
        if any(words in said for words in _NOT_WRITTEN):
            return LaoError(what, "look after the disk; the phase is tried again")
        return Terminal(what, "look at the repository with git status and git fsck")

    def clear_stale_locks(self) -> bool:
        """Remove lock files of gits that were killed; False when a live git works in this folder."""
        locks = self._locks()
        if locks and self._git_is_running():
            return False
        for lock in locks:
            lock.unlink(missing_ok=True)
        return True

    def _locks(self) -> list[Path]:
        folder = self.git_dir
        head = (folder / "HEAD").read_text(encoding="utf-8", errors="replace").strip()
        branch = self.common_dir / f"{head.removeprefix('ref: ')}.lock"  # of a linked work tree it is elsewhere
        found = {*folder.glob("*.lock"), *(folder / "refs").rglob("*.lock"), *([branch] if branch.exists() else [])}
        return [lock for lock in found if lock.name != "lao.lock"]

    def _git_is_running(self) -> bool:
        import psutil

        root = os.path.realpath(self.root)
        for process in psutil.process_iter(["name"]):
            try:
                if process.info["name"] == "git" and (process.cwd() + os.sep).startswith(root + os.sep):
                    return True
            except (psutil.Error, OSError):
                continue
        return False


def _is_locked(stderr: bytes) -> bool:
    return b".lock': File exists" in stderr


def no_git() -> BadInput:
    """The message for a machine without git."""
    return BadInput("git is not on PATH", "install git, or run with --no-git (git.enabled: false in factory.yaml)")


def no_identity() -> BadInput:
    """The message for a git that does not know its user."""
    return BadInput(
        "git does not know who you are, so LAO cannot commit",
        'run: git config --global user.name "Your Name"; git config --global user.email "you@example.org"',
    )
