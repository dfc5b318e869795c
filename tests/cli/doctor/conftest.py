"""The sound project that tests of ``lao doctor`` break."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES
from lao.servers import discovery
from lao.servers.simulated.scenario import Scenario
from lao.servers.simulated.server import SimulatedServer
from tests.cli.doctor.setups import MODELS, Project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Project]:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = A\n\temail = a@example.org\n")
    root = tmp_path / "shop"
    (root / "plans").mkdir(parents=True)
    monkeypatch.chdir(root)
    for name in (*VARIABLES, *CONFIG_VARIABLES, FLAGS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setattr(discovery, "PORTS", ())
    with SimulatedServer(Scenario(models=MODELS, vram_total_bytes=24_000_000_000)) as server:
        made = Project(root, server, capsys)
        made.write()
        yield made
