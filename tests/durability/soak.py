"""T18: hours of work under faults, then the checker. Run: python -m tests.durability.soak --minutes 30 --every 5

``lao run`` watches a folder into which plans are dropped, while a fault strikes every few seconds. In the first half
all kinds do; in the second half those that kill no process, so that growth of memory and open files means something.
Prints its figures as JSON; --log writes them and every fault as a page.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import lao
from lao.core.clock import SystemClock
from lao.durable.processes import kill_marked
from tests.durability.factory_run import Project, kill_group, project
from tests.durability.invariants import CallsAllowed, check_plans
from tests.durability.lasting_run import LastingRun, alive_below
from tests.durability.plan_stream import PlanStream
from tests.durability.soak_faults import Faults
from tests.durability.soak_samples import Samples

GROWTH_MB, WAL_MB, MORE_FILES = 20.0, 64.0, 8.0
"""What a stretch without kills may add, and what a write-ahead log may be."""

OPEN_PLANS, SAMPLE_S, TELL_S, LOOK_S = 2, 10.0, 60.0, 0.2
ENOUGH_S = 240.0
"""A stretch that is shorter says nothing about growth."""

PARALLEL = 2
SETTINGS: dict[str, object] = {
    "orchestration": {
        "retry_cooldown_base_s": 0,
        "infer_validation_commands": False,
        "llm_request_timeout_s": 8,
        "llm_idle_timeout_s": 4,
        "llm_retry_backoff_base_s": 0.5,
        "model_load_timeout_s": 15,
        "swap_patience_s": 2,
    },
    "memory_gate": {"settle_timeout_s": 5, "poll_interval_s": 0.05},
    "gpu": {"parallel": PARALLEL},
}


class Soak:
    """One soak of a fresh project.

    Args:
        folder: for logs; the project lies in it.
        tell: gets a line for each fault and a sample a minute.
    """

    def __init__(self, factory: Project, folder: Path, seed: int, every_s: float) -> None:
        self._factory, self._every_s, self._seed = factory, every_s, seed
        self._clock = SystemClock()
        self._begun = self._clock.monotonic()
        self.lines: list[str] = []
        self.stream = PlanStream(factory, "test -s part_{n}.txt && sleep 0.2")
        self.violations: list[str] = []
        self.log = folder / "run.log"
        self.run = LastingRun(factory, self.log, self.tell)
        self.faults = Faults(factory, self.run, seed, self.tell)
        self.samples = Samples(factory.root / ".lao")
        self._next = {"fault": self.at() + every_s, "plan": 0.0, "sample": 0.0, "told": 0.0}

    def at(self) -> float:
        """Seconds since the start."""
        return self._clock.monotonic() - self._begun

    def tell(self, text: str) -> None:
        minutes, seconds = divmod(int(self.at()), 60)
        line = f"{minutes:3}:{seconds:02} {text.rstrip()[:150]}"
        self.lines.append(line)
        print(line, file=sys.stderr, flush=True)

    def stretch(self, until: float, *, rough: bool) -> None:
        """Work under faults until that second."""
        while self.at() < until:
            self._look()
            if self._is_due("plan", 1.0):
                self.stream.keep_open(OPEN_PLANS)
            if self._is_due("fault", self._every_s):
                self.faults.strike(rough=rough)

    def begin_again(self) -> None:
        """All faults end, and ``lao run`` starts anew: the processes of the next stretch are of one age."""
        self._quiet()
        self._end()
        while self.run.ending:
            self._look()
        while len(self.run.pids()) < 3:
            self._look()

    def finish(self, limit_s: float) -> None:
        """No more faults and plans; wait for all that is open, and end."""
        self._quiet()
        self.tell("no more faults")
        end = self.at() + limit_s
        while self.stream.open():
            if self.at() > end:
                self.violations.append(f"{self.stream.open()} plans are open {limit_s:.0f} s after the last fault")
                break
            self._look()
        self._end()
        while not self.run.tend(again=False):
            self._clock.wait(LOOK_S)
        self.violations += self.run.violations + self.faults.violations

    def _end(self) -> None:
        """SIGTERM; while ``lao run`` starts, it would just die of it."""
        while len(self.run.pids()) < 3:
            self._look()
        self.run.ask()

    def _quiet(self) -> None:
        self.faults.over()
        while len(self.faults.later):
            self._look()

    def _look(self) -> None:
        self.faults.later.tick()
        self.run.tend()
        if self._is_due("sample", SAMPLE_S):
            sample = self.samples.take(self.at(), self.run.pids())
            if self._is_due("told", TELL_S):
                self.tell(f"-- {sample.text()}; {len(self.stream.plans)} plans")
        self._clock.wait(LOOK_S)

    def _is_due(self, what: str, every_s: float) -> bool:
        if self.at() < self._next[what]:
            return False
        self._next[what] = self.at() + every_s
        return True


def soak(folder: Path, *, minutes: float, every_s: float, seed: int) -> tuple[dict[str, Any], list[str]]:
    """Returns the figures and the log's lines."""
    half = minutes * 30.0
    with project(folder, settings=SETTINGS, first_token_s=0.4, load_seconds=0.1, parallel=PARALLEL) as factory:
        one = Soak(factory, folder, seed, every_s)
        try:
            one.tell(f"first half: all kinds of faults, one every {every_s:g} s")
            one.stretch(half, rough=True)
            one.begin_again()
            begin = one.at()
            one.tell("second half: only faults that kill no process")
            one.stretch(begin + half, rough=False)
            end = one.at()
            one.finish(300 + half)
        finally:
            kill_group(one.run.process)
        violations = one.violations + check_plans(factory, one.stream.plans, allowed(factory, one))
        violations += left_over(factory)
        figures: dict[str, dict[str, float]] = {}
        if half >= ENOUGH_S:
            try:
                figures = one.samples.stretch(begin, end)
            except ValueError as error:
                violations.append(str(error))
        violations += too_much(figures, one.samples.largest_wal())
        told = {
            "seed": seed,
            "minutes": round(one.at() / 60, 1),
            "injected": sum(one.faults.struck.values()),
            "faults": one.faults.struck,
            "plans": len(one.stream.plans),
            "tasks": sum(one.stream.plans.values()),
            "starts_of_lao_run": one.run.starts,
            "violations": violations,
            "growth_mb": {name: f["growth_mb"] for name, f in figures.items()},
            "memory_mb": {name: f["memory_mb"] for name, f in figures.items()},
            "open_files": {name: [f["files"], f["more_files"]] for name, f in figures.items()},
            "wal_mb": one.samples.largest_wal(),
            "tracebacks": one.log.read_text(errors="replace").count("Traceback"),
        }
    return told, one.lines


