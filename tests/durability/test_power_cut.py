"""Power cuts: what is acknowledged is there afterwards. The short form of ``python -m tests.durability.power_cut``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.durability.power_cut import cannot, factory_cuts, state_cuts

WHY_NOT = cannot()
pytestmark = [pytest.mark.durability, pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "can be done here")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As system calls name it."""
    return Path(os.path.realpath(tmp_path))


def test_no_acknowledged_transaction_is_lost(folder: Path) -> None:
    """T6: the state opens, is whole and has every transaction whose commit had returned, from the first one on."""
    figures = state_cuts(folder, cuts=120, seed=7)
    assert figures.violations == []
    assert figures.operations > 500
    assert figures.cuts == 120
    assert figures.lossy > 100


def test_a_state_that_is_not_synced_is_found_out(folder: Path) -> None:
    """The experiment can fail: with synchronous=OFF transactions are lost."""
    figures = state_cuts(folder, cuts=160, seed=7, synchronous=0)
    assert any("are lost" in violation for violation in figures.violations)


def test_the_factory_ends_its_plan_after_a_power_cut(folder: Path) -> None:
    """T6 I1-I6: what the state says is committed is in git with all its objects; the next run ends the plan as if
    nothing had been, but for attempts that were at their desks."""
    figures = factory_cuts(folder, cuts=40, resumed=3, seed=7, tasks=2)
    assert figures.violations == []
    assert figures.operations > 1_500
    assert figures.resumed == 3
    assert figures.lossy > 30
