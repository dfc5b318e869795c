"""What projects need from a person: told from the state of each; one that cannot be read is a row like the others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lao.durable.owners import current_owner
from lao.projects.needs import Need, live_workers, needs_in, needs_of, own_environment
from lao.projects.registry import Project
from lao.state import runs
from lao.state.glance import Glance, glance
from lao.state.store import open_store
from tests.state.test_glance import plan, run, task


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "factory.yaml").write_text("paths: {database: ./state/x.db}\n")
    return Project(tmp_path / "shop", "shop")


def dead_owner() -> str:
    """A process of this boot that is over."""
    code = "from lao.durable.owners import current_owner; print(current_owner().to_text())"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(root)}, capture_output=True, check=True
    )
    return done.stdout.decode().strip()


def test_each_need_is_told_with_its_command(project: Project) -> None:
    """L3: parked and failed work and dead workers, from the database that factory.yaml names."""
    store = open_store(project.path / "state" / "x.db")
    with store.write():
        plan("stuck", "needs_human")
        for number in range(5):
            task("stuck", f"part {number}", "needs_human")
        plan("bad", "failed")
        plan("work", "active")
        run("work", "running", 1)
    runs.register_worker(store, "gpu", dead_owner(), 4711)
    runs.register_worker(store, "cpu", current_owner().to_text(), os.getpid())
    store.close()
    assert needs_of(project, {}) == (
        Need(
            "parked", 5, "5 items parked for a person: stuck #1 part 0, stuck #2 part 1, stuck #3 part 2 and 2 more",
            "lao status",
        ),
        Need("failed", 1, "1 plan failed: bad", "lao retry-failed"),
        Need("worker", 1, "1 worker died with work left: gpu (pid 4711)", "lao run"),
    )  # fmt: skip
    assert live_workers(glance(project.path / "state" / "x.db")) == (("cpu", os.getpid()),)


def test_a_dead_worker_without_work_needs_nobody() -> None:
    """L3: a worker that was killed when all was done is nothing to act on."""
    seen = Glance(workers=(("gpu", dead_owner(), 1),), waiting=0)
    assert needs_in(seen) == ()
    assert needs_in(Glance(questions=2, rejected=1)) == (
        Need("question", 2, "2 open questions", "lao approvals"),
        Need("rejected", 1, "1 plan file not taken", "lao status"),
    )


def test_a_project_that_needs_nothing(project: Project) -> None:
    """L3: a project that was never run needs nothing, and is not changed by being asked."""
    assert needs_of(project, {}) == ()
    assert sorted(p.name for p in project.path.iterdir()) == ["factory.yaml"]


def test_what_cannot_be_read_is_a_row(project: Project) -> None:
    """L3: a missing folder, a wrong configuration, a damaged state: said, and what can be read is."""
    assert [n.kind for n in needs_of(Project(project.path / "nowhere", "x"), {})] == ["gone"]
    (project.path / "state").mkdir()
    (project.path / "state" / "x.db").write_bytes(b"garbage" * 999)
    (damaged,) = needs_of(project, {})
    assert (damaged.kind, damaged.hint) == ("state", "lao doctor")
    (project.path / "factory.yaml").write_text("openai_api_key: ${LAO_TEST_UNSET}\n")
    store = open_store(project.path / ".lao" / "state.db")
    with store.write():
        plan("bad", "failed")
    store.close()
    assert [n.kind for n in needs_of(project, {})] == ["config", "failed"]
    assert [n.kind for n in needs_of(project, {"LAO_TEST_UNSET": "x"})] == ["failed"]


def test_variables_of_one_project_say_nothing_of_another() -> None:
    """L3: DB_PATH and the like are the current project's; a server's address is anybody's."""
    env = {"DB_PATH": "/x", "LAO_CONFIG": "/y", "LAO_FLAGS": "{}", "OPENAI_API_KEY": "k", "HOME": "/h"}
    assert own_environment(env) == {"OPENAI_API_KEY": "k", "HOME": "/h"}