def allowed(factory: Project, one: Soak) -> CallsAllowed:
    """Each task is two calls of the coder and one of the reviewer, each plan one of the planner; an answer that was
    empty is asked for again; what a fault cut off is made again."""
    struck = one.faults.struck
    server = sum(n for name, n in struck.items() if name.startswith("answer: "))
    cut_off = sum(n for name, n in struck.items() if not name.startswith("answer: "))
    steps = one.stream.steps
    empty = sum(factory.server.struck.get(kind, 0) for kind in ("empty", "cut"))
    return CallsAllowed(steps, steps + empty, steps + server + PARALLEL * cut_off)


def left_over(factory: Project) -> list[str]:
    """What lives on after the end."""
    marked = kill_marked(f"{project_id(factory)}.")
    return ([f"{marked} commands lived on"] if marked else []) + alive_below(factory.root)


def project_id(factory: Project) -> str:
    return hashlib.sha256(str(factory.root / ".lao" / "state.db").encode()).hexdigest()[:12]


def too_much(figures: dict[str, dict[str, float]], wal: dict[str, float]) -> list[str]:
    """Memory, open files and logs over their limits."""
    bad = [f"{n} grew by {f['growth_mb']} MB" for n, f in figures.items() if f["growth_mb"] >= GROWTH_MB]
    bad += [f"{n} has {f['more_files']:g} more open files" for n, f in figures.items() if f["more_files"] > MORE_FILES]
    return bad + [f"{name}-wal was {size} MB" for name, size in wal.items() if size >= WAL_MB]


def page(told: dict[str, Any], lines: list[str], command: str) -> str:
    """The figures and the log in Markdown."""
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    when = dt.datetime.now(dt.timezone.utc).date().isoformat()
    head = [
        "# Soak",
        "",
        f"<!-- Generated by `{command}`. -->",
        "",
        f"What came of `{command}`",
        f"with LAO {lao.__version__} on {when} ({machine}). `lao run` works on plans that are dropped into its folder",
        "while a fault strikes every few seconds: first all kinds, then, in the second half, those that kill no",
        "process, for growth. In the end the checker of docs/guarantees.md looks at everything. Of `open_files` the",
        "first figure is how many there were in the end, the second how many more than after the warm-up.",
        "",
        "```json",
        json.dumps(told, indent=2),
        "```",
        "",
        "## Log",
        "",
        "Minutes and seconds since the start; lines with `--` are samples.",
        "",
        "```text",
        *lines,
        "```",
        "",
    ]
    return "\n".join(head)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two faults")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--log", type=Path, help="write the figures and the log to this Markdown file")
    parser.add_argument("--keep", type=Path, help="work in this new folder and leave it there")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else time.time_ns() % 1_000_000
    print(f"seed {seed}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        told, lines = soak(folder, minutes=options.minutes, every_s=options.every, seed=seed)
    if options.log:
        command = (
            f"python -m tests.durability.soak --minutes {options.minutes:g} --every {options.every:g} --seed {seed}"
        )
        options.log.write_text(page(told, lines, command), encoding="utf-8")
    print(json.dumps(told, indent=2))
    return 1 if told["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
