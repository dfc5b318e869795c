"""A demand is validated only when what answers it is completed and what decides about it passes."""

from __future__ import annotations

import pytest

from lao.core.states import TaskState
from lao.quality.coverage import covered
from lao.state.requirements import Requirement

DONE, FAILED, CODING = TaskState.COMPLETED, TaskState.FAILED, TaskState.CODING


@pytest.mark.parametrize(
    ("tasks", "commands", "states", "passed", "status"),
    [
        ((), (), {}, {}, "uncovered"),
        ((1,), (), {1: DONE}, {}, "validated"),
        ((1, 2), (), {1: DONE, 2: CODING}, {}, "open"),
        ((1, 2), (), {1: DONE, 2: FAILED}, {}, "failed"),
        ((1,), ("t",), {1: DONE}, {"t": True}, "validated"),
        ((1,), ("t",), {1: DONE}, {"t": False}, "failed"),
        ((), ("t",), {}, {"t": True}, "validated"),
        ((), ("t", "u"), {}, {"t": True}, "open"),
        ((), ("t",), {1: DONE}, {}, "open"),
    ],
)
def test_the_status_of_a_demand(
    tasks: tuple[int, ...],
    commands: tuple[str, ...],
    states: dict[int, TaskState],
    passed: dict[str, bool],
    status: str,
) -> None:
    """D10: by its tasks and commands, never by what a model says."""
    (one,) = covered([Requirement("R1", "x", 3, "numbered", tasks, commands)], states, passed)
    assert one.status == status
    assert one.text == f"R1 (line 3) is {status}: x"
