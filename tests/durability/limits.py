"""T15: the system refuses the workers memory, open files, processes or larger files for some seconds, again and again.
Run: python -m tests.durability.limits

The limits of the live workers are lowered to what they use at that moment, and put back. Each time the run must say
what is refused or wait, without a traceback, and go on when the limit is gone.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from lao.core.clock import SystemClock
from tests.durability.factory_run import Project, kill_group, plan_text, project
from tests.durability.invariants import check
from tests.durability.test_whole_killed import query

TASKS = 6
SQUEEZED_S = 3.0
AFTER_S = 90.0
"""From the end of a squeeze to the next call or the plan's end: pauses have grown to some seconds by then."""

OPEN = "SELECT 1 FROM lao_plan WHERE state NOT IN ('completed', 'failed', 'needs_human')"
LIMITS = {"files": "nofile", "memory": "as", "file size": "fsize", "processes": "nproc"}
"""What ``prlimit`` calls them."""


def as_nobody() -> list[str]:
    """A prefix that takes the exemption of root from the limit of processes, and nothing else that the run needs."""
    if os.geteuid():
        return []
    caps = "+dac_override,+dac_read_search,+chown,+fowner"
    return ["setpriv", "--reuid=65534", f"--inh-caps={caps}", f"--ambient-caps={caps}"]


def used(pid: int, kind: str) -> int:
    """What a process uses of it now."""
    if kind == "files":
        return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    if kind == "memory":
        return int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
    return 4096 if kind == "file size" else 1


def limit(pid: int, kind: str, soft: str = "") -> str:
    """The soft limit of a process, or set it; "" when the process is gone."""
    name = f"--{LIMITS[kind]}" + (f"={soft}:" if soft else "")
    shown = [] if soft else ["--raw", "--noheadings", "--output", "SOFT"]
    command = [*as_nobody(), "prlimit", "--pid", str(pid), name, *shown]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def refused(log: Path) -> int:
    """How often the run has said that something was refused."""
    words = ("the system refuses", "was refused something", "does not let LAO use", "was ended by signal")
    return sum(log.read_text().count(word) for word in words)


class Squeezes:
    """One run, one squeeze after the other."""

    def __init__(self, factory: Project, folder: Path) -> None:
        self.factory, self.log, self.clock = factory, folder / "log", SystemClock()
        self.violations: list[str] = []
        self.told: Counter[str] = Counter()
        self.plans = 0
        command = [*as_nobody(), sys.executable, "-m", "lao", "run", "--plain"]
        subprocess.run(["chown", "-R", "65534", str(folder)], check=not os.geteuid())
        with self.log.open("ab") as out:
            self.run = subprocess.Popen(
                command,
                cwd=factory.root,
                env=factory.environment(),
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def wait_for(self, sql: str, wanted: bool, seconds: float) -> bool:
        end = self.clock.monotonic() + seconds
        while bool(query(self.factory, sql)) is not wanted and self.clock.monotonic() < end:
            self.clock.wait(0.05)
        return bool(query(self.factory, sql)) is wanted

    def workers(self) -> list[int]:
        return [pid for (pid,) in query(self.factory, "SELECT pid FROM lao_worker")]

    def squeeze(self, kind: str) -> None:
        """Lower one limit of all workers, wait, put it back, see that work goes on."""
        if not query(self.factory, OPEN):
            self.plans += 1
            text = plan_text(TASKS).replace("# Build parts", f"# Build parts {self.plans}")
            (self.factory.root / "plans" / f"parts{self.plans}.md").write_text(text)
            self.wait_for(OPEN, True, 60)
            self.wait_for("SELECT 1 FROM lao_run WHERE state = 'running'", True, 60)
        said, before = refused(self.log), {}
        for pid in self.workers():
            before[pid] = limit(pid, kind)
            if before[pid]:
                limit(pid, kind, str(used(pid, kind)))
        self.clock.wait(SQUEEZED_S)
        for pid, soft in before.items():
            limit(pid, kind, soft)
        self.told[kind] += refused(self.log) > said
        asked = len(self.factory.server.log)
        end = self.clock.monotonic() + AFTER_S
        while len(self.factory.server.log) == asked and query(self.factory, OPEN):
            if self.clock.monotonic() > end or self.run.poll() is not None:
                self.violations.append(f"{kind}: nothing goes on (run: {self.run.poll()}): {self.tail()}")
                return
            self.clock.wait(0.05)

    def tail(self) -> str:
        return self.log.read_text()[-1500:]

    def end(self) -> None:
        try:
            if self.run.poll() is None and not self.wait_for(OPEN, False, 240):
                self.violations.append(f"the plans do not end: {self.tail()}")
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.run.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.run.wait(timeout=30)
            kill_group(self.run)
        subprocess.run(["chown", "-R", "0", str(self.log.parent)], check=not os.geteuid())
        if "Traceback" in self.log.read_text():
            at = self.log.read_text().index("Traceback")
            self.violations.append(f"a traceback: {self.log.read_text()[max(0, at - 300) : at + 2500]}")
        recorded = json.loads(self.factory.lao("status", "--json").stdout)["calls"]["model"]
        for n in range(1, self.plans + 1):
            found = check(
                self.factory,
                plan=f"parts{n}",
                tasks=TASKS * self.plans,
                kills=10_000,  # calls that were broken off are no matter of this experiment
                expected_calls=recorded,
                per_plan=TASKS,
            )
            self.violations += [line for line in found if line not in self.violations]


def sweep(folder: Path, kinds: list[str]) -> dict[str, object]:
    """Make the squeezes; the figures."""
    with project(folder, first_token_s=0.3) as factory:
        work = Squeezes(factory, folder)
        try:
            for kind in kinds:
                work.squeeze(kind)
        except sqlite3.Error as error:
            work.violations.append(repr(error))
        finally:
            work.end()
    return {"squeezes": len(kinds), "refused": dict(work.told), "plans": work.plans, "violations": work.violations}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--squeezes", type=int, default=12)
    parser.add_argument("--seed", type=int, default=15)
    parser.add_argument("--only", choices=sorted(LIMITS))
    options = parser.parse_args()
    kinds = [options.only] if options.only else sorted(LIMITS)
    chosen = (kinds * options.squeezes)[: options.squeezes]
    random.Random(options.seed).shuffle(chosen)
    print(f"seed {options.seed}: {chosen}", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        figures = sweep(Path(place), chosen)
    print(json.dumps({**figures, "seconds": round(time.monotonic() - started, 1)}, indent=2))
    return 1 if figures["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
