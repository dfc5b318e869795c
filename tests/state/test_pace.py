"""Promise: the time left is told by what this project's finished tasks have taken, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lao.state.pace import Pace, pace
from lao.state.store import Store, open_store
from lao.state.tables import PlanRow, RunRow, TaskRow


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path / "state.db")
    PlanRow.create(id="p", name="p", file="p.md", text="", state="active", workspace="w", created_at=0, updated_at=0)
    yield opened
    opened.close()


def task(seq: int, state: str = "completed", **spans: tuple[float, float]) -> None:
    row = TaskRow.create(plan="p", seq=seq, title=f"t{seq}", description="", state=state, updated_at=0)
    for name, (begin, end) in spans.items():
        phase, _, attempt = name.partition("_")
        RunRow.create(
            plan="p", task=row, phase=phase, attempt=int(attempt or 1), state="done",
            created_at=0, started_at=begin, finished_at=end,
        )  # fmt: skip


def test_further_attempts_count_to_the_task(store: Store) -> None:
    """A task that took two attempts took both; the median is over tasks."""
    task(1, code=(0, 10), verify=(10, 12), review=(12, 15))
    task(2, code=(20, 30), verify=(30, 32), code_2=(32, 62), verify_2=(62, 64), review=(64, 67))
    task(3, code=(70, 90), verify=(90, 92), review=(92, 95))
    task(4, "failed", code=(100, 900))
    found = pace(store)
    assert (found.tasks, found.overlap) == (3, 1.0)
    assert found.seconds == {"code": 20, "verify": 2, "review": 3}
    assert found.left_s({"waiting": 1, "verifying": 1, "completed": 3}, []) == 25 + 5
    assert found.left_s({"coding": 1}, [("code", 15.0), ("close", 3.0)]) == 10
    assert found.left_s({"coding": 1}, [("code", 500.0)]) == 5


def test_phases_that_overlap_are_not_added_up(store: Store) -> None:
    """Where two were always under way, the time left is half of the sum."""
    for seq in (1, 2, 3, 4):
        begin = 100.0 * (seq // 2)
        task(seq, code=(begin, begin + 50))
    found = pace(store)
    assert found.overlap == pytest.approx(0.75)  # 1 alone, 2 and 3 together, 4 alone
    assert found.left_s({"ready": 4}, []) == pytest.approx(150)


def test_too_short_a_history_says_nothing(store: Store) -> None:
    """No history, and one of two tasks: no estimate."""
    assert pace(store).left_s({"ready": 4}, []) is None
    task(1, code=(0, 10))
    task(2, code=(0, 10))
    assert pace(store).left_s({"ready": 4}, []) is None
    assert Pace(tasks=3, seconds={"code": 1.0}).left_s({"ready": 1}, []) == 1.0
