"""Power cuts at random moments, simulated: the state file alone, and the whole factory.

Run: python -m tests.durability.power_cut [--state 5000] [--factory 500] [--resume 50] [--seed N]. Needs strace.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lao.core.errors import LaoError
from lao.state.store import open_store
from lao.state.tables import MetaRow
from tests.durability.factory_run import ROOT, Project, plan_text, project
from tests.durability.invariants import check
from tests.durability.recording import Recording, record
from tests.durability.system_calls import can_record

BOOT_ID = "/proc/sys/kernel/random/boot_id"
PLAN = "parts"


@dataclass
class Figures:
    """What an experiment did.

    Attributes:
        operations: recorded calls that changed or synced something.
        lossy: cuts after which something was really missing or torn.
        resumed: cuts after which the factory was run to its end.
    """

    operations: int
    cuts: int = 0
    lossy: int = 0
    resumed: int = 0
    violations: list[str] = field(default_factory=list)


def content(number: int) -> str:
    """What transaction ``number`` writes: of different sizes, up to several pages."""
    return f"{number}:" + "x" * (number * 977 % 9000)


def acknowledge(folder: Path, transactions: int, synchronous: int) -> None:
    """Make transactions in the state file and tell of each after its commit; the file is reopened now and then.

    Args:
        synchronous: 2 as LAO has it; anything else is a planted bug.
    """
    for first in range(0, transactions, 20):
        store = open_store(folder / ".lao" / "state.db")
        store.db.execute_sql(f"PRAGMA synchronous={synchronous}")
        store.db.execute_sql("PRAGMA wal_autocheckpoint=12")
        for number in range(first, min(first + 20, transactions)):
            with store.write():
                MetaRow.create(key=f"ack {number}", value=content(number))
                MetaRow.replace(key="last", value=str(number)).execute()
            os.write(1, f"{number}\n".encode())
        store.close()


def state_cuts(folder: Path, *, cuts: int, seed: int, transactions: int = 60, synchronous: int = 2) -> Figures:
    """Cut the power of a program that makes acknowledged transactions; after each cut the state has all of them."""
    root = folder / "state"
    root.mkdir()
    program = [sys.executable, "-m", "tests.durability.power_cut", "--worker", str(root), str(transactions)]
    recording = record(root, [*program, str(synchronous)], {**os.environ, "PYTHONPATH": str(ROOT)})
    figures = Figures(recording.operations)
    for cut in recording.cuts(cuts, seed):
        figures.cuts += 1
        figures.lossy += bool(cut.missing)
        figures.violations += [f"operation {cut.at}: {what}" for what in _state_violations(root, len(cut.told))]
    return figures


def _state_violations(root: Path, acknowledged: int) -> list[str]:
    path = root / ".lao" / "state.db"
    if acknowledged and not path.exists():
        return [f"the state file is gone, with {acknowledged} transactions"]
    try:
        store = open_store(path)
    except LaoError as error:
        return [f"the state file does not open: {error.message}"]
    try:
        integrity = store.db.execute_sql("PRAGMA integrity_check").fetchone()[0]
        rows = dict(store.db.execute_sql("SELECT key, value FROM lao_meta WHERE key LIKE 'ack %'").fetchall())
    except sqlite3.DatabaseError as error:
        return [f"the state file cannot be read: {error}"]
    finally:
        store.close()
    bad = [f"integrity_check: {integrity}"] if integrity != "ok" else []
    lost = [n for n in range(acknowledged) if rows.get(f"ack {n}") != content(n)]
    bad += [f"of {acknowledged} acknowledged transactions {len(lost)} are lost"] if lost else []
    return bad + (["there is more than was begun"] if len(rows) > acknowledged + 1 else [])


@contextmanager
def recorded_factory(folder: Path, *, tasks: int) -> Iterator[tuple[Project, Recording, int]]:
    """A whole ``lao run --single-run`` of a small plan, recorded; and how many model calls it made."""
    with project(folder) as factory:
        (factory.root / "plans" / f"{PLAN}.md").write_text(plan_text(tasks, check="test -s part_{n}.txt"))
        program = [sys.executable, "-m", "lao", "run", "--single-run", "--plain"]
        recording = record(factory.root, program, factory.environment())
        yield factory, recording, int(factory.server.stats["completions"])


def factory_cuts(
    folder: Path, *, cuts: int, resumed: int, seed: int, tasks: int = 3, keep: Path | None = None
) -> Figures:
    """Cut the power of the whole factory; ``resumed`` of the cuts are followed by a run to the end.

    Args:
        keep: where the folder of a cut with a violation is kept.
    """
    with recorded_factory(folder, tasks=tasks) as (factory, recording, calls):
        figures = Figures(recording.operations)
        for cut in recording.cuts(cuts, seed):
            figures.cuts += 1
            figures.lossy += bool(cut.missing)
            if keep is not None:
                shutil.rmtree(keep / "last", ignore_errors=True)
                shutil.copytree(factory.root, keep / "last", symlinks=True)
            found = _evidence(factory)
            if figures.cuts * resumed // cuts > figures.resumed:
                figures.resumed += 1
                found += _resumed(factory, tasks, calls)
            if found and keep is not None:
                (keep / "last").rename(keep / f"cut-{figures.cuts}")
                shutil.copytree(factory.root, keep / f"cut-{figures.cuts}-after", symlinks=True)
            figures.violations += [f"cut {figures.cuts}, operation {cut.at}: {what}" for what in found]
    return figures


def _query(factory: Project, sql: str) -> list[tuple]:
    path = factory.root / ".lao" / "state.db"
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name='lao_step'").fetchone():
            return []
        return connection.execute(sql).fetchall()


def _evidence(factory: Project) -> list[str]:
    """Before anything is repaired: the state is whole, and what it says is committed is in git with all its objects."""
    try:
        bad = [f"integrity_check: {row[0]}" for row in _query(factory, "PRAGMA integrity_check") if row[0] != "ok"]
        told = "SELECT json_extract(result, '$.commit') FROM lao_step WHERE state='done' AND label LIKE 'commit:%'"
        commits = {row[0] for row in _query(factory, told) if row[0]}
    except sqlite3.DatabaseError as error:
        return [f"the state file cannot be read: {error}"]
    if not commits:
        return bad
    git = ["git", "-C", str(factory.root / PLAN)]
    listed = subprocess.run([*git, "rev-list", "HEAD"], capture_output=True, text=True, check=False)
    bad += [f"commit {commit} of the state is not on the branch" for commit in commits - set(listed.stdout.split())]
    fsck = subprocess.run(
        [*git, "fsck", "--strict", "--no-dangling", "--no-reflogs"], capture_output=True, text=True, check=False
    )
    return bad + ([f"git fsck: {fsck.stdout}{fsck.stderr}"] if fsck.returncode else [])


_LOST = """
SELECT (SELECT count(*) FROM lao_modelevent WHERE kind='call' AND lao_modelevent.run_id = lao_run.id) FROM lao_run
WHERE phase='code' AND state IN ('ready', 'running')
AND EXISTS (SELECT 1 FROM lao_step WHERE run_id = lao_run.id AND label='desk' AND state='done')
AND NOT EXISTS (SELECT 1 FROM lao_step WHERE run_id = lao_run.id AND label='land')
"""
"""The recorded calls of each attempt that was at work at its desk, which no power cut leaves as it was."""


@dataclass(frozen=True)
class _Server:
    """What the server of the checker's project tells, with the calls that were recorded before the cut."""

    stats: dict[str, int]


