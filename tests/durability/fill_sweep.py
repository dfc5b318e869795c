"""A disk that fills up at random moments to random levels, then the checker. Run: python -m tests.durability.fill_sweep

Each level has a project of its own on a small disk in memory, which is mounted in a user namespace; no privilege is
needed. Prints its seed; ``--seed`` replays moments and levels.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path

from tests.durability.factory_run import Project, plan_text, project
from tests.durability.invariants import check
from tests.durability.kill_sweep import over
from tests.durability.warm import Workers, warmed

TASKS = 6
CALLS = 1 + 3 * TASKS
IN_FLIGHT = 4
"""Model calls whose answers may find no room."""
DISK_MB = 40
FULL_S = 4.0
"""How long the disk stays full."""
RESUMED_S = 60.0
LIMITS = {"retry_cooldown_base_s": 0, "infer_validation_commands": False, "min_free_disk_mb": 0}


def sweep(disk: Path, *, levels: int, seed: int) -> dict[str, object]:
    """Fill the disk ``levels`` times; the figures, with the violations."""
    chance, context = random.Random(seed), warmed()
    said, slowest, kept = 0, 0.0, Path(tempfile.mkdtemp(prefix="lao-fill-"))
    violations: list[str] = []
    for number in range(levels):
        left_kb = chance.choice((0, 4, 16, 64, 256)) + chance.randrange(0, 200, 4) * (number % 2)
        folder = disk / str(number)
        settings: dict[str, object] = {"orchestration": LIMITS}
        with project(folder, settings=settings, first_token_s=0.15) as factory:
            (factory.root / "plans" / "parts.md").write_text(plan_text(TASKS, check="test -s part_{n}.txt"))
            log = kept / f"{number}.log"
            after_s = _fill_once(factory, context, chance.uniform(0.2, 3.0), left_kb, log)
            found = [f"not completed {RESUMED_S:.0f} s after there was room"] if after_s is None else []
            found = found or check(
                factory, plan="parts", tasks=TASKS, kills=IN_FLIGHT, expected_calls=CALLS, per_plan=TASKS
            )
            violations += [f"level {number}, {left_kb} KB left: {violation}" for violation in found]
            said += "disk full" in log.read_text(errors="replace")
            slowest = max(slowest, after_s or RESUMED_S)
            if found:
                shutil.copytree(factory.root, kept / str(number))
        shutil.rmtree(folder)
        print(f"{number + 1} levels, {len(violations)} violations", file=sys.stderr, flush=True)
    told = {"seed": seed, "levels": levels, "said": said, "slowest_s": round(slowest, 1)}
    if violations:
        print(f"logs and projects are in {kept}", file=sys.stderr)
    else:
        shutil.rmtree(kept)
    return {**told, "violations": violations}


def _fill_once(factory: Project, context: ForkServerContext, begin_s: float, left_kb: int, log: Path) -> float | None:
    """Seconds from the moment there is room again to the plan's end; None when that does not come.

    Workers that could not start on the full disk are started again then.
    """

    def started() -> Workers:
        return Workers(context, factory.root, factory.environment(), log)

    workers = started()
    filler = factory.root.parent / "filler"
    try:
        workers.join(begin_s)
        _fill(filler, left_kb)
        workers.join(FULL_S)
        filler.unlink()
        freed = time.monotonic()
        while not over(factory):
            if time.monotonic() > freed + RESUMED_S:
                return None
            if not workers.alive:
                workers.kill()
                workers = started()
            workers.join(0.1)
        return time.monotonic() - freed
    finally:
        workers.kill()


def _fill(filler: Path, left_kb: int) -> None:
    """Take all but so much; what is freed meanwhile is taken as well."""
    with filler.open("wb") as file:
        size = 0
        while (free := shutil.disk_usage(filler.parent).free - left_kb * 1024) >= 4096:
            size += free
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError:
                size -= free
                return


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--levels", type=int, default=10)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--disk", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else time.time_ns() % 1_000_000
    if options.disk is None:
        print(f"seed {seed}", flush=True)
        again = [sys.executable, "-m", "tests.durability.fill_sweep", "--levels", str(options.levels)]
        inside = f'd=$(mktemp -d) && mount -t tmpfs -o size={DISK_MB}m tmpfs "$d" && exec "$@" --disk "$d"'
        return subprocess.run(
            ["unshare", "-Urm", "sh", "-c", inside, "sh", *again, "--seed", str(seed)], check=False
        ).returncode
    started = time.monotonic()
    figures = sweep(options.disk, levels=options.levels, seed=seed)
    figures["seconds"] = round(time.monotonic() - started, 1)
    print(json.dumps(figures, indent=2))
    return 1 if figures["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
