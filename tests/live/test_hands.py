"""Everything a model may touch, at once and on a real model: native tools, permissions, sandbox, MCP, hooks, guidance.

LAO_LIVE_URL=http://127.0.0.1:1234 LAO_LIVE_MODEL=qwen2.5-coder-1.5b python -m pytest -m live tests/live/test_hands.py
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.durability.factory_run import Project
from tests.durability.invariants import orphans
from tests.durability.test_processes import status
from tests.node.tools import program

pytestmark = pytest.mark.live

PLAN = """# Unit conversion

## 1. Litres

Write `litres.py` with `gallons_to_litres(gallons: float) -> float`. The ratio of litres to a gallon is in `ratio.txt`.
Round to two digits.

Test: `python3 -c "from litres import gallons_to_litres as g; assert g(1) == 3.79; assert g(10) == 37.85"`

## 2. Temperature

Write `temperature.py` with `celsius(fahrenheit: float) -> float`, rounded to one digit.

Test: `python3 -c "from temperature import celsius as c; assert c(212) == 100.0; assert c(0) == -17.8"`
"""
HOOKS = """import pathlib

LOG = pathlib.Path(__file__).with_name("hooks.log")


def pre_tool(name, args, ctx):
    with LOG.open("a") as log:
        log.write(f"tool {name}\\n")


def post_phase(phase, outcome, ctx):
    with LOG.open("a") as log:
        log.write(f"phase {phase}\\n")
"""


@pytest.fixture
def hands(tmp_path: Path) -> Iterator[Project]:
    """A project with a rule, a server, hooks and guidance; the coder must use native tools."""
    root = tmp_path / "project"
    workspace = root / "units"
    (workspace / "secrets").mkdir(parents=True)
    (root / "plans").mkdir()
    (root / "data").mkdir()
    (root / "data" / "note.txt").write_text("Gallons are American.\n")
    (workspace / "ratio.txt").write_text("3.7854\n")
    (workspace / "secrets" / "key.txt").write_text("key\n")
    (workspace / "AGENTS.md").write_text("All functions have type hints and a docstring of one line.\n")
    role = {"key": os.environ["LAO_LIVE_MODEL"], "context_length": 8192, "max_completion": 1200}
    document = {
        "lm_studio_base_url": os.environ["LAO_LIVE_URL"],
        "models": {
            "planner": {**role, "supports_json_schema": True},
            "coder": {**role, "supports_json_schema": True, "supports_tools": True},
            "reviewer": {**role, "supports_json_schema": True},
        },
        "permissions": {"mode": "dont_ask", "allow": ["Bash(python3 *)"], "deny": ["Read(secrets/**)"]},
        "orchestration": {"retry_cooldown_base_s": 0},
        "calibration": {"auto": False},
    }
    (root / "factory.yaml").write_text(yaml.safe_dump(document))
    command, *arguments = program("mcp-server-filesystem")
    server = {"command": command, "args": [*arguments, str(root / "data")], "enabled_tools": ["read_text_file"]}
    (root / ".mcp.json").write_text(json.dumps({"mcpServers": {"files": server}}))
    (root / "hooks.py").write_text(HOOKS)
    (root / "plans" / "units.md").write_text(PLAN)
    yield Project(root, None)  # type: ignore[arg-type]  # the server is not ours


def _rows(root: Path, sql: str) -> list[Any]:
    connection = sqlite3.connect(root / ".lao" / "state.db")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_a_small_model_with_all_hands(hands: Project) -> None:
    """It ends by itself; nobody is asked; hooks saw each call; what is done passed its test; nothing is left."""
    done = hands.lao("run", "--single-run", timeout=1500)
    assert done.returncode in (0, 3, 4), done.stderr
    shown = status(hands)
    assert {t["state"] for t in shown["tasks"]} <= {"completed", "failed", "needs_human"}
    assert _rows(hands.root, "SELECT count(*) FROM lao_approval") == [(0,)]
    audit = _rows(hands.root, "SELECT tool, granted, reason FROM lao_audit ORDER BY id")
    assert audit, "the model called no tool"
    assert all(reason for _, granted, reason in audit if not granted)
    log = (hands.root / "hooks.log").read_text().split("\n")
    assert {"phase plan", "phase code", "phase close"} <= set(log)
    assert sum(line.startswith("tool ") for line in log) >= sum(granted for _, granted, _ in audit)
    passed = {c for c, code in _rows(hands.root, "SELECT command, exit_code FROM lao_validation") if code == 0}
    finished = [t for t in shown["tasks"] if t["state"] == "completed"]
    tests = {command for row in _rows(hands.root, "SELECT commands FROM lao_task WHERE state='completed'")
             for command in json.loads(row[0])}  # fmt: skip
    assert tests <= passed, finished
    assert orphans(hands) == []
