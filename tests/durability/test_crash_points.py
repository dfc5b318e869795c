"""Every named crash point, hit for real: a worker kills itself there, and the next run finishes as if nothing was."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lao.core.states import Queue
from lao.durable.faults import POINTS, FaultPlan, InjectedFault
from tests.durability.factory_run import kill_group, plan_text, project
from tests.durability.invariants import check
from tests.durability.test_processes import until
from workflows.supervisor import worker_command

pytestmark = pytest.mark.durability

TASKS = 3
CALLS = 1 + 3 * TASKS
"""One planner call, and for each task two of the coder and one of the reviewer."""


@pytest.mark.parametrize("nth", [1, 5])
@pytest.mark.parametrize("point", POINTS)
def test_killed_there_the_next_run_finishes(tmp_path: Path, point: str, nth: int) -> None:
    """K1 K2: kill -9 at each edge of claim, step, effect and finish: nothing lost, nothing twice, one call at most."""
    with project(tmp_path) as factory:
        (factory.root / "plans" / "parts.md").write_text(plan_text(TASKS))
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
        try:
            until(lambda: any(worker.poll() is not None for worker in workers), 60)
            assert -9 in [worker.poll() for worker in workers], "the point was not hit"
        finally:
            for worker in workers:
                kill_group(worker)
        done = factory.lao("run", "--single-run", "--plain")
        assert done.returncode == 0, done.stderr
        assert check(factory, plan="parts", tasks=TASKS, per_plan=TASKS, kills=1, expected_calls=CALLS) == []


def test_the_other_actions_and_bad_plans() -> None:
    """LAO_FAULT: raise raises there, n counts the passes, an unknown point or action is said."""
    plan = FaultPlan("after_claim:raise@2")
    plan.hit("before_step")
    plan.hit("after_claim")
    with pytest.raises(InjectedFault):
        plan.hit("after_claim")
    with pytest.raises(ValueError, match="after_claim"):
        FaultPlan("nowhere:kill")
    with pytest.raises(ValueError, match="action"):
        FaultPlan("after_claim:explode").hit("after_claim")


def test_importing_the_queues_touches_nothing(tmp_path: Path) -> None:
    """O1: importing what huey_consumer is pointed at opens no file and needs no configuration."""
    import sys

    code = "import workflows.gpu, workflows.cpu"
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": root, "PATH": "/usr/bin:/bin"}, check=False
    )
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []
