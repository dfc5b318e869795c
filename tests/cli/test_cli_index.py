"""``lao index``: what was read and skipped and why, vectors where the server has the embedder, and clear refusals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lao.cli.main import main
from lao.config.load import load
from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES
from lao.core.states import Queue
from lao.servers.simulated.scenario import parse_scenario
from lao.servers.simulated.server import SimulatedServer
from workflows.supervisor import queue_lock

MODELS = [{"key": "embed", "size_bytes": 80_000_000, "type": "embedding"}, {"key": "large"}]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedServer]:
    monkeypatch.chdir(tmp_path)
    for name in (*VARIABLES, *CONFIG_VARIABLES, FLAGS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    work = tmp_path / "work"
    work.mkdir()
    (work / "a.py").write_text("def alpha():\n    pass\n")
    (work / "b.bin").write_bytes(b"\0\0")
    with SimulatedServer(parse_scenario({"models": MODELS})) as running:
        configure(tmp_path, running.url, "embed")
        yield running


def configure(folder: Path, url: str, embedder: str) -> None:
    roles = {role: {"key": "large"} for role in ("planner", "coder", "reviewer")}
    document = {"lm_studio_base_url": url, "models": {**roles, "embedder": {"key": embedder}}}
    (folder / "factory.yaml").write_text(yaml.safe_dump(document))


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["index", "work", "--json", *arguments]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_what_was_indexed_is_told(server: SimulatedServer, capsys: pytest.CaptureFixture[str]) -> None:
    """F5: files, what is known by name only, seconds, rate, and the vectors with their batches."""
    assert main(["index", "work"]) == 0
    out = capsys.readouterr().out
    assert "work: 2 files in " in out
    assert "read 2, 1 of them new to the index" in out
    assert "by name only: 1 binary" in out
    assert "vectors of embed: 1 new in 1 requests of at most 16" in out


def test_a_rebuild_begins_anew(server: SimulatedServer, capsys: pytest.CaptureFixture[str]) -> None:
    """F5: --rebuild forgets all; without it what is known stays."""
    first = shown(capsys)
    assert (first["files"], first["added"], first["vectors"]["done"], first["by_name"]) == (2, 1, 1, {"binary": 1})
    assert first["vectors"]["batch_size"] == 16
    again = shown(capsys)
    assert (again["added"], again["vectors"]["done"], again["rebuilt"]) == (0, 0, False)
    anew = shown(capsys, "--rebuild")
    assert (anew["added"], anew["vectors"]["done"], anew["rebuilt"]) == (1, 1, True)


def test_the_gate_loads_the_embedder_beside_the_large_model(
    server: SimulatedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """F5: the embedder comes by the memory gate, the large model stays, and a worker that has the GPU is left alone."""
    from lao.core.clock import SystemClock
    from lao.servers.detect import connect

    settings = load(cwd=tmp_path)
    large = connect(settings, SystemClock())
    large.load("large", 8192)
    lock = queue_lock(settings, Queue.GPU)
    lock.acquire()
    refused = shown(capsys)
    lock.release()
    assert refused["vectors"] == {"why_not": "'embed' is not in memory, and a worker has the GPU"}
    assert shown(capsys)["vectors"]["done"] == 1
    assert sorted(info.key for info in large.models() if info.loaded) == ["embed", "large"]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("", "no embedder is configured (models.embedder.key)"),
        ("other", "the server has no embedder 'other'"),
        ("large", "models.embedder.key: 'large' is a language model, role 'embedder' needs an embedding model"),
    ],
)
def test_without_an_embedder_the_words_are_indexed(
    server: SimulatedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str], key: str, reason: str
) -> None:
    """F5: no embedder, or a wrong one, is no failure, and the reason is told."""
    configure(tmp_path, server.url, key)
    found = shown(capsys)
    assert (found["added"], found["vectors"]["why_not"]) == (1, reason)


def test_a_server_that_is_away_costs_the_vectors_only(
    server: SimulatedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """F5: the index of words needs no server."""
    configure(tmp_path, "http://127.0.0.1:9", "embed")
    found = shown(capsys)
    assert found["added"] == 1
    assert "no model server answers" in found["vectors"]["why_not"]


def test_a_folder_that_is_not_there(server: SimulatedServer, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong path is named; nothing is made."""
    assert main(["index", "nowhere"]) == 42
    assert "there is no folder" in capsys.readouterr().err
