"""kill -9 of the whole factory at random moments, then the checker. Run: python -m tests.durability.kill_sweep

Prints its seed; ``--seed`` replays the same moments (the machine's own timing still varies).
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.durability.factory_run import Project, kill_group, plan_text, project
from tests.durability.invariants import check

TASKS = 10
PLAN = "parts"


def undisturbed_calls(folder: Path, text: str, settings: dict[str, object] | None) -> int:
    """How many model calls the same plan makes when nobody disturbs it."""
    with project(folder, settings=settings) as factory:
        (factory.root / "plans" / f"{PLAN}.md").write_text(text)
        done = factory.lao("run", "--single-run", "--plain")
        if done.returncode:
            raise RuntimeError(f"the undisturbed run failed:\n{done.stdout}{done.stderr}")
        return int(factory.server.stats["completions"])


def sweep(folder: Path, *, kills: int, seed: int, longest_s: float = 3.0, early: bool = False) -> dict[str, object]:
    """Kill ``kills`` runs at random moments, let the last one finish, check. Returns the figures.

    Args:
        early: tasks that build on one another, begun upon verified work (``release: verified``).
    """
    moments = random.Random(seed)
    text = plan_text(TASKS, chained=early, check="test -s part_{n}.txt")
    told: dict[str, object] = {"retry_cooldown_base_s": 0, "infer_validation_commands": False, "release": "verified"}
    settings: dict[str, object] | None = {"orchestration": told} if early else None
    expected = undisturbed_calls(folder / "undisturbed", text, settings)
    hit = 0
    with project(folder / "killed", settings=settings, first_token_s=0.08) as factory:
        (factory.root / "plans" / f"{PLAN}.md").write_text(text)
        log = folder / "run.log"
        rounds = 0
        while hit < kills:
            rounds += 1
            hit += _run_and_kill(factory, log, moments.uniform(0.2, longest_s))
            if _over(factory):
                _begin_again(factory, text, rounds)
        final = factory.start("run", "--single-run", "--plain", log=log)
        code = final.wait(timeout=300)
        plans = sorted(p.stem for p in (factory.root / "plans").glob("*.md"))
        violations = [f"the last run ended with {code}"] if code else []
        violations += _check_all(factory, plans, hit, expected)
    return {"seed": seed, "kills": hit, "plans": len(plans), "violations": violations, "calls_per_plan": expected}


def _run_and_kill(factory: Project, log: Path, after_s: float) -> int:
    process = factory.start("run", "--single-run", "--plain", log=log)
    try:
        process.wait(timeout=after_s)
    except subprocess.TimeoutExpired:
        kill_group(process)
        return 1
    return 0


def _over(factory: Project) -> bool:
    status = json.loads(factory.lao("status", "--json").stdout)
    return bool(status["plans"]) and all(p["state"] == "completed" for p in status["plans"])


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
