"""Files of JSON lines hold each record once, and a torn end is mended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lao.durable.json_lines import append_new

ONE, TWO = {"key": "a/1", "state": "completed"}, {"key": "b/2", "state": "failed", "reason": "ä\nb"}


def keys(path: Path) -> list[str]:
    return [json.loads(line)["key"] for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_record_is_there_once(tmp_path: Path) -> None:
    """K: writing again what is there, or twice in one call, changes nothing; new ones follow in order."""
    path = tmp_path / ".lao" / "decisions.jsonl"
    assert append_new(path, [ONE, ONE]) == 1
    assert append_new(path, [ONE, TWO]) == 1
    before = path.read_bytes()
    assert append_new(path, [TWO, ONE]) == 0
    assert path.read_bytes() == before
    assert keys(path) == ["a/1", "b/2"]


@pytest.mark.parametrize("cut", range(1, 75, 6))
def test_a_torn_last_line_is_written_again(tmp_path: Path, cut: int) -> None:
    """K: wherever a kill or a full disk has cut the file, afterwards each record is there once and every line whole."""
    path = tmp_path / "decisions.jsonl"
    append_new(path, [ONE, TWO])
    path.write_bytes(path.read_bytes()[:-cut])
    append_new(path, [ONE, TWO])
    assert keys(path) == ["a/1", "b/2"]


def test_foreign_lines_stay(tmp_path: Path) -> None:
    """What somebody else has written into the file is not ours to drop."""
    path = tmp_path / "decisions.jsonl"
    path.write_text("not json\n[1]\n")
    append_new(path, [ONE])
    assert path.read_text().splitlines()[:2] == ["not json", "[1]"]
    assert append_new(path, [ONE]) == 0
