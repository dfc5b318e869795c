"""What LAO itself costs: wall time per task beyond the commands it runs, and the start-up of the command line.

usage: python scripts/bench_overhead.py [--tasks 50] [--json]
A simulated server without latency answers; git is on; every task passes code, verify (one real command) and review.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.durability.factory_run import Project, plan_text, project  # noqa: E402

PHASES = """
SELECT task_id, sum(finished_at - started_at) AS work, min(started_at), max(finished_at)
FROM lao_run WHERE task_id IS NOT NULL AND state = 'done' GROUP BY task_id
"""
COMMANDS = "SELECT task_id, sum(seconds) FROM lao_validation WHERE moment = 'task' GROUP BY task_id"


def overhead(folder: Path, tasks: int) -> dict[str, float]:
    """Run a plan of ``tasks`` tasks; milliseconds per task, without the commands' own time."""
    settings: dict[str, object] = {
        "orchestration": {
            "validation_build_cmd": "true",
            "infer_validation_commands": False,
            "retry_cooldown_base_s": 0,
        }
    }
    with project(folder, settings=settings) as factory:
        (factory.root / "plans" / "bench.md").write_text(plan_text(tasks))
        done = factory.lao("run", "--single-run", "--plain", timeout=600)
        if done.returncode:
            raise SystemExit(f"the run failed:\n{done.stdout}{done.stderr}")
        connection = sqlite3.connect(factory.root / ".lao" / "state.db")
        rows = connection.execute(PHASES).fetchall()
        commands = dict(connection.execute(COMMANDS).fetchall())
        connection.close()
    if len(rows) != tasks:
        raise SystemExit(f"{len(rows)} tasks were finished instead of {tasks}")
    own = [(work - commands.get(task, 0.0)) * 1000 for task, work, _, _ in rows]
    wall = (max(r[3] for r in rows) - min(r[2] for r in rows) - sum(commands.values())) * 1000
    return {
        "median_ms_in_phases": round(statistics.median(own), 1),
        "worst_ms_in_phases": round(max(own), 1),
        "wall_ms_per_task": round(wall / tasks, 1),
    }


def startup(factory: Project, *arguments: str) -> float:
    """Median of five, in milliseconds, after one warm-up."""
    times = []
    for _ in range(6):
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "lao", *arguments],
            cwd=factory.root,
            env=factory.environment(),
            capture_output=True,
            check=True,
        )
        times.append((time.perf_counter() - started) * 1000)
    return round(statistics.median(times[1:]), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures: dict[str, object] = dict(overhead(Path(folder) / "a", options.tasks))
        with project(Path(folder) / "b") as factory:
            (factory.root / "plans" / "one.md").write_text(plan_text(3))
            factory.lao("run", "--single-run", "--plain")
            figures["lao_help_ms"] = startup(factory, "--help")
            figures["lao_status_ms"] = startup(factory, "status")
    figures.update(
        tasks=options.tasks, date=date.today().isoformat(), cores=os.cpu_count(), python=platform.python_version()
    )
    if options.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:22} {value}")


if __name__ == "__main__":
    main()
