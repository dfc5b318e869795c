"""D9: candidates that are right in different places are put together by their checks, without a further model call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.workflows.conftest import Plant

PLAN = """# Pair

- task: pair | file: pair.py | test: python3 -c "import pair; assert pair.first() == 1"

Test: `python3 -c "import pair; assert pair.second() == 2"`
"""
MODULE = "def first():\n    return {}\n\n\ndef second():\n    return {}\n"


def answer(first: int, second: int, times: int) -> dict[str, Any]:
    text = f"FILE: pair.py\n```python\n{MODULE.format(first, second)}```\n"
    return {"match": {"role": "coder"}, "answer": {"text": text}, "times": times}


def test_two_halves_make_a_whole(plant: Callable[..., Plant]) -> None:
    """Draft and fresh try have one function right each; the third attempt crosses them and is committed."""
    scenario = {"responses": [answer(1, 9, 2), answer(8, 2, 2), answer(7, 7, 1)]}
    it = plant(
        scenario,
        orchestration={"retry_cap_validation": 3},
        attempts={"candidates": 1, "idle": False},
        models={"coder": {"key": "sim-coder", "supports_tools": False}},
    )
    it.submit("pair", PLAN)
    it.turn()
    (task,) = it.tasks()
    assert (task["state"], task["attempts"], task["rung"]) == ("completed", 3, "cross")
    assert (it.root / "pair" / "pair.py").read_text() == MODULE.format(1, 2)
    asked = [e for e in it.server.log if e["kind"] == "completion" and e.get("model") == "sim-coder"]
    assert len(asked) == 5
