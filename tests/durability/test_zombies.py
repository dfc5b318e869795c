"""T13: a worker that is stopped until others have done its work, and wakes then: it writes nothing.

It is a worker of another machine by its host name, so that its lease decides and not its process, and the lock of its
queue is taken away: only the epoch of its run keeps it out. Some points; with ``LAO_LAB`` all.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from lao.core.clock import SystemClock
from lao.core.states import Queue
from lao.durable.faults import POINTS
from lao.state.runs import LEASE_S
from tests.durability.factory_run import Project, kill_group, plan_text, project
from tests.durability.invariants import check
from tests.durability.lasting_run import send
from tests.durability.test_processes import until
from workflows.supervisor import worker_command

LAB = os.environ.get("LAO_LAB", "")
TASKS = 2
CALLS = 1 + 3 * TASKS
SOME = [("before_step", 5), ("after_apply", 5), ("before_finish", 2)]
ALL = [(point, nth) for point in POINTS for nth in (1, 5)]
HELD = POINTS[: POINTS.index("after_finish")]
"""Where the run is still to be finished."""

ALONE: dict[str, object] = {"tasks_in_flight": 1, "retry_cooldown_base_s": 0, "infer_validation_commands": False}
"""Of several threads another one would be stopped in the middle of a transaction, and SQLite then lets nobody write."""

MOVE = "import os, socket, sys; socket.sethostname('elsewhere'); os.execv(sys.argv[1], sys.argv[1:])"
ELSEWHERE = ["unshare", "-Ur", "--uts", sys.executable, "-c", MOVE]


def can_move() -> bool:
    return (
        shutil.which("unshare") is not None
        and subprocess.run([*ELSEWHERE, "/bin/true"], capture_output=True, check=False).returncode == 0
    )


pytestmark = [pytest.mark.durability, pytest.mark.skipif(not can_move(), reason="needs user namespaces")]


def start(factory: Project, queue: Queue, log: Path, **extra: str) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        command = [*ELSEWHERE, *worker_command(queue)]
        return subprocess.Popen(
            command, cwd=factory.root, env=factory.environment(**extra), stdout=out, stderr=out, start_new_session=True
        )


def stopped(process: subprocess.Popen[bytes]) -> bool:
    stat = Path(f"/proc/{process.pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"


def written(factory: Project) -> tuple[list[tuple], str]:
    """All that a worker could write, but for the registry of workers, the witness and what is told of models."""
    with closing(sqlite3.connect(factory.root / ".lao" / "state.db")) as connection:
        rows = []
        for table in ("plan", "task", "run", "step", "finding", "validation", "todo"):
            rows += [(table, *row) for row in connection.execute(f"SELECT * FROM lao_{table} ORDER BY 1, 2")]
    git = ["git", "log", "--all", "--format=%H %T"]
    log = subprocess.run(git, cwd=factory.root / "parts", capture_output=True, text=True, check=True)
    return rows, log.stdout


def let_the_lease_pass(factory: Project) -> None:
    """For real in the lab at night; else by its figure in the state."""
    if LAB in ("nightly", "release"):
        SystemClock().wait(2 * LEASE_S)
        return
    with closing(sqlite3.connect(factory.root / ".lao" / "state.db", timeout=30)) as connection, connection:
        connection.execute("UPDATE lao_run SET lease_until = 0 WHERE state = 'running'")


@pytest.mark.parametrize(("point", "nth"), ALL if LAB else SOME)
def test_what_wakes_after_its_lease_writes_nothing(tmp_path: Path, point: str, nth: int) -> None:
    """P6: stopped at a named point, taken for dead, and woken when all is done: no row, no commit, no file."""
    log = tmp_path / "zombie.log"
    with project(tmp_path, settings={"orchestration": ALONE}) as factory:
        (factory.root / "plans" / "parts.md").write_text(plan_text(TASKS))
        others: list[subprocess.Popen[bytes]] = []
        cpu = start(factory, Queue.CPU, log)
        gpu = start(factory, Queue.GPU, log, LAO_FAULT=f"{point}:stop@{nth}")
        try:
            until(lambda: stopped(gpu), 60)
            kill_group(cpu)
            let_the_lease_pass(factory)
            for queue in Queue:
                (factory.root / ".lao" / f"{queue.value}.lock").unlink()
            others.append(factory.start("run", "--single-run", "--plain", log=tmp_path / "other.log"))
            assert others[0].wait(120) == 0, (tmp_path / "other.log").read_text()
            before = written(factory)
            assert send(gpu.pid, signal.SIGCONT)
            if point in HELD:
                until(lambda: "its result is dropped" in log.read_text(), 60)
            else:  # what it had at work was finished; it only goes on to the next message
                SystemClock().wait(2.0)
            gpu.terminate()
            gpu.wait(60)
            assert written(factory) == before, log.read_text()
        finally:
            for process in (cpu, gpu, *others):
                kill_group(process)
        assert check(factory, plan="parts", tasks=TASKS, per_plan=TASKS, kills=2, expected_calls=CALLS) == []
