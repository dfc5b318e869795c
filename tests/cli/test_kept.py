"""Snapshots and histories beside factory.yaml: bounded, whole, several writers at once, damaged ones set aside."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lao.cli.kept import LONGEST_HISTORY, keep
from lao.config.load import load
from lao.config.settings import PathSettings
from lao.core.errors import BadInput


@pytest.fixture
def paths(tmp_path: Path) -> PathSettings:
    return load(cwd=tmp_path, env={}).paths


def test_a_history_is_bounded(paths: PathSettings) -> None:
    """M2: the newest thousand entries stay, the snapshot is the last one, whatever bytes a name has."""
    history = paths.root / "x_history.json"
    history.write_text(json.dumps([{"n": n} for n in range(LONGEST_HISTORY)]))
    assert keep(paths, "x", {"shown": "é\udcff"}, {"n": LONGEST_HISTORY}) == (paths.root / "x_snapshot.json", history)
    kept = json.loads(history.read_text())
    assert [kept[0]["n"], kept[-1]["n"], len(kept)] == [1, LONGEST_HISTORY, LONGEST_HISTORY]
    assert json.loads((paths.root / "x_snapshot.json").read_text()) == {"shown": "é\udcff"}


def test_writers_at_once_lose_nothing(paths: PathSettings) -> None:
    """M2: each of eight writers finds its entry in the history, and no temporary file is left."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: keep(paths, "x", {}, {"n": n}), range(8)))
    assert sorted(entry["n"] for entry in json.loads((paths.root / "x_history.json").read_text())) == list(range(8))
    assert not list(paths.root.glob(".lao-*.tmp"))


@pytest.mark.parametrize("damage", [b"", b"{}", b"[1]", b'[{"n": 1}', b"\xff\xfe"], ids=repr)
def test_a_damaged_history_is_set_aside(paths: PathSettings, damage: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """M2: what was there is kept under another name, said once, and a new history begun."""
    history = paths.root / "x_history.json"
    history.write_bytes(damage)
    for number in (1, 2):
        keep(paths, "x", {}, {"n": number})
    assert [entry["n"] for entry in json.loads(history.read_text())] == [1, 2]
    assert (paths.root / "x_history.json.damaged-1").read_bytes() == damage
    assert capsys.readouterr().err.count("was no history") == 1


def test_a_folder_in_the_way_is_bad_input(paths: PathSettings) -> None:
    """M2: one message that names the file."""
    (paths.root / "x_history.json").mkdir()
    with pytest.raises(BadInput, match=r"x_history\.json"):
        keep(paths, "x", {}, {})
