"""Model loads of real ``lao run``s on the simulated server, side by side with the least that the workload allows."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lao.servers.simulated.scenario import parse_scenario
from scripts.gpu.minimum import least_loads, steps_of
from scripts.gpu.workloads import Workload, ten
from tests.durability.factory_run import project

TIMEOUT_S = 600


@dataclass(frozen=True)
class SwapRow:
    """One workload: tasks, tasks that ended completed, loads and their least number, most large models at a time."""

    workload: str
    tasks: int
    completed: int
    loads: int
    least: int
    together: int

    @property
    def holds(self) -> bool:
        return self.completed == self.tasks and self.loads <= self.least and self.together <= 1


def measure(workload: Workload, release: str) -> SwapRow:
    """Run the workload in a fresh project.

    Raises:
        SystemExit: ``lao run`` ended with an error.
    """
    settings = {
        "orchestration": {"retry_cooldown_base_s": 0, "infer_validation_commands": False, "release": release},
        "models": {role: {"key": f"sim-{role}", "supports_tools": False} for role in ("planner", "coder", "reviewer")},
        "calibration": {"auto": False},
    }
    scenario = parse_scenario({"responses": workload.rules()})
    with (
        tempfile.TemporaryDirectory() as folder,
        project(Path(folder), settings=settings, responses=scenario.responses) as factory,
    ):
        for number in range(len(workload.plans)):
            (factory.root / "plans" / f"plan-{number}.md").write_text(workload.text(number))
        done = factory.lao("run", "--single-run", "--plain", timeout=TIMEOUT_S)
        if done.returncode:
            raise SystemExit(f"{workload.name}: the run failed:\n{done.stdout}{done.stderr}")
        status = json.loads(factory.lao("status", "--json").stdout)
        stats: dict[str, Any] = factory.server.stats
    return SwapRow(
        workload.name,
        len(workload.jobs),
        sum(plan["tasks"].get("completed", 0) for plan in status["plans"]),
        stats["loads"],
        least_loads(steps_of(workload, release)),
        stats["max_large_resident"],
    )


def run(seed: int, *, as_json: bool) -> int:
    """Measure the ten workloads in both kinds of release; 1 when a bar is broken."""
    held = True
    for release in ("reviewed", "verified"):
        rows = [measure(workload, release) for workload in ten(seed)]
        held = held and all(row.holds for row in rows)
        if as_json:
            print(json.dumps({"release": release, "seed": seed, "rows": [asdict(row) for row in rows]}, indent=2))
            continue
        print(f"\nrelease: {release}\n\n| workload | tasks | completed | loads | least | large at a time |")
        print("| --- | ---: | ---: | ---: | ---: | ---: |")
        for row in rows:
            print(f"| {row.workload} | {row.tasks} | {row.completed} | {row.loads} | {row.least} | {row.together} |")
    return 0 if held else 1
