"""The GPU benchmarks run on the real workers, and their figures come from where they say."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from lao.servers.simulated.scenario import parse_scenario
from scripts.gpu.minimum import least_loads, steps_of
from scripts.gpu.record import steps_of_record
from scripts.gpu.scale import measure as measure_scale
from scripts.gpu.swaps import SwapRow, measure
from scripts.gpu.workloads import Workload, chain, with_rework
from tests.durability.factory_run import project

ROOT = Path(__file__).resolve().parents[2]


def test_loads_of_a_real_run_are_the_least() -> None:
    """E6: two plans, one with a rejection: the server counts what the search says, in both kinds of release."""
    plans = (chain(2, 0), with_rework(chain(2, 1), 0.5, random.Random(3)))
    for release, loads in (("reviewed", 7), ("verified", 5)):
        row = measure(Workload("two", plans), release)
        assert row == SwapRow("two", 4, 4, loads, loads, 1)
        assert row.holds


def test_a_row_above_the_least_does_not_hold() -> None:
    """One load too many, two large models at once or a task that is not completed breaks the bar."""
    assert not SwapRow("w", 4, 4, 4, 3, 1).holds
    assert not SwapRow("w", 4, 3, 3, 3, 1).holds
    assert not SwapRow("w", 4, 4, 3, 3, 2).holds


@pytest.mark.parametrize("release", ["reviewed", "verified"])
def test_what_happened_is_read_from_the_record(tmp_path: Path, release: str) -> None:
    """The least for the recorded phases of a chain with a rejection is what its plan says beforehand."""
    workload = Workload("one", (with_rework(chain(3), 0.3, random.Random(1)),))
    keys = {role: f"sim-{role}" for role in ("planner", "coder", "reviewer")}
    settings: dict[str, object] = {
        "orchestration": {"retry_cooldown_base_s": 0, "infer_validation_commands": False, "release": release},
        "models": {role: {"key": key, "supports_tools": False} for role, key in keys.items()},
    }
    rules = parse_scenario({"responses": workload.rules()}).responses
    with project(tmp_path, settings=settings, responses=rules) as factory:
        (factory.root / "plans" / "one.md").write_text(workload.text(0))
        assert factory.lao("run", "--single-run", "--plain").returncode == 0
        steps = steps_of_record(factory.root / ".lao" / "state.db", keys, release)
        assert least_loads(steps) == least_loads(steps_of(workload, release)) == factory.server.stats["loads"]
    assert len(steps) == len(steps_of(workload, release))


def test_scale_measures_workers_at_work(tmp_path: Path) -> None:
    """A small size goes through, and its figures are those of live processes."""
    row = measure_scale(5, tmp_path, idle_s=0.5)
    assert (row.tasks, row.plans, row.completed) == (5, 1, 5)
    assert row.ms_per_task > 0
    assert 10 < row.late_mib <= row.peak_mib < 1000


def test_the_command_line_knows_its_benchmarks() -> None:
    """An unknown name is refused with those that there are."""
    script = str(ROOT / "scripts" / "bench_gpu.py")
    done = subprocess.run([sys.executable, script, "speed"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "swaps" in done.stderr and "scale" in done.stderr
