"""A kill -9 while a test is written, tried and committed, while a plan is closed: nothing twice, nothing lost."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from lao.core.states import Queue
from lao.servers.simulated.scenario import parse_scenario
from tests.durability.factory_run import kill_group, project
from tests.durability.test_processes import until
from tests.durability.test_whole_killed import query
from tests.workflows.test_contracts import PLAN, STRONG, author
from workflows.supervisor import worker_command

pytestmark = pytest.mark.durability

ALWAYS = {"responses": [{k: v for k, v in author(STRONG)["responses"][0].items() if k != "times"}]}
"""The author's answer as often as it is asked."""


@pytest.mark.parametrize(
    ("queue", "fault"),
    [
        (Queue.GPU, "after_step:kill@5"),
        (Queue.GPU, "after_intent:kill@2"),
        (Queue.CPU, "after_finish:kill@3"),
    ],
)
def test_killed_there_the_next_run_ends_the_same(tmp_path: Path, queue: Queue, fault: str) -> None:
    """K1 D7 D10: one test, one commit of it, proved by three wrong versions; one line in the log of decisions."""
    with project(tmp_path, responses=parse_scenario(ALWAYS).responses) as factory:
        (factory.root / "plans" / "grades.md").write_text(PLAN)
        workers = [
            subprocess.Popen(
                worker_command(each),
                cwd=factory.root,
                env=factory.environment(**({"LAO_FAULT": fault} if each is queue else {})),
                start_new_session=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for each in Queue
        ]
        try:
            until(lambda: any(worker.poll() is not None for worker in workers), 120)
            assert -9 in [worker.poll() for worker in workers], "the point was not hit"
        finally:
            for worker in workers:
                kill_group(worker)
        done = factory.lao("run", "--single-run", "--plain", timeout=400)
        assert done.returncode == 0, done.stderr
        log = subprocess.run(
            ["git", "log", "--format=%s"], cwd=factory.root / "grades", capture_output=True, text=True, check=True
        )
        assert log.stdout.count("lao(contract): test for grade") == 1
        (tried,) = query(factory, "SELECT mutants FROM lao_writtentest")
        assert [item[3] for item in json.loads(tried[0])] == [True] * 3
        lines = (factory.root / ".lao" / "decisions.jsonl").read_text().splitlines()
        assert [(json.loads(line)["state"], json.loads(line)["evidence"]) for line in lines] == [
            ("completed", {"proved": 1})
        ]
        asked = query(factory, "SELECT COUNT(*) FROM lao_modelevent WHERE kind='call'")
        assert 5 <= asked[0][0] <= 6
