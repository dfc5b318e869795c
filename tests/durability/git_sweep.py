"""Single git processes are killed, or fail with an I/O error, at single system calls, then the checker. Needs strace.

usage: python -m tests.durability.git_sweep [--every N] [--seed S] [--all | --errors | --locks] [--seconds T]
A run of two tasks is recorded; every write-class call of every git process is a point. The worker lives on and has to
cope; with --all it is killed with its git. With --locks a lock file that a dead git has left is there instead.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.durability.call_sweep import sweep_and_tell, sweeper
from tests.durability.nursery import Ended, can_attach
from tests.durability.stages import PLAN, Stage

KILLED_AT = (
    "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "unlink", "unlinkat", "rename", "renameat", "renameat2",
    "link", "linkat", "mkdir", "mkdirat", "rmdir",
)  # fmt: skip
FAILING = ("fsync", "fdatasync")
LOCKS = ("index.lock", "HEAD.lock", "refs/heads/main.lock")
"""Those that a git of LAO may leave."""

GIT = """#!/bin/sh
n=0
[ -e "$LAB_GIT/count" ] && read n <"$LAB_GIT/count"
n=$((n+1))
echo $n >"$LAB_GIT/count"
if [ "$LAB_LOG" ]; then
  exec strace -f --seccomp-bpf -qq -o "$LAB_LOG/$n" -e trace="$LAB_CALLS" "$LAB_REAL" "$@"
fi
[ "$n" = "$LAB_NTH" ] || exec "$LAB_REAL" "$@"
if [ "$LAB_ALL" ]; then
  strace -f -qq -o "$LAB_GIT/struck" -e trace="$LAB_CALLS" -e inject="$LAB_FAULT" "$LAB_REAL" "$@"
  code=$?
  [ $code = 137 ] && kill -9 $LAB_WORKER
  exit $code
fi
exec strace -f -qq -o "$LAB_GIT/struck" -e trace="$LAB_CALLS" -e inject="$LAB_FAULT" "$LAB_REAL" "$@"
"""
"""Stands before the real git on PATH; LAB_GIT is a folder for its count, LAB_LOG one for recordings."""

_CALL = re.compile(r"^\d+ +(\w+)\((.*)")


@dataclass(frozen=True)
class GitPoint:
    """The ``nth`` call of a name in the stage's ``git``-th git process, and what it did."""

    stage: int
    git: int
    call: str
    nth: int
    what: str


@dataclass(frozen=True)
class GitFault:
    """Strikes a git process at a call: the call does not run.

    Attributes:
        place: a folder for the wrapper and what it notes.
        fault: what strace injects: ``signal=SIGKILL`` or ``error=EIO``.
        all: the worker is killed with its git.
    """

    place: Path
    calls: tuple[str, ...] = KILLED_AT
    fault: str = "signal=SIGKILL"
    all: bool = False

    def __post_init__(self) -> None:
        wrapper = self.place / "bin" / "git"
        wrapper.parent.mkdir(parents=True, exist_ok=True)
        wrapper.write_text(GIT)
        wrapper.chmod(0o755)

    def _environment(self, **more: str) -> dict[str, str]:
        real = shutil.which("git")
        assert real is not None, "git is not installed"
        path = f"{self.place / 'bin'}{os.pathsep}{os.environ['PATH']}"
        nothing = dict.fromkeys(("LAB_LOG", "LAB_ALL", "LAB_NTH"), "")
        (self.place / "count").unlink(missing_ok=True)
        return {"PATH": path, "LAB_GIT": str(self.place), "LAB_REAL": real, **nothing, **more}

    def recording(self, log: Path) -> tuple[Sequence[str], Mapping[str, str]]:
        log.mkdir()
        return [], self._environment(LAB_LOG=str(log), LAB_CALLS=",".join(self.calls))

    def points(self, stages: Sequence[Stage]) -> list[GitPoint]:
        found: list[GitPoint] = []
        for number, stage in enumerate(stages):
            for log in sorted(stage.log.iterdir(), key=lambda file: int(file.name)):
                counts: Counter[str] = Counter()
                for line in log.read_text(errors="replace").splitlines():
                    if match := _CALL.match(line):
                        counts[match[1]] += 1
                        found.append(GitPoint(number, int(log.name), match[1], counts[match[1]], match[2][:120]))
        return found

    def striking(self, point: GitPoint) -> tuple[Sequence[str], Mapping[str, str]]:
        (self.place / "struck").unlink(missing_ok=True)
        fault = f"{point.call}:{self.fault}:when={point.nth}"
        strikes = {"LAB_CALLS": point.call, "LAB_FAULT": fault, "LAB_NTH": str(point.git)}
        return [], self._environment(**strikes, LAB_ALL="1" if self.all else "")

    def struck(self, point: GitPoint, ended: Ended) -> bool:
        log = self.place / "struck"
        said = log.read_text(errors="replace") if log.exists() else ""
        if "SIGKILL" not in self.fault:
            return "(INJECTED)" in said
        return "+++ killed by SIGKILL +++" in said and (ended.code == -9 or not self.all)

    def take_away(self, root: Path) -> int:
        return 0


@dataclass(frozen=True)
class LockPoint:
    """A lock file that is there when a stage begins."""

    stage: int
    name: str


@dataclass(frozen=True)
class Locked:
    """Leaves a lock file of a dead git in the plan's repository before a stage."""

    root: Path

    def recording(self, log: Path) -> tuple[Sequence[str], Mapping[str, str]]:
        return [], {}

    def points(self, stages: Sequence[Stage]) -> list[LockPoint]:
        last = [stage.name for stage in stages].index("review")  # behind it nothing may meet them any more
        there = [n for n, stage in enumerate(stages[: last + 1]) if (stage.before / PLAN / ".git" / "HEAD").exists()]
        return [LockPoint(number, name) for number in there for name in LOCKS]

    def striking(self, point: LockPoint) -> tuple[Sequence[str], Mapping[str, str]]:
        (self.root / PLAN / ".git" / point.name).touch()
        return [], {}

    def struck(self, point: LockPoint, ended: Ended) -> bool:
        return True

    def take_away(self, root: Path) -> int:
        return 0


def main() -> int:
    parser = sweeper(__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--all", action="store_true", help="kill the worker with its git")
    which.add_argument("--errors", action="store_true", help="EIO for fsync and fdatasync instead of a kill")
    which.add_argument("--locks", action="store_true", help="lock files that a dead git has left")
    options = parser.parse_args()
    if why := can_attach():
        print(why, file=sys.stderr)
        return 2
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(os.path.realpath(place))
        if options.locks:
            return sweep_and_tell(options, Locked(folder / "bench" / "project"), folder)
        faults = folder / "faults"
        fault = GitFault(faults, FAILING, "error=EIO") if options.errors else GitFault(faults, all=options.all)
        return sweep_and_tell(options, fault, folder)


if __name__ == "__main__":
    sys.exit(main())
