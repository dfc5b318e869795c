"""docs/notifications.md says what there is: events, fields, settings that load."""

from __future__ import annotations

import json
import re
from pathlib import Path

from lao.config.load import load
from lao.notify.message import EVENTS, sample

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")


def test_the_events_of_the_page(tmp_path: Path) -> None:
    """M4 O3: all events, and which of them are told without a word in factory.yaml."""
    rows = re.findall(r"^\| `(\w+)` \| .* \| (yes|no) \|$", PAGE, re.MULTILINE)
    assert [name for name, _ in rows] == list(EVENTS)
    assert [name for name, by_itself in rows if by_itself == "yes"] == load(cwd=tmp_path, env={}).raw["notify"]["on"]


def test_the_message_of_the_page() -> None:
    """M4 O3: the example has exactly the fields of a message, and the table names them all."""
    found = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert found
    fields = set(sample("plan_done", "/p", 1.0).view())
    assert set(json.loads(found[1])) == fields
    table = PAGE.split("| Field |", 1)[1].split("\n\n", 1)[0]
    cells = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    assert {name for cell in cells for name in re.findall(r"`(\w+)`", cell)} == fields


def test_the_settings_of_the_page(tmp_path: Path) -> None:
    """M4 O3: each YAML example is a valid factory.yaml."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    for block in blocks:
        (tmp_path / "factory.yaml").write_text(block)
        section = load(cwd=tmp_path, env={}).raw["notify"]
        assert section["command"] or section["webhook"]
        if "stalled" in block:
            assert section["on"] == list(EVENTS), "on is a key, not YAML 1.1's word for true"