def _resumed(factory: Project, tasks: int, calls: int) -> list[str]:
    """Start the factory after the reboot, let it end, check."""
    recorded = "SELECT count(*) FROM lao_modelevent WHERE kind='call'"
    had = sum(count for (count,) in _query(factory, recorded))
    lost = _query(factory, _LOST)
    redone, again = len(lost), sum(made for (made,) in lost)
    before = int(factory.server.stats["completions"])
    boot = factory.root.parent / "boot_id"
    boot.write_text(f"{uuid.uuid4()}\n")
    script = f'mount --bind "$0" {BOOT_ID} && exec "$@"'
    run = [sys.executable, "-m", "lao", "run", "--single-run", "--plain"]
    done = subprocess.run(
        [*_namespace(), "sh", "-c", script, str(boot), *run],
        cwd=factory.root,
        env=factory.environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        return [f"the next run ended with {done.returncode}: {done.stdout[-600:]}{done.stderr[-1500:]}"]
    made = had + int(factory.server.stats["completions"]) - before
    stats = {**factory.server.stats, "completions": made}
    view = Project(factory.root, _Server(stats))  # type: ignore[arg-type]
    return check(view, plan=PLAN, tasks=tasks, per_plan=tasks, kills=0, expected_calls=calls + again, redone=redone)


def _namespace() -> list[str]:
    return ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-Urm"]


def cannot() -> str:
    """Why this machine cannot do the experiment ("" when it can)."""
    if why := can_record():
        return why
    probe = [*_namespace(), "mount", "--bind", "/dev/null", BOOT_ID]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True, check=False).returncode:
        return "needs mount namespaces to simulate a reboot"
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=int, default=5000, help="cuts of the state file")
    parser.add_argument("--factory", type=int, default=500, help="cuts of the whole factory")
    parser.add_argument("--resume", type=int, default=50, help="of these, how many are followed by a run to the end")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--keep", type=Path, default=None, help="keep the folders of cuts with violations here")
    parser.add_argument("--worker", nargs=3, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        acknowledge(Path(options.worker[0]), int(options.worker[1]), int(options.worker[2]))
        return 0
    if why := cannot():
        print(why, file=sys.stderr)
        return 2
    print(f"seed {options.seed}", flush=True)
    failed = False
    with tempfile.TemporaryDirectory() as place:
        folder = Path(os.path.realpath(place))
        for name, number in (("state", options.state), ("factory", options.factory)):
            if not number:
                continue
            started = time.monotonic()
            if name == "state":
                figures = state_cuts(folder, cuts=number, seed=options.seed)
            else:
                figures = factory_cuts(
                    folder, cuts=number, resumed=min(options.resume, number), seed=options.seed, keep=options.keep
                )
            failed = failed or bool(figures.violations)
            print(json.dumps({name: {**asdict(figures), "seconds": round(time.monotonic() - started, 1)}}, indent=2))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
