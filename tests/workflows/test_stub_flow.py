"""D5: where a plan names no check, a stub that a rewrite lost sends the work back before anyone calls it done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.workflows.conftest import Plant

PLAN = "# Factors\n\n- task: write the factors | file: factors.py\n"
STUB = "def factors(value):\n    pass\n"
OTHER = "def prime_factors(value):\n    return [value]\n"
RIGHT = "def factors(value):\n    return [value]\n"


def answer(content: str) -> dict[str, Any]:
    text = f"FILE: factors.py\n```python\n{content}```\n"
    return {"match": {"role": "coder"}, "answer": {"text": text}, "times": 1}


@pytest.mark.parametrize("stub", [STUB, ""])
def test_a_lost_stub_is_asked_for_again(plant: Callable[..., Plant], stub: str) -> None:
    """With the stub the second answer is kept; without one nobody knows better and the first is."""
    it = plant(
        {"responses": [answer(OTHER), answer(RIGHT)]},
        models={"coder": {"key": "sim-coder", "supports_tools": False}},
    )
    workspace = it.root / "factors"
    workspace.mkdir()
    (workspace / "factors.py").write_text(stub)
    it.submit("factors", PLAN)
    it.turn()
    (task,) = it.tasks()
    assert task["state"] == "completed"
    assert (workspace / "factors.py").read_text() == (RIGHT if stub else OTHER)
