"""K1 G1: a kill -9 while a question waits for a person: it stays, and its answer is obeyed after the restart."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from lao.core.clock import SystemClock
from lao.durable.owners import current_owner
from lao.servers.simulated.scenario import parse_scenario
from lao.state import approvals
from lao.state.store import open_store
from tests.durability.factory_run import Project, kill_group, project
from tests.durability.test_processes import until
from tests.workflows.test_tools_in_flow import PLAN, call, scripted

pytestmark = pytest.mark.durability

PERMISSIONS = {
    "permissions": {"mode": "confirm", "allow": ["Edit"], "ask_timeout_s": 600},
    "calibration": {"auto": False},
}


def rows(factory: Project, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(factory.root / ".lao" / "state.db") as db:
        found = db.execute(query).fetchall()
    db.close()
    return found


def attend(factory: Project) -> None:
    """This test is the terminal that shows questions."""
    store = open_store(factory.root / ".lao" / "state.db", SystemClock())
    approvals.attend(store, current_owner().to_text())
    store.close()


@pytest.mark.parametrize(("word", "ran"), [("approve", True), ("deny", False)])
def test_a_question_outlives_its_worker(tmp_path: Path, word: str, ran: bool) -> None:
    """K1: killed while it waits; answered while nothing runs; the next run obeys the answer and asks no second time."""
    turns = scripted(
        [call("shell_exec", command="touch asked")], [call("file_write", path="part_1.txt", content="x\n")]
    )
    with project(tmp_path, settings=PERMISSIONS, responses=parse_scenario(turns).responses) as factory:
        (factory.root / "plans" / "parts.md").write_text(PLAN)
        assert factory.lao("submit", "plans/parts.md").returncode == 0
        attend(factory)
        run = factory.start("run", "--single-run", "--plain", log=tmp_path / "log")
        try:
            until(lambda: rows(factory, "SELECT 1 FROM lao_approval"), 90)
        finally:
            kill_group(run)
        waiting = json.loads(factory.lao("approvals", "--json").stdout)["approvals"]
        assert [(one["id"], one["arguments"]) for one in waiting] == [(1, {"command": "touch asked"})]
        assert factory.lao(word, "1").returncode == 0
        done = factory.lao("run", "--single-run", "--plain")
        assert done.returncode == 0, done.stderr
        assert (factory.root / "parts" / "asked").exists() is ran
        assert (factory.root / "parts" / "part_1.txt").read_text() == "x\n"
        assert rows(factory, "SELECT count(*) FROM lao_approval") == [(1,)]
        granted = "SELECT granted FROM lao_audit WHERE tool = 'shell_exec'"
        assert rows(factory, granted) == [(int(ran),)]
