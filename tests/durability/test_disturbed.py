"""T8, T13, T14 in small: locked files, workers that start at once, a server in trouble."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.durability.locks import locks
from tests.durability.server_faults import server_faults
from tests.durability.starts import starts

pytestmark = pytest.mark.durability


def test_locked_files_lose_and_count_nothing(tmp_path: Path) -> None:
    """P1 P7: the short form of ``python -m tests.durability.locks``."""
    figures = locks(tmp_path, holds=6, long=False, seed=7, second_s=0.4)
    assert figures["violations"] == []
    assert figures["held"] == 6


def test_of_workers_that_start_at_once_one_works(tmp_path: Path) -> None:
    """P6: the short form of ``python -m tests.durability.starts``: a run, a gpu and a cpu consumer."""
    figures = starts(tmp_path, rounds=3, seed=3)
    assert figures["violations"] == []
    assert figures["started"] >= 6


def test_a_server_in_trouble_uses_no_attempts(tmp_path: Path) -> None:
    """P7: the short form of ``python -m tests.durability.server_faults``."""
    figures = server_faults(tmp_path, faults=20, seed=7)
    assert figures["violations"] == []
    assert figures["struck"] >= 20
