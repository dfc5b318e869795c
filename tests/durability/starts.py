"""T13: two to four workers of one project start at the same instant. Run: python -m tests.durability.starts

Exactly one works, the others refuse, name it and end with exit code 1; afterwards nothing holds the project.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lao.core.clock import SystemClock
from tests.durability.at_once import release, waiting
from tests.durability.factory_run import Project, project
from tests.durability.lasting_run import children

WHAT = (("run", "--plain"), ("gpu",), ("cpu",))
REFUSED, STOPPED = 1, {"run": 130, "gpu": 0, "cpu": 0}
LONGEST_S = 60.0


def race(factory: Project, what: tuple[str, ...], count: int) -> list[str]:
    """Start ``count`` of a kind at once, and end the one that works. What was wrong, in lines."""
    processes = [waiting(factory, *what) for _ in range(count)]
    release(processes)
    try:
        _until(lambda: sum(p.poll() is None for p in processes) <= 1)
        left = [p for p in processes if p.poll() is None]
        if len(left) != 1:
            said = [f"{p.returncode}: {_said(p)}" for p in processes if p.poll() is not None]
            return [f"{what[0]}: {len(left)} of {count} work; the others said {said}"]
        winner = left[0]
        _until(lambda: _works(factory, winner, what[0]) or winner.poll() is not None)
        family = {winner.pid, *children(winner.pid)}
        bad = [line for p in processes if p is not winner for line in _refusal(p, family, what[0])]
        if not _works(factory, winner, what[0]):
            bad.append(f"{what[0]}: the one that was left does not work")
        winner.send_signal(signal.SIGTERM)
        if winner.wait(LONGEST_S) != STOPPED[what[0]]:
            bad.append(f"{what[0]}: the one that worked ended with {winner.returncode}: {_said(winner)}")
        return bad
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdout:
                process.stdout.close()


def _refusal(process: subprocess.Popen[str], family: set[int], what: str) -> list[str]:
    said = _said(process)
    named = re.search(r"held by process (\d+)", said)
    if process.returncode == REFUSED and named and int(named[1]) in family:
        return []
    return [f"{what}: refused with {process.returncode} and {said!r}, while {sorted(family)} work"]


def _said(process: subprocess.Popen[str]) -> str:
    return process.stdout.read()[-400:] if process.stdout else ""


def _works(factory: Project, winner: subprocess.Popen[str], what: str) -> bool:
    """Whether its workers are registered in the state."""
    wanted = set(children(winner.pid)) if what == "run" else {winner.pid}
    registered = {w["pid"] for w in json.loads(factory.lao("status", "--json").stdout)["workers"]}
    return len(wanted) >= (2 if what == "run" else 1) and wanted & registered == registered and bool(registered)


def _until(condition: object) -> None:
    clock = SystemClock()
    end = clock.monotonic() + LONGEST_S
    while not condition() and clock.monotonic() < end:  # type: ignore[operator]
        clock.wait(0.05)


def starts(folder: Path, *, rounds: int, seed: int) -> dict[str, object]:
    """Races of all kinds in turn, the first ones in a project that has no state yet."""
    chance = random.Random(seed)
    violations: list[str] = []
    started = 0
    with project(folder) as factory:
        for number in range(rounds):
            count = chance.randint(2, 4)
            violations += race(factory, WHAT[number % len(WHAT)], count)
            started += count
    return {"seed": seed, "races": rounds, "started": started, "violations": violations}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--races", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else time.time_ns() % 1_000_000
    print(f"seed {seed}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        figures = starts(Path(folder), rounds=options.races, seed=seed)
    print(json.dumps({**figures, "seconds": round(time.monotonic() - started, 1)}, indent=2))
    return 1 if figures["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
