"""G1: a whole plan in mode dont_ask without a terminal: no question, no hang, nothing left, each refusal explained."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

import pytest

from lao.servers.simulated.scenario import parse_scenario
from tests.durability.factory_run import MODELS, Project, project
from tests.durability.invariants import orphans
from tests.tools.mcp.servers import SCRIPT
from tests.workflows.test_tools_in_flow import PLAN, call, scripted

pytestmark = pytest.mark.durability

COMMANDS = (
    "touch made", "make", "python3 -c 'open(\"made\", \"w\")'", "curl -sO http://127.0.0.1:9/x",
    "wget http://127.0.0.1:9/x",
    "pip install requests", "npm publish", "git commit -am mine", "git push --force", "sudo id", "rm -rf ..",
    "$SHELL -c id",
    "python3 -m http.server &", "nohup yes > out.log 2>&1 &", "sh -c 'yes > /dev/null'", "echo asked > by_rule.txt",
    "cat secrets/key",
)  # fmt: skip
OTHERS = (
    call("file_write", path="../outside.txt", content="no"),
    call("file_write", path="/etc/lao-test", content="no"),
    call("file_write", path=".git/hooks/pre-commit", content="no"),
    call("file_read", path="secrets/key"),
    call("mcp__s__note", text="no"),
    call("agent_run", goal="Go on without me."),
)
REFUSED = (*(call("shell_exec", command=line) for line in COMMANDS), *OTHERS)


def rows(factory: Project, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(factory.root / ".lao" / "state.db") as db:
        found = db.execute(query).fetchall()
    db.close()
    return found


def settings(folder: Path) -> dict[str, object]:
    ask = """echo '{"hookSpecificOutput": {"permissionDecision": "ask"}}'"""
    return {
        "permissions": {
            "mode": "dont_ask",
            "ask": ["Bash(echo asked *)", "Write(by_rule.txt)", "Agent"],
            "deny": ["Read(secrets/**)"],
        },
        "models": {
            role: {"key": key, "supports_tools": True, "context_length": 65_536} for role, key in MODELS.items()
        },
        "agentic": {"subagent_enabled": True},
        "mcp_servers": [{"name": "s", "command": [sys.executable, str(SCRIPT), "good", str(folder)]}],
        "hooks": {"PreToolUse": [{"matcher": "LS", "hooks": [{"type": "command", "command": ask}]}]},
        "calibration": {"auto": False},
    }


def test_refused_calls_ask_nobody_and_hang_nowhere(tmp_path: Path) -> None:
    """23 different calls that nothing allows, one that a hook wants asked, then the work: the plan ends by itself."""
    turns = [list(REFUSED[n : n + 4]) for n in range(0, len(REFUSED), 4)]
    turns += [[call("list_dir")], [call("file_write", path="part_1.txt", content="x\n")]]
    with project(
        tmp_path, settings=settings(tmp_path), responses=parse_scenario(scripted(*turns)).responses
    ) as factory:
        (factory.root / "plans" / "parts.md").write_text(PLAN)
        done = factory.lao("run", "--single-run", "--plain", timeout=300)
        assert done.returncode == 0, done.stderr
        told = json.loads(factory.lao("status", "--json").stdout)
        assert [task["state"] for task in told["tasks"]] == ["completed"]
        assert told["approvals"] == []
        assert rows(factory, "SELECT count(*) FROM lao_approval") == [(0,)]
        calls = rows(factory, "SELECT tool, granted, reason FROM lao_audit WHERE tool != 'pre_phase' ORDER BY id")
        refused = [(tool, str(reason)) for tool, granted, reason in calls if not granted]
        wanted = [str(c["name"]) for c in REFUSED] + ["list_dir"]
        assert [tool for tool, _ in refused] == wanted
        assert [tool for tool, granted, _ in calls if granted] == ["file_write"]
        for tool, reason in refused:
            assert len(reason) > 30, (tool, reason)
            assert "nobody is there" not in reason, (tool, reason)
        assert all(
            "dont_ask" in reason for tool, reason in refused if tool in ("mcp__s__note", "agent_run", "list_dir")
        )
        assert orphans(factory) == []
        left = {path.name for path in (factory.root / "parts").iterdir()} - {".git", ".gitignore", ".lao"}
        report = {"LAO_QUALITY.md", "quality_report.json"}
        assert left == {"LAO_PLAN.md", "LAO_REVIEW.log", "LAO_TASKS.json", "part_1.txt"} | report
        assert not (factory.root / "outside.txt").exists()
        assert not (tmp_path / "notes").exists(), "the MCP tool was not called"
