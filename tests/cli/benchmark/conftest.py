"""An empty project as current folder, without the variables of the shell that runs the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that benchmark_report.json is written to."""
    root = tmp_path / "mine"
    root.mkdir()
    monkeypatch.chdir(root)
    for name in (*VARIABLES, *CONFIG_VARIABLES, FLAGS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    return root
