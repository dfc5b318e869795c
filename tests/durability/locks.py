"""T8: another program holds the state or the queue locked. Run: python -m tests.durability.locks --holds 200

Mostly for a second, now and then for ten, once (--long) for a minute: nothing is lost, no attempt counts, and a lock
that lasts longer than a statement waits is said once.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

from lao.core.clock import SystemClock
from lao.state.store import LOCKED
from tests.durability.factory_run import Project, kill_group, project
from tests.durability.invariants import CallsAllowed, check_plans
from tests.durability.lock_holder import hold
from tests.durability.plan_stream import PlanStream

FILES = ("state.db", "queue.db")
LONG_S = 60.0
EXPECTED = (1, 2)
"""Warnings of a lock of a minute: one of each of the two workers that wants to write."""

LONGEST_WAIT_S = 300.0


class Locking:
    """One watched project whose files are locked again and again while there is work."""

    def __init__(self, factory: Project, folder: Path, seed: int) -> None:
        self._factory, self._chance = factory, random.Random(seed)
        self._clock = SystemClock()
        self.log = folder / "run.log"
        self.stream = PlanStream(factory)
        self.held: dict[str, int] = dict.fromkeys(FILES, 0)
        self.violations: list[str] = []

    def lock(self, name: str, seconds: float) -> None:
        """Hold a file, with work under way; returns when it is free again."""
        self.stream.keep_open(1)
        holder = hold(self._factory.root / ".lao" / name, seconds)
        while holder.poll() is None:
            self._clock.wait(0.05)
        self.held[name] += holder.returncode == 0
        if holder.stdout:
            holder.stdout.close()
        self._clock.wait(self._chance.uniform(0.5, 1.0))

    def wait_for_start(self) -> None:
        self.stream.keep_open(1)
        self._until(lambda: all((self._factory.root / ".lao" / name).exists() for name in FILES))

    def finish(self) -> None:
        self._until(lambda: not self.stream.open())

    def warnings(self) -> int:
        """How often LAO has said so."""
        return self.log.read_text(errors="replace").count(LOCKED)

    def _until(self, condition: object) -> None:
        end = self._clock.monotonic() + LONGEST_WAIT_S
        while not condition():  # type: ignore[operator]
            if self._clock.monotonic() > end:
                self.violations.append(
                    f"still waiting after {LONGEST_WAIT_S:.0f} s; {self.stream.open()} plans are open"
                )
                return
            self._clock.wait(0.1)


def locks(folder: Path, *, holds: int, long: bool, seed: int, second_s: float = 1.0) -> dict[str, object]:
    """Hold locks ``holds`` times, and with ``long`` each file once more for a minute. Returns the figures."""
    chance = random.Random(seed)
    with project(folder, first_token_s=0.2) as factory:
        one = Locking(factory, folder, seed)
        run = factory.start("run", "--plain", log=one.log)
        try:
            one.wait_for_start()
            for _ in range(holds):
                one.lock(chance.choice(FILES), 10 * second_s if chance.random() < 0.05 else second_s)
            told = {"short": one.warnings()}
            for name in FILES if long else ():
                before = one.warnings()
                one.lock(name, LONG_S)
                told[name] = one.warnings() - before
            one.finish()
            run.terminate()
            code = run.wait(LONGEST_WAIT_S)
        finally:
            kill_group(run)
        calls = one.stream.steps
        most = calls + len(told)  # an answer that cannot be recorded within half a minute is asked for again
        violations = [*one.violations, *check_plans(factory, one.stream.plans, CallsAllowed(calls, calls, most))]
        violations += [f"lao run ended with {code}"] if code != 130 else []
        violations += [
            f"{n} warnings of {name} locks" for name, n in told.items() if name in FILES and n not in EXPECTED
        ]
        violations += ["a traceback is in the log"] if "Traceback" in one.log.read_text(errors="replace") else []
    held = sum(one.held.values())
    return {
        "seed": seed,
        "held": held,
        **one.held,
        "plans": len(one.stream.plans),
        "warnings": told,
        "violations": violations,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--holds", type=int, default=200)
    parser.add_argument("--long", action="store_true", help="hold each file for a minute at the end")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--keep", type=Path, help="work in this new folder and leave it there")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else time.time_ns() % 1_000_000
    print(f"seed {seed}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        figures = locks(options.keep or Path(folder), holds=options.holds, long=options.long, seed=seed)
    print(json.dumps({**figures, "seconds": round(time.monotonic() - started, 1)}, indent=2))
    return 1 if figures["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
