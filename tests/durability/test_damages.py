"""T11: the short form of ``python -m tests.durability.damages``, and what it found."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lao.core.errors import StateDamaged
from lao.state import plans
from lao.state.store import Store, open_store
from lao.state.tables import PlanRow
from tests.durability.damages import HARMS, base, contents, sweep
from tests.state.pipeline_steps import hand_in


def test_damaged_states_are_refused_or_recovered(tmp_path: Path) -> None:
    """T11: every kind of damage once; what is opened holds all that was acknowledged, what is refused is untouched."""
    figures = sweep(tmp_path, len(HARMS), seed=3)
    print(figures)
    assert figures["violations"] == []
    outcomes = figures["outcomes"]
    assert isinstance(outcomes, dict)
    assert outcomes["refused"] >= 9
    assert outcomes["recovered"] >= 3


def test_a_page_that_is_found_damaged_later_is_not_written_to(tmp_path: Path) -> None:
    """T11: the workers' check used to come after the opening, and the end of the refused worker folded the write-ahead
    log into the broken file."""
    state = base(tmp_path, "folded")
    pages = state.stat().st_size // 4096
    with state.open("r+b") as file:
        for page in range(pages // 2, pages):
            file.seek(page * 4096)
            file.write(os.urandom(4096))
    before = contents(state)
    with pytest.raises(StateDamaged):
        open_store(state, whole=True)
    assert contents(state) == before


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE lao_plan SET state = 'complfted'",
        "UPDATE lao_plan SET options = '{\"a\": '",
        "UPDATE lao_plan SET text = CAST(x'ff41ff' AS TEXT)",
    ],
    ids=["a state that is none", "torn JSON", "no UTF-8"],
)
def test_a_row_that_makes_no_sense_is_damage(store: Store, sql: str) -> None:
    """T11: SQLite finds nothing wrong with a changed letter; LAO tells it as damage, not as an error of its own."""
    hand_in(store)
    with closing(sqlite3.connect(store.path)) as db, db:
        db.execute(sql)
    with pytest.raises(StateDamaged, match=r"state\.db"):
        plans.all_plans(store)
    assert PlanRow.select().count() == 1
