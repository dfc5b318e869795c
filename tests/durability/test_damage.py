"""K1: no worker runs on a damaged state file: real processes, their exit codes and their one message."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from lao.core.states import Queue
from lao.state import backups, guard
from lao.state.store import open_store
from tests.durability.factory_run import kill_group, plan_text, project
from tests.durability.test_processes import status, until
from tests.state.pipeline_steps import hand_in
from workflows.supervisor import worker_command

pytestmark = pytest.mark.durability


def tear_pages(path: Path) -> None:
    """Garbage in all pages of the second half, which hold rows; the head, and so a first look, stays as it is."""
    pages = path.stat().st_size // 4096
    with path.open("r+b") as file:
        for page in range(pages // 2, pages):
            file.seek(page * 4096)
            file.write(os.urandom(4096))


def test_a_torn_page_stops_every_worker_at_its_start(tmp_path: Path) -> None:
    """``lao run`` and plain consumers end with 42, name the backup, and the file stays as it is."""
    with project(tmp_path) as factory:
        path = factory.root / ".lao" / "state.db"
        store = open_store(path)
        for number in range(150):
            hand_in(store, f"# Plan {number}\n" + "x" * 3000, f"/plans/{number}.md")
        backup = store.back_up()
        store.close()
        tear_pages(path)
        guard.examine(path)
        before = path.read_bytes()
        runs = [factory.lao("run", "--single-run", "--plain")]
        for queue in Queue:
            command = worker_command(queue)
            environment = factory.environment()
            runs.append(
                subprocess.run(
                    command,
                    cwd=factory.root,
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=False,
                )
            )
        for done in runs:
            assert done.returncode == 42, done.stderr
            assert str(backup.path) in done.stderr
            assert "Traceback" not in done.stderr
        assert path.read_bytes() == before
        assert backups.newest_good(path) == backup
        assert factory.lao("restore").returncode == 0
        assert len(status(factory)["plans"]) == 150


def test_damage_under_running_workers_ends_them(tmp_path: Path) -> None:
    """A worker that meets damage ends; the run as a whole ends with 42 instead of starting workers again and again."""
    with project(tmp_path, first_token_s=0.5) as factory:
        (factory.root / "plans" / "parts.md").write_text(plan_text(8))
        log = tmp_path / "log"
        run = factory.start("run", "--plain", log=log)
        try:
            until(lambda: "code task" in log.read_text(), 60)
            path = factory.root / ".lao" / "state.db"
            log_file = Path(f"{path}-wal")
            for file in (path, log_file):
                size = file.stat().st_size
                with file.open("r+b") as handle:
                    for place in range(4096, size, 512):
                        handle.seek(place)
                        handle.write(os.urandom(256))
            assert run.wait(timeout=60) == 42
        finally:
            kill_group(run)
        said = log.read_text()
        assert "state.db" in said
        assert factory.lao("status").returncode == 42
