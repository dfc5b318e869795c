"""A kill -9 of everything while a plan's commands run on the whole: the next run ends what was left, and the plan."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lao.durable.processes import kill_marked
from tests.durability.factory_run import Project, kill_group, plan_text, project
from tests.durability.invariants import check
from tests.durability.test_processes import until

pytestmark = pytest.mark.durability

TASKS = 4


def query(factory: Project, sql: str) -> list[tuple]:
    path = factory.root / ".lao" / "state.db"
    if not path.exists():
        return []
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    except sqlite3.OperationalError:  # its tables are being made
        return []
    finally:
        connection.close()


def test_killed_while_all_commands_run(tmp_path: Path) -> None:
    """K1: two commands beside one another, and the reviews, are cut off; what had ended is not run again."""
    gate, log = tmp_path / "gate", tmp_path / "log"
    beside = f"case $LAO_RUN in *.*.*.*) test ! -e {gate} || test {{n}} = 1 || sleep 60;; esac"
    slow = f"test -s part_{{n}}.txt && echo $LAO_RUN {{n}} >> {log} && {beside}"
    gate.touch()
    with project(tmp_path, first_token_s=0.3) as factory:
        (factory.root / "plans" / "parts.md").write_text(plan_text(TASKS, check=slow))
        process = factory.start("run", "--single-run", "--plain", log=tmp_path / "run.log")
        try:
            whole = (
                "SELECT 1 FROM lao_step JOIN lao_run ON lao_run.id=run_id WHERE phase='whole' AND label LIKE 'beside%'"
            )
            until(lambda: query(factory, whole), 60)
        finally:
            kill_group(process)
        gate.unlink()
        (begun,) = query(factory, "SELECT id FROM lao_run WHERE phase='whole'")
        done = factory.lao("run", "--single-run", "--plain")
        assert done.returncode == 0, done.stderr
        calls = 1 + 3 * TASKS
        assert check(factory, plan="parts", tasks=TASKS, per_plan=TASKS, kills=1, expected_calls=calls) == []
        noted = [line.split() for line in log.read_text().splitlines()]
        assert [n for marker, n in noted if f".{begun[0]}." in marker].count("1") == 1
        assert kill_marked(noted[0][0].partition(".")[0] + ".") == 0
