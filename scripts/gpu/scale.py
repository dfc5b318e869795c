"""Scheduling at scale: what a task costs, what the workers' memory does, and what they use when there is no work."""

from __future__ import annotations

import json
import signal
import sqlite3
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from tests.durability.factory_run import Project, plan_text, project

PER_PLAN = 100
SAMPLE_S = 2.0
IDLE_S = 30.0
MIB = 1024**2
OVER = ("completed", "failed", "needs_human", "cancelled")


@dataclass(frozen=True)
class ScaleRow:
    """One size: wall milliseconds a task; resident MiB of the largest worker after a tenth of the work and at the end,
    and its peak; percent of one core that the busiest process uses when idle."""

    tasks: int
    plans: int
    completed: int
    ms_per_task: float
    early_mib: float
    late_mib: float
    peak_mib: float
    idle_percent: float


def measure(tasks: int, folder: Path, idle_s: float = IDLE_S) -> ScaleRow:
    """Work through ``tasks`` tasks in plans of a hundred with the watching ``lao run``, then watch it idle."""
    plans = max(1, tasks // PER_PLAN)
    settings: dict[str, object] = {
        "orchestration": {"retry_cooldown_base_s": 0, "infer_validation_commands": False},
        "models": {role: {"key": f"sim-{role}", "supports_tools": False} for role in ("planner", "coder", "reviewer")},
        "calibration": {"auto": False},
    }
    with project(folder, settings=settings) as factory:
        for number in range(plans):
            text = plan_text(min(tasks, PER_PLAN)).replace("# Build parts", f"# Build parts {number}")
            (factory.root / "plans" / f"plan-{number:03d}.md").write_text(text)
        log = factory.root / "run.log"
        started = time.monotonic()
        process = factory.start("run", "--plain", log=log)
        try:
            samples = _until_over(factory, process.pid, plans)
            wall = time.monotonic() - started
            idle = _idle_percent(process.pid, idle_s)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        completed = _count(factory, "SELECT count(*) FROM lao_task WHERE state = 'completed'")
    early = samples[len(samples) // 10 : len(samples) // 10 + 3] or samples
    return ScaleRow(
        tasks,
        plans,
        completed,
        round(wall * 1000 / tasks, 1),
        round(max(early) / MIB, 1),
        round(max(samples[-3:]) / MIB, 1),
        round(max(samples) / MIB, 1),
        round(idle, 2),
    )


def _until_over(factory: Project, pid: int, plans: int) -> list[int]:
    """Resident bytes of the largest process, sampled until every plan is over."""
    samples: list[int] = []
    states = ",".join(f"'{state}'" for state in OVER)
    while True:
        time.sleep(SAMPLE_S)
        if not psutil.pid_exists(pid):
            raise SystemExit(f"lao run has ended: {(factory.root / 'run.log').read_text()[-2000:]}")
        samples.append(max(_resident(process) for process in _family(pid)))
        if _count(factory, f"SELECT count(*) FROM lao_plan WHERE state IN ({states})") >= plans:
            return samples


def _count(factory: Project, sql: str) -> int:
    path = factory.root / ".lao" / "state.db"
    if not path.exists():
        return 0
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return int(connection.execute(sql).fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # the tables are not there yet
    finally:
        connection.close()


def _family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def _idle_percent(pid: int, seconds: float) -> float:
    """CPU time of the busiest process, in percent of one core."""
    before = [(process, _used(process)) for process in _family(pid)]
    time.sleep(seconds)
    return max(_used(process) - used for process, used in before) * 100 / seconds


def _used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def run(sizes: list[int], *, as_json: bool) -> int:
    """Measure each size; 1 when a bar is broken: 1.3 times the first size's cost, 150 MiB, 1 % of a core a worker."""
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measure(size, Path(folder)))
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print("| tasks | plans | completed | ms a task | early MiB | late MiB | peak MiB | idle % of a core |")
        print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        for row in rows:
            print(f"| {' | '.join(str(value) for value in asdict(row).values())} |")
    first = rows[0]
    held = all(
        row.completed == row.tasks
        and row.ms_per_task <= 1.3 * first.ms_per_task
        and row.peak_mib <= 150
        and row.idle_percent <= 1
        for row in rows
    )
    return 0 if held else 1
