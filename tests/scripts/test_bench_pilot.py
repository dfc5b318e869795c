"""The benchmark of the Pilot's input line runs, and its figures are those that are promised."""

from __future__ import annotations

from scripts import bench_pilot


def test_typing_stays_responsive_while_an_answer_streams() -> None:
    """L1: an echo costs less than 50 ms of processor time at 100 tokens a second (a busy machine adds its own wait)."""
    found = bench_pilot.echo(12)
    assert len(found) == 12
    assert max(echo.cpu_ms for echo in found) < 50


def test_memory_stays_flat_over_turns() -> None:
    """L1: turns, their tools' results and their answers leave nothing behind that grows (1,000 in the script)."""
    early, late = bench_pilot.memory(20)
    assert late - early < 15
