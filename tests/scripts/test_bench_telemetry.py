"""The benchmark of telemetry runs and prints its figures."""

from __future__ import annotations

import re

import pytest

from scripts import bench_telemetry


def test_it_prints_three_figures(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """N3: what is recorded more for a model call stays under 50 µs, so that it cannot be noticed beside one."""
    monkeypatch.setattr(bench_telemetry, "NUMBER", 50)
    assert bench_telemetry.main() == 0
    figures = [float(n) for n in re.findall(r"([\d.]+) µs", capsys.readouterr().out)]
    assert len(figures) == 3
    assert figures[0] < 50
