"""T12: somebody sets the clock while real workers run, wait and are killed. Run: python -m tests.durability.clock_jumps

The wall clock of the processes is set by ``set_clock.c``, preloaded; a C compiler is needed. At each jump the model
server is away and phases are put off; when it is back, work must go on at once. Every third jump happens while nothing
runs, after a kill -9.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lao.core.clock import SystemClock
from lao.durable.backoff import LONGEST_S
from tests.durability.factory_run import Project, kill_group, plan_text, project
from tests.durability.invariants import check
from tests.durability.test_whole_killed import query

HOUR, YEAR = 3600, 365 * 86_400
JUMPS = (-2 * HOUR, 2 * HOUR, -10 * YEAR, 10 * YEAR, 10 * YEAR, -10 * YEAR, HOUR, -HOUR, -30, 45, -600, 300)
"""Seconds: hours, years, changes of daylight saving time, steps of NTP."""

LATEST_S = 30.0
"""From the end of the pause that is left to the next call: a start of two seconds, on a machine that is busy."""

TASKS = 4
PUT_OFF = "SELECT 1 FROM lao_run WHERE state = 'ready' AND not_before > 0"
DUE = "SELECT min(not_before) FROM lao_run WHERE state = 'ready' AND not_before > 0"
OPEN = "SELECT 1 FROM lao_plan WHERE state NOT IN ('completed', 'failed', 'needs_human')"


def can_set() -> bool:
    """Whether this machine has a C compiler, and programs that take a preloaded library."""
    return sys.platform == "linux" and shutil.which("cc") is not None


class WallClock:
    """The wall clock of the processes that get ``environment``.

    Attributes:
        set_by: seconds that it is ahead.
    """

    def __init__(self, folder: Path) -> None:
        self._file, library = folder / "clock", folder / "set_clock.so"
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(Path(__file__).with_name("set_clock.c")), "-ldl"],
            check=True,
        )
        self.environment = {"LD_PRELOAD": str(library), "SET_CLOCK": str(self._file)}
        self.set_by = 0
        self._file.write_bytes(bytes(8))

    def jump(self, seconds: int) -> None:
        self.set_by += seconds
        with self._file.open("r+b") as file:
            file.write(self.set_by.to_bytes(8, sys.byteorder, signed=True))


class Sweep:
    """One project, one jump after the other. ``slowest_s`` is the longest time until work went on."""

    def __init__(self, factory: Project, folder: Path) -> None:
        self.factory, self.wall, self.clock = factory, WallClock(folder), SystemClock()
        self.log = folder / "log"
        self.violations: list[str] = []
        self.slowest_s, self.kills, self.plans = 0.0, 0, 0
        self.put_off = 0
        self.run = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        return self.factory.start("run", "--plain", log=self.log, **self.wall.environment)

    def hand_in(self) -> None:
        self.plans += 1
        text = plan_text(TASKS).replace("# Build parts", f"# Build parts {self.plans}")
        (self.factory.root / "plans" / f"parts{self.plans}.md").write_text(text)

    def until(self, sql: str, wanted: bool, seconds: float) -> bool:
        end = self.clock.monotonic() + seconds
        while bool(query(self.factory, sql)) is not wanted:
            if self.clock.monotonic() > end:
                return False
            self.clock.wait(0.05)
        return True

    def left(self, seconds: int) -> float:
        """What is left after the jump of the pause that ends first; one longer than any could be is ended at once."""
        due = query(self.factory, DUE)
        left = due[0][0] - (self.clock.now() + self.wall.set_by) - seconds if due and due[0][0] else 0.0
        return left if 0 < left <= LONGEST_S else 0.0

    def jump(self, number: int, seconds: int) -> None:
        """Take the server away, set the clock, give the server back, see how soon it is asked again."""
        if not query(self.factory, OPEN):
            self.hand_in()
            self.until(OPEN, True, 20)
        self.factory.server.stop()
        if self.until(PUT_OFF, True, 20):
            self.put_off += 1
        asleep = number % 3 == 2
        if asleep:
            kill_group(self.run)
            self.kills += 1
        before, latest = len(self.factory.server.log), self.left(seconds) + LATEST_S
        self.wall.jump(seconds)
        self.factory.server.start()
        begun = self.clock.monotonic()
        if asleep:
            self.run = self.start()
        while len(self.factory.server.log) == before and query(self.factory, OPEN):
            if self.clock.monotonic() - begun > latest:
                self.violations.append(f"jump {number} by {seconds} s: nothing goes on for {latest:.0f} s")
                break
            self.clock.wait(0.05)
        self.slowest_s = max(self.slowest_s, self.clock.monotonic() - begun)

    def end(self) -> None:
        """All plans come to their end, and the checker looks at each."""
        try:
            if not self.until(OPEN, False, 120):
                self.violations.append("the plans do not end")
        finally:
            kill_group(self.run)
        recorded = json.loads(self.factory.lao("status", "--json").stdout)["calls"]["model"]
        for n in range(1, self.plans + 1):
            found = check(
                self.factory,
                plan=f"parts{n}",
                tasks=TASKS * self.plans,
                kills=10_000,  # calls that the vanishing server broke off are no matter of this experiment
                expected_calls=recorded,
                per_plan=TASKS,
            )
            self.violations += [line for line in found if line not in self.violations]
        if "Traceback" in self.log.read_text():
            self.violations.append("a traceback in the log")


def sweep(folder: Path, jumps: tuple[int, ...]) -> dict[str, object]:
    """Make the jumps; the figures."""
    told = {"retry_cooldown_base_s": 0, "infer_validation_commands": False, "llm_retry_attempts": 1}
    with project(folder, settings={"orchestration": told}, first_token_s=0.3) as factory:
        work = Sweep(factory, folder)
        try:
            for number, seconds in enumerate(jumps, 1):
                work.jump(number, seconds)
        finally:
            work.end()
    return {
        "jumps": len(jumps),
        "put_off": work.put_off,
        "kills": work.kills,
        "slowest_s": round(work.slowest_s, 1),
        "violations": work.violations,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jumps", type=int, default=24)
    parser.add_argument("--seed", type=int, default=12)
    options = parser.parse_args()
    chosen = list(JUMPS * (options.jumps // len(JUMPS) + 1))[: options.jumps]
    random.Random(options.seed).shuffle(chosen)
    print(f"seed {options.seed}: {chosen}", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        figures = sweep(Path(folder), tuple(chosen))
    print(json.dumps({**figures, "seconds": round(time.monotonic() - started, 1)}, indent=2))
    return 1 if figures["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
