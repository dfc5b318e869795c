"""Promise: ``lao doctor`` names the right remedy: workers, queue, clock."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from lao.cli.main import main
from lao.core.states import Queue
from lao.durable.owners import FileLock, Owner, current_owner
from lao.state import ledger, queries
from lao.state.tables import RunRow, WorkerRow
from tests.cli.doctor.setups import Project


@pytest.fixture
def process() -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Python programs in a process of their own, which say a line when they are ready."""
    begun: list[subprocess.Popen[str]] = []

    def begin(code: str) -> subprocess.Popen[str]:
        started = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        begun.append(started)
        assert started.stdout is not None
        assert started.stdout.readline()
        return started

    yield begin
    for started in begun:
        started.kill()
        started.communicate()


def owner_of(pid: int) -> Owner:
    from lao.durable.owners import start_time

    mine, started = current_owner(), start_time(pid)
    assert started is not None
    return Owner(mine.host, mine.boot_id, pid, started)


def register(owner: Owner) -> None:
    at = time.time()
    WorkerRow.replace(queue=Queue.GPU.value, owner=owner.to_text(), pid=owner.pid, started_at=at).execute()


def test_a_second_worker_is_alive(project: Project, process: Callable[[str], subprocess.Popen[str]]) -> None:
    """A registered worker that lives and does not hold its queue's lock: the command ends it."""
    idle = process("import time; print('ready', flush=True); time.sleep(600)")
    store = project.state()
    register(owner_of(idle.pid))
    store.close()
    with FileLock(project.database.with_name("gpu.lock")):
        rows = project.doctor()[1]
        row = rows["workers.second"]
        assert (row["level"], f"process {os.getpid()} holds it" in row["text"]) == ("warn", True)
        assert f"gpu worker {idle.pid} since " in rows["workers.running"]["text"]
        assert row["remedy"] == f"`kill {idle.pid}`"
        project.carry_out(row["remedy"])
        assert idle.wait(30) == -signal.SIGTERM
        assert project.row("workers.second")["level"] == "ok"


def test_a_dead_worker_left_its_lock_and_a_phase(
    project: Project, process: Callable[[str], subprocess.Popen[str]]
) -> None:
    """Its lock holds nobody up and is ok; the phase it held, and what waits, need a worker."""
    path = project.database.with_name("gpu.lock")
    names = "import time; from pathlib import Path; from lao.durable.owners import FileLock"
    hold = f"lock = FileLock(Path({str(path)!r})); lock.acquire(); print('ready', flush=True)"
    dead = process(f"{names}; {hold}; time.sleep(600)")
    store = project.state()
    owner = owner_of(dead.pid)
    register(owner)
    assert f"gpu by process {dead.pid}" in project.row("workers.locks")["text"]
    assert project.row("queue.waiting")["level"] == "ok", "its worker is alive"
    dead.kill()
    dead.wait()
    rows = project.doctor()[1]
    assert rows["workers.locks"]["level"] == "ok"
    assert "left by workers that have ended: gpu.lock" in rows["workers.locks"]["text"]
    assert (rows["queue.waiting"]["level"], rows["queue.waiting"]["remedy"]) == ("warn", "`lao run`")
    RunRow.update(state="running", owner=owner.to_text()).execute()
    store.close()
    row = project.row("workers.held")
    assert (row["level"], row["remedy"]) == ("warn", "`lao run`")


def test_a_message_of_the_queue_could_not_be_read(project: Project) -> None:
    """A dead letter of today is told with its error, one of last week is not; the remedy clears it, and only it."""
    store = project.state()
    ledger.add_dead_letter(store, "gpu", b"\x80garbage", "ValueError('no message')")
    row = project.row("queue.letters")
    assert (row["level"], "ValueError('no message')" in row["text"]) == ("warn", True)
    runs = RunRow.select().count()
    project.carry_out(row["remedy"])
    assert project.row("queue.letters")["text"] == "no unreadable message in the last day, 0 before"
    assert (queries.counts(store)["dead_letters"], RunRow.select().count()) == (0, runs)
    ledger.add_dead_letter(store, "gpu", b"\x80garbage", "ValueError('no message')")
    with store.write():
        store.db.execute_sql("UPDATE lao_deadletter SET at = at - 700000")
    store.close()
    assert project.row("queue.letters")["level"] == "ok"


def test_repair_says_what_it_forgot(project: Project) -> None:
    """Each message with its error; without a state nothing is made, and with the trial of the disk it does not go."""
    assert (main(["doctor", "--repair", "--json"]), project.database.exists()) == (0, False)
    assert json.loads(project.capsys.readouterr().out)["repaired"] == []
    store = project.state()
    for number in range(3):
        ledger.add_dead_letter(store, "cpu", b"x", f"ValueError({number})")
    store.close()
    assert main(["doctor", "--repair"]) == 0
    lines = project.capsys.readouterr().out.splitlines()[:3]
    assert [line.rsplit(": ", 1)[1] for line in lines] == ["ValueError(2)", "ValueError(1)", "ValueError(0)"]
    assert main(["doctor", "--repair", "--durability"]) == 2


def test_the_queues_file_is_damaged(project: Project) -> None:
    """It is only wake-ups: a worker makes it anew."""
    project.state().close()
    project.database.with_name("queue.db").write_bytes(b"no database" * 1000)
    row = project.row("queue.wakeups")
    assert (row["level"], row["remedy"]) == ("warn", "`lao run`")


def test_the_clock_was_set_back(project: Project) -> None:
    """What is in the state was written later than now."""
    store = project.state()
    with store.write():
        RunRow.update(created_at=time.time() + 7200).execute()
    store.close()
    row = project.row("clock.future")
    assert (row["level"], "timedatectl" in row["remedy"]) == ("warn", True)
