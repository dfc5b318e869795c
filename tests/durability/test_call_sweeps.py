"""T1, T4, T9: faults at single system calls, of the worker and of its gits. The short form of the two sweeps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.durability.call_sweep import FAILING, CallFault
from tests.durability.git_sweep import GitFault, Locked
from tests.durability.nursery import can_attach
from tests.durability.stages import Choice, Injector, sweep

WHY_NOT = can_attach()
pytestmark = [pytest.mark.durability, pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "can be done here")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As system calls name it."""
    return Path(os.path.realpath(tmp_path))


def violations(folder: Path, injector: Injector, every: int, least: int, real: int = 0) -> list[str]:
    """Of a sweep over one of ``every`` points, at ``least`` of which the fault must have struck."""
    figures = sweep(folder / "bench", injector, Choice(every, seed=7, real=real))
    assert figures.struck >= least, figures
    return figures.violations


def test_a_worker_killed_at_a_call_goes_on(folder: Path) -> None:
    """T1: kill -9 before a call that writes: the next worker, or ``lao run``, ends the plan as if undisturbed."""
    assert violations(folder, CallFault(folder / "struck"), 331, 5, real=3) == []


def test_a_call_of_the_worker_that_fails_is_no_end(folder: Path) -> None:
    """T9: EIO for one fsync, fdatasync or read: no attempt is counted, and the plan is ended."""
    assert violations(folder, CallFault(folder / "struck", FAILING, "error=EIO"), 331, 3) == []


def test_a_git_that_is_killed_alone_costs_no_attempt(folder: Path) -> None:
    """T4: kill -9 of one git process at a call; the worker lives on."""
    assert violations(folder, GitFault(folder / "faults"), 331, 5) == []


def test_a_git_that_cannot_sync_costs_no_attempt(folder: Path) -> None:
    """T9: EIO for a sync of a git process; the worker lives on."""
    fault = GitFault(folder / "faults", ("fsync", "fdatasync"), "error=EIO")
    assert violations(folder, fault, 101, 2) == []


def test_the_lock_of_a_dead_git_needs_nobody(folder: Path) -> None:
    """T4: a lock file that was left in the plan's repository is removed by LAO."""
    assert violations(folder, Locked(folder / "bench" / "project"), 7, 2) == []
