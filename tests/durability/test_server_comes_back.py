"""A model server that dies in a call and comes back with nothing in memory, and one that never answers a call."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.servers.simulated.scenario import Fault, Match, Rule
from tests.durability.factory_run import Project, kill_group, plan_text, project
from tests.durability.test_processes import status, until

pytestmark = pytest.mark.durability

ONCE = {"orchestration": {"llm_retry_attempts": 1, "retry_cooldown_base_s": 0, "infer_validation_commands": False}}


def hangs(role: str) -> tuple[Rule, ...]:
    """The first call of the role gets no answer."""
    return (Rule(Match(role=role), fault=Fault("hang"), times=1),)


def hung(factory: Project) -> bool:
    return any(entry.get("fault") == "hang" for entry in factory.server.log)


@pytest.mark.parametrize("role", ["planner", "coder"])
def test_an_empty_memory_is_filled_again_while_others_wait(tmp_path: Path, role: str) -> None:
    """E4: a server that loads nothing for a chat says "model is not loaded". One phase fails by it and the next
    one that waits for the same model looks first; each used to believe the one before, for minutes."""
    settings = {"orchestration": {**ONCE["orchestration"], "llm_retry_attempts": 3, "llm_retry_backoff_base_s": 1}}
    with project(tmp_path, settings=settings, jit=False, parallel=1, responses=hangs(role)) as factory:
        for n in range(3):
            text = plan_text(2).replace("# Build parts", f"# Build parts {n}")
            (factory.root / "plans" / f"parts{n}.md").write_text(text)
        run = factory.start("run", "--single-run", "--plain", log=tmp_path / "log")
        try:
            until(lambda: hung(factory), 60)
            factory.server.stop()
            factory.server.restart()
            factory.server.start()
            assert run.wait(240) == 0, (tmp_path / "log").read_text()
        finally:
            kill_group(run)
        refused = [entry for entry in factory.server.log if entry.get("status") == 400]
        assert len(refused) <= 3, "each phase that waited has asked a server of which the one before had known better"
        told = status(factory)
        assert {plan["state"] for plan in told["plans"]} == {"completed"}
        resident = told["models"]["resident"]
        assert len(resident) == len(set(resident)), "a model that is loaded again is in memory once"


def test_a_cancelled_plan_lets_go_of_a_call_that_gets_no_answer(tmp_path: Path) -> None:
    """E6: the run ends soon after ``lao cancel``, not when the silent call is over (300 s)."""
    with project(tmp_path, settings=ONCE, responses=hangs("coder")) as factory:
        (factory.root / "plans" / "parts.md").write_text(plan_text(1))
        run = factory.start("run", "--single-run", "--plain", log=tmp_path / "log")
        try:
            until(lambda: hung(factory), 60)
            assert factory.lao("cancel", "parts").returncode == 0
            assert run.wait(60) == 3, (tmp_path / "log").read_text()
        finally:
            kill_group(run)
        (plan,) = status(factory)["plans"]
        assert plan["state"] == "cancelled"
