"""kill -9 of both workers at random moments, then the checker. Run: python -m tests.durability.kill_sweep

Prints its seed; ``--seed`` replays the same moments (the machine's own timing still varies). The workers are forked
from a process that has loaded LAO (``tests.durability.warm``); the last run of each project is a plain ``lao run``.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from multiprocessing.context import ForkServerContext
from pathlib import Path

from lao.state.recovery import SELECTIVE_CRASH, STRIKES
from tests.durability.factory_run import Project, plan_text, project
from tests.durability.invariants import check
from tests.durability.warm import Workers, warmed

TASKS = 10
PLAN = "parts"
PATIENCE_S = 30.0
A_PROJECT = 250
"""Kills before a project is let finish, checked and left for a fresh one."""


def undisturbed_calls(folder: Path, text: str, settings: dict[str, object] | None) -> int:
    """How many model calls the same plan makes when nobody disturbs it."""
    with project(folder, settings=settings) as factory:
        (factory.root / "plans" / f"{PLAN}.md").write_text(text)
        done = factory.lao("run", "--single-run", "--plain")
        if done.returncode:
            raise RuntimeError(f"the undisturbed run failed:\n{done.stdout}{done.stderr}")
        return int(factory.server.stats["completions"])


def sweep(folder: Path, *, kills: int, seed: int, longest_s: float = 1.5, early: bool = False) -> dict[str, object]:
    """Kill ``kills`` runs at random moments, let the last one of each project finish, check. Returns the figures.

    Args:
        early: tasks that build on one another, begun upon verified work (``release: verified``).
    """
    moments = random.Random(seed)
    text = plan_text(TASKS, chained=early, check="test -s part_{n}.txt")
    told: dict[str, object] = {"retry_cooldown_base_s": 0, "infer_validation_commands": False, "release": "verified"}
    settings: dict[str, object] | None = {"orchestration": told} if early else None
    expected = undisturbed_calls(folder / "undisturbed", text, settings)
    found: dict[str, object] = {"seed": seed, "kills": 0, "plans": 0, "calls_per_plan": expected}
    violations: list[str] = []
    hit = plans = 0
    while hit < kills:
        place = folder / f"killed-{hit}"
        with project(place, settings=settings, first_token_s=0.08) as factory:
            (factory.root / "plans" / f"{PLAN}.md").write_text(text)
            struck = _kill_again_and_again(factory, text, min(A_PROJECT, kills - hit), longest_s, moments)
            done = factory.lao("run", "--single-run", "--plain", timeout=600)
            names = sorted(p.stem for p in (factory.root / "plans").glob("*.md"))
            found_here = [f"the last run ended with {done.returncode}: {done.stdout}"] if done.returncode else []
            found_here += _check_all(factory, names, struck, expected)
        hit, plans = hit + struck, plans + len(names)
        violations += [f"{violation} (in the project begun after {hit - struck} kills)" for violation in found_here]
        print(f"{hit} kills, {len(violations)} violations", *found_here, sep="\n  ", file=sys.stderr, flush=True)
        if not found_here:
            shutil.rmtree(place)
    return {**found, "kills": hit, "plans": plans, "violations": violations}


def _kill_again_and_again(factory: Project, text: str, kills: int, longest_s: float, moments: random.Random) -> int:
    """Returns how many kills struck living workers."""
    context: ForkServerContext = warmed()
    hit = rounds = 0
    while hit < kills:
        rounds += 1
        workers = Workers(context, factory.root, factory.environment(), factory.root.parent / "run.log")
        workers.join(moments.uniform(0.05, longest_s))
        deadline = time.monotonic() + PATIENCE_S
        while _may_be_set_aside(factory) and time.monotonic() < deadline:
            workers.join(0.1)
        hit += 1 if workers.kill() else 0
        if over(factory):
            _begin_again(factory, text, rounds)
    return hit


def over(factory: Project) -> bool:
    """Whether all plans are completed."""
    states = _read(factory, "SELECT state FROM lao_plan")
    return bool(states) and set(states) == {"completed"}


def _may_be_set_aside(factory: Project) -> bool:
    """Whether another kill would rightly set a run aside: it was killed again and again before it got anywhere."""
    open_runs = "SELECT strikes FROM lao_run WHERE state IN ('ready', 'running')"
    return any(int(strikes) + SELECTIVE_CRASH >= STRIKES for strikes in _read(factory, open_runs))


def _read(factory: Project, query: str) -> list[str | int]:
    """Without writing: a last connection that may write would tidy away what the kill has left."""
    state = factory.root / ".lao" / "state.db"
    if not state.exists():
        return []
    with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as connection:
        try:
            return [row[0] for row in connection.execute(query)]
        except sqlite3.OperationalError:  # killed before its tables were made
            return []


def _begin_again(factory: Project, text: str, number: int) -> None:
    """The plan was done before all kills had struck: hand in another one like it."""
    again = text.replace("# Build parts", f"# Build parts {number}")
    (factory.root / "plans" / f"{PLAN}{number}.md").write_text(again)


def _check_all(factory: Project, plans: list[str], kills: int, expected: int) -> list[str]:
    violations = []
    for plan in plans:
        violations += check(
            factory,
            plan=plan,
            tasks=TASKS * len(plans),
            kills=kills,
            expected_calls=expected * len(plans),
            per_plan=TASKS,
        )
    return list(dict.fromkeys(violations))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--early", action="store_true", help="a chain of tasks with release: verified")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else time.time_ns() % 1_000_000
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        figures = sweep(Path(folder), kills=options.kills, seed=seed, early=options.early)
    figures["seconds"] = round(time.monotonic() - started, 1)
    print(json.dumps(figures, indent=2))
    return 1 if figures["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
