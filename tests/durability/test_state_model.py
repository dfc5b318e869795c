"""T17: any order of work, crashes, clock moves and retries leaves the state file where the rules say.

40 examples of 50 steps; with ``LAO_LAB=ci`` 200, with ``nightly`` 2,000; ``planted`` stops at the first of 200 that
fails.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from lao.config.load import load
from lao.core.clock import FakeClock
from tests.durability.state_machine import Pipeline
from tests.durability.state_outcomes import CAPS, WAYS, tally
from tests.durability.state_promises import watch_moves
from workflows.factory import Factory

LAB = os.environ.get("LAO_LAB", "")
NIGHTLY = LAB == "nightly"
EXAMPLES = {"": 40, "nightly": 2_000}.get(LAB, 200)
STEPS = 50

LEFT_OUT = {"": 20, "nightly": 0}.get(LAB, 4)
"""How many of the ways in which phases end may, by chance, not have been tried."""


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[type[Pipeline]]:
    told = {
        "max_task_attempts": CAPS["attempts"],
        "retry_cap_coder": 2,
        "retry_cap_reviewer": 2,
        "retry_cap_validation": CAPS["verify_failures"],
        "retry_cooldown_base_s": 3,
    }
    (tmp_path / "factory.yaml").write_text(yaml.safe_dump({"orchestration": told}))
    clock = FakeClock()
    factory = Factory(load(cwd=tmp_path, env={}), clock)
    watch_moves(factory.store.db)
    yield type("Pipeline", (Pipeline,), {"factory": factory, "clock": clock})
    factory.close()


def test_any_history_leaves_what_the_rules_say(
    pipeline: type[Pipeline], record_property: Callable[[str, object], None]
) -> None:
    """T17: claims, outcomes, crashes, stale workers, clock moves and retries in any order: nothing lost or twice."""
    tally.clear()
    run_state_machine_as_test(
        pipeline,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=not NIGHTLY,
            database=None,
            print_blob=True,
            phases=(Phase.generate,) if LAB == "planted" else (Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
    print("\n".join(f"{count:8} {what}" for what, count in sorted(tally.items())))
    missing = [f"{phase}: {way}" for phase, ways in WAYS.items() for way in ways if not tally[f"{phase}: {way}"]]
    record_property("injected", tally["ended"])
    assert tally["ended"] >= EXAMPLES
    assert len(missing) <= LEFT_OUT, f"a run that does not try everything proves less: {missing}"
