"""kill -9, or an I/O error, at single system calls of a worker, then the checker. Needs strace.

usage: python -m tests.durability.call_sweep [--every N] [--seed S] [--errors [--lasting]] [--seconds T]
A run of two tasks is recorded, stage by stage; every write-class call of the worker's thread is a point. ``--every 1``
tries them all. Prints its seed; ``--seed`` replays the same points.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.durability.nursery import Ended, can_attach
from tests.durability.stages import Choice, Injector, Stage, sweep

KILLED_AT = (
    "write", "pwrite64", "fsync", "fdatasync", "ftruncate", "unlink", "unlinkat", "rename", "renameat", "renameat2",
    "link", "linkat", "mkdir", "mkdirat", "rmdir", "openat",
)  # fmt: skip
"""Of openat only what creates."""

FAILING = ("fsync", "fdatasync", "pread64")
_CALL = re.compile(r"^(\w+)\((.*)")
_OWN_OUTPUT = re.compile(r"[12]<")
_FAILED_SYNC = re.compile(r"^f(?:data)?sync\(\d+<([^>]*)>\).*\(INJECTED\)")
_RENAMED = re.compile(r'^rename.*"([^"]*)"[^"]*\) = 0')
_RENAMES = "?rename,?renameat,?renameat2"
_SHORT, _LONG = ["-y", "-s", "64"], ["-y", "-s", "500"]


@dataclass(frozen=True)
class CallPoint:
    """The ``nth`` call of a name in a stage, and what it did."""

    stage: int
    call: str
    nth: int
    what: str

    @property
    def key(self) -> str:
        return f"{self.stage} {self.call} {self.nth}"


@dataclass(frozen=True)
class CallFault:
    """Strikes the worker's thread at a call: the call does not run.

    Attributes:
        log: of strace, for the stage under way.
        calls: names of system calls.
        fault: what strace injects: ``signal=SIGKILL`` or ``error=EIO``.
        lasting: also at all calls of that name that follow.
        not_synced: the files of the stage that ended last of which a sync has failed.
    """

    log: Path
    calls: tuple[str, ...] = KILLED_AT
    fault: str = "signal=SIGKILL"
    lasting: bool = False
    not_synced: list[tuple[int, int]] = field(default_factory=list)

    def recording(self, log: Path) -> tuple[Sequence[str], Mapping[str, str]]:
        return [*_SHORT, "-o", str(log), "-e", f"trace={','.join(self.calls)}"], {}

    def points(self, stages: Sequence[Stage]) -> list[CallPoint]:
        found: list[CallPoint] = []
        for number, stage in enumerate(stages):
            counts: Counter[str] = Counter()
            for line in stage.log.read_text(errors="replace").splitlines():
                match = _CALL.match(line)
                if match is None:
                    continue
                name, rest = match[1], match[2]
                counts[name] += 1
                if not (name == "openat" and "O_CREAT" not in rest) and not _OWN_OUTPUT.match(rest):
                    found.append(CallPoint(number, name, counts[name], rest[:120]))
        return found

    def striking(self, point: CallPoint) -> tuple[Sequence[str], Mapping[str, str]]:
        when = f"{point.nth}+" if self.lasting else f"{point.nth}"
        return [
            *_LONG, "-o", str(self.log), "-e", f"trace={point.call},{_RENAMES}",
            "-e", f"inject={point.call}:{self.fault}:when={when}",
        ], {}  # fmt: skip

    def struck(self, point: CallPoint, ended: Ended) -> bool:
        if "SIGKILL" in self.fault:
            return ended.code == -9
        said = self.log.read_text(errors="replace")
        self.not_synced[:] = [stamp for path in _not_synced(said) if (stamp := _stamp(Path(path))) is not None]
        return "(INJECTED)" in said

    def take_away(self, root: Path) -> int:
        """A system may take what a failed sync was to write for written, so that no later sync of it means anything:
        empty such files, as far as they were not written anew."""
        taken = 0
        for file in root.rglob("*"):
            if not file.is_symlink() and _stamp(file) in self.not_synced:
                file.chmod(0o644)
                os.truncate(file, 0)
                taken += 1
        return taken


def _not_synced(said: str) -> set[str]:
    """The files of which a sync has failed, without those that another file has been put in the place of since."""
    found: set[str] = set()
    for line in said.splitlines():
        if failed := _FAILED_SYNC.match(line):
            found.add(failed[1])
        elif renamed := _RENAMED.match(line):
            found.discard(renamed[1])
    return found


def _stamp(file: Path) -> tuple[int, int] | None:
    """Inode and time of change; None for what is no file, and for those of SQLite, which writes again what it has not
    synced."""
    if not file.is_file() or ".db" in file.suffix:
        return None
    status = file.stat()
    return status.st_ino, status.st_mtime_ns


def sweeper(description: str | None) -> argparse.ArgumentParser:
    """The options that all sweeps of this kind have."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="one of so many points")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--tasks", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0, help="begin no point after so many seconds")
    parser.add_argument("--shard", default="0/1", help="I/N: the I-th of N processes beside one another")
    parser.add_argument("--real", type=int, default=20, help="every so many-th plan is ended by a real 'lao run'")
    parser.add_argument("--stage", default="", help="only points in 'submit', or in phases of this name")
    parser.add_argument("--keep", type=Path, default=None, help="keep the folders of points with violations here")
    return parser


def sweep_and_tell(options: argparse.Namespace, injector: Injector, folder: Path) -> int:
    """Sweep as the options say and print the figures; the exit status."""
    which, _, of = options.shard.partition("/")
    choice = Choice(
        options.every, options.seed, (int(which), int(of)), options.seconds, options.real, options.keep, options.stage
    )
    started = time.monotonic()
    figures = sweep(
        folder / "bench",
        injector,
        choice,
        tasks=options.tasks,
        tell=lambda text: print(text, file=sys.stderr, flush=True),
    )
    print(figures.to_json(time.monotonic() - started))
    return 1 if figures.violations else 0


def main() -> int:
    parser = sweeper(__doc__)
    parser.add_argument("--errors", action="store_true", help="EIO for fsync, fdatasync and pread64 instead of a kill")
    parser.add_argument("--lasting", action="store_true", help="with --errors: for all such calls from there on")
    options = parser.parse_args()
    if why := can_attach():
        print(why, file=sys.stderr)
        return 2
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(os.path.realpath(place))
        log = folder / "struck"
        fault = CallFault(log, FAILING, "error=EIO", options.lasting) if options.errors else CallFault(log)
        return sweep_and_tell(options, fault, folder)


if __name__ == "__main__":
    sys.exit(main())
