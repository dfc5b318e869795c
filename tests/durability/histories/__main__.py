"""Writes the kept histories of this version: python -m tests.durability.histories write [--count N] [--seed N]

Done once for each release, when its version is set, and committed with it: the tests then go on with them for ever.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from lao import __version__
from lao.core.clock import SystemClock
from lao.core.states import Queue
from lao.durable.faults import POINTS
from lao.state.migrations import MIGRATIONS
from tests.durability.factory_run import Project, kill_group, plan_text, project
from tests.durability.histories.kept import HERE, History, pack, rows
from workflows.supervisor import worker_command

TASKS = 3
LONGEST_S, POINT_S = 6.0, 12.0
AT_POINTS = 0.6
"""The share that is cut at named crash points; the others at any time."""

ALIKE = 3
"""The most archives with the same phases at work."""

AT_WORK = "SELECT phase FROM lao_run WHERE state = 'running' ORDER BY id"
ENDED = "SELECT count(*) FROM lao_plan WHERE state = 'completed'"


def cut_one(folder: Path, archive: Path, moments: random.Random, *, chained: bool) -> History | None:
    """Run a small plan, kill it, pack what is there; None when nothing was under way."""
    told = {"retry_cooldown_base_s": 0, "infer_validation_commands": False}
    told |= {"release": "verified"} if chained else {}
    with project(folder, settings={"orchestration": told}, first_token_s=0.08) as factory:
        (factory.root / "plans" / "parts.md").write_text(
            plan_text(TASKS, chained=chained, check="test -s part_{n}.txt")
        )
        cut = kill_at_a_point(factory, moments) if moments.random() < AT_POINTS else kill_at_a_time(factory, moments)
        state = factory.root / ".lao" / "state.db"
        try:
            at_work, ended = tuple(phase for (phase,) in rows(state, AT_WORK)), rows(state, ENDED)[0][0]
        except sqlite3.OperationalError:  # killed before there was a state
            return None
        if ended or not at_work:
            return None
        history = History(__version__, len(MIGRATIONS), TASKS, cut, at_work)
        pack(factory.root, archive, history)
    return history


def kill_at_a_time(factory: Project, moments: random.Random) -> str:
    """Kill everything some seconds after the start."""
    moment_s = round(moments.uniform(0.8, LONGEST_S), 2)
    run = factory.start("run", "--single-run", "--plain", log=factory.root.parent / "log")
    try:
        run.wait(timeout=moment_s)
    except subprocess.TimeoutExpired:
        kill_group(run)
    return f"after {moment_s} s"


def kill_at_a_point(factory: Project, moments: random.Random) -> str:
    """Let a worker kill itself at the nth pass of a named crash point, and kill the other one."""
    point, nth = moments.choice(POINTS), moments.randint(1, 30)
    workers = [
        subprocess.Popen(
            worker_command(queue),
            cwd=factory.root,
            env=factory.environment(LAO_FAULT=f"{point}:kill@{nth}"),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for queue in Queue
    ]
    clock = SystemClock()
    end = clock.monotonic() + POINT_S
    try:
        while all(worker.poll() is None for worker in workers) and clock.monotonic() < end:
            clock.wait(0.02)
    finally:
        for worker in workers:
            kill_group(worker)
    return f"at {point}, pass {nth}"


def write(count: int, seed: int) -> None:
    """The archives of this version, in place of those that there are."""
    folder = HERE / __version__
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    moments, alike, number, tried = random.Random(seed), Counter[tuple[str, ...]](), 0, 0
    while number < count:
        tried += 1
        archive = folder / f"{number + 1:02}.tar.xz"
        with tempfile.TemporaryDirectory() as place:
            history = cut_one(Path(place), archive, moments, chained=number % 2 == 1)
        if history is not None and alike[history.at_work] < ALIKE:
            number += 1
            alike[history.at_work] += 1
            print(
                f"{archive.name}: {history.cut}: {', '.join(history.at_work)}, {archive.stat().st_size} B", flush=True
            )
        else:
            archive.unlink(missing_ok=True)
        if tried > 10 * count:
            raise RuntimeError("the runs end before they are killed, or do not begin")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=("write",))
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=16)
    options = parser.parse_args()
    write(options.count, options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
