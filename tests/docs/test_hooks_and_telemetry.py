"""The examples of docs/hooks.md and docs/telemetry.md do what the pages say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lao.config.load import load
from lao.durable.containment import Containment
from lao.hooks.contract import EVENTS, About
from lao.hooks.project import Means, ProjectHooks, load_hooks
from lao.hooks.tool_calls import ToolCallHooks, phase_over, phase_refusal
from lao.tools.context import ToolResult

ROOT = Path(__file__).resolve().parents[2]
HOOKS = (ROOT / "docs" / "hooks.md").read_text(encoding="utf-8")
TELEMETRY = (ROOT / "docs" / "telemetry.md").read_text(encoding="utf-8")


def block(page: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)
    assert found
    return found[1]


def opened(root: Path) -> ProjectHooks:
    return load_hooks(load(cwd=root, env={}), Containment.NONE)


def about(root: Path, **more: Any) -> About:
    return About(root, root, **{"plan": "draft of a shop", "phase": "review", **more})


def test_the_functions_of_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """N2 O3: docs/hooks.md: each function of the example does what its comment says."""
    (tmp_path / "hooks.py").write_text(block(HOOKS, "python"))
    project, notes = opened(tmp_path), []
    means = Means(f"docs/{tmp_path}", notes.append)
    calls = ToolCallHooks(project, about(tmp_path), means)
    assert calls.before("shell_exec", {"command": "curl x"}) == "hooks.py refused it: no downloads at night"
    assert calls.before("shell_exec", {"command": "ls"}) == {"command": "ls", "timeout_s": 60}
    assert calls.before("list_dir", {}) is None
    assert "a person" in calls.after("file_write", {"path": "a.sql"}, ToolResult("written"))
    assert "drafts" in phase_refusal(project, about(tmp_path), means)
    assert phase_refusal(project, about(tmp_path, plan="shop"), means) == ""
    phase_over(project, about(tmp_path), means, {"state": "done", "text": ""})
    assert capsys.readouterr().out == "review done draft of a shop\n"
    assert notes == []


def test_the_commands_of_the_page(tmp_path: Path) -> None:
    """N2 O3: docs/hooks.md: the example of factory.yaml is valid, refuses what it names, and notes a plan's end."""
    (tmp_path / "factory.yaml").write_text(block(HOOKS, "yaml"))
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / "settings.json").write_text("{}")
    project = opened(tmp_path)
    assert project.problems == ()
    means = Means(f"docs/{tmp_path}")
    calls = ToolCallHooks(project, about(tmp_path), means)
    assert calls.before("shell_exec", {"command": "rm -rf x"}) == "a hook refused it: not with rm -rf"
    assert calls.before("shell_exec", {"command": "ls"}) is None
    project.fire("PlanEnd", about(tmp_path, more={"state": "completed"}), means)
    assert json.loads((tmp_path / "plans-done.jsonl").read_text())["state"] == "completed"


def test_every_event_is_on_the_page() -> None:
    """N2 O3: docs/hooks.md describes exactly the events that there are."""
    table = HOOKS.split("| Event |", 1)[1].split("\n\n", 1)[0]
    named = [name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(named) == sorted(EVENTS)


def test_the_settings_of_the_telemetry_page(tmp_path: Path) -> None:
    """N3 O3: docs/telemetry.md: the example is valid; LAO_OTEL_ENDPOINT stands above it."""
    (tmp_path / "factory.yaml").write_text(block(TELEMETRY, "yaml"))
    shown = yaml.safe_load(block(TELEMETRY, "yaml"))["otel"]
    assert load(cwd=tmp_path, env={}).raw["otel"] == shown
    over = load(cwd=tmp_path, env={"LAO_OTEL_ENDPOINT": "http://c:4318"})
    assert over.raw["otel"]["endpoint"] == "http://c:4318"
    assert over.sources["otel.endpoint"] == "environment LAO_OTEL_ENDPOINT"
