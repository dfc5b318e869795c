"""Hooks and telemetry in real workers (``lao run``), also after a kill -9 of everything in the middle of a hook."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lao.durable.processes import kill_marked
from tests.durability.factory_run import kill_group, plan_text, project
from tests.durability.test_processes import until
from tests.hooks.conftest import command
from tests.telemetry.collector import Collector
from workflows.hook_events import STATE_EVENTS

pytestmark = pytest.mark.durability


def told(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line] if path.exists() else []


def test_a_night_with_hooks_and_a_collector(tmp_path: Path) -> None:
    """N2 N3: each event is told once, by whichever worker; the plan is one whole trace when the workers have ended."""
    path = tmp_path / "events.jsonl"
    line = f'd=$(cat); printf "%s\\n" "$d" >> {path}'
    events = (*STATE_EVENTS, "SessionStart", "SessionEnd", "PreToolUse")
    collector = Collector()
    settings = {
        "hooks": {event: command(line) for event in events},
        "otel": {"enabled": True, "endpoint": collector.url},
    }
    try:
        with project(tmp_path, settings=settings) as factory:
            (factory.root / "plans" / "parts.md").write_text(plan_text(2))
            done = factory.lao("run", "--single-run", "--plain")
            assert done.returncode == 0, done.stderr
    finally:
        collector.close()
    names = [str(event["hook_event_name"]) for event in told(path)]
    counts = {name: names.count(name) for name in sorted(set(names))}
    assert counts.pop("SessionStart") == 2
    assert counts.pop("SessionEnd") == 2
    assert counts.pop("ModelSwap") >= 3
    assert counts.pop("PreToolUse") >= 2
    assert counts == {"PlanEnd": 1, "PlanStart": 1, "Stop": 2, "TaskCompleted": 2, "TaskStart": 2}
    roots = [span for span in collector.spans if not span.parent]
    assert [root.name for root in roots] == ["invoke_workflow parts"]
    assert {span.trace for span in collector.spans} == {roots[0].trace}
    ids = [span.id for span in collector.spans]
    assert all(span.parent in ids for span in collector.spans if span.parent)
    assert len([s for s in collector.named("invoke_agent coder") if s.id]) == 2


def test_killed_while_a_hook_hangs(tmp_path: Path) -> None:
    """N2 K1: a kill -9 of everything leaves no process of the hook; the next workers ask it again and end the plan."""
    path, gate = tmp_path / "asked.jsonl", tmp_path / "gate"
    gate.touch()
    line = f'd=$(cat); printf "%s\\n" "$d" >> {path}; test ! -e {gate} || {{ sleep 600 & sleep 600; }}'
    with project(tmp_path, settings={"hooks": {"PreToolUse": command(line)}}) as factory:
        (factory.root / "plans" / "parts.md").write_text(plan_text(1))
        process = factory.start("run", "--single-run", "--plain", log=tmp_path / "run.log")
        try:
            until(lambda: told(path), 60)
        finally:
            kill_group(process)
        gate.unlink()
        done = factory.lao("run", "--single-run", "--plain")
        assert done.returncode == 0, done.stderr
        asked = told(path)
        first = [event for event in asked if event["tool_use_id"] == asked[0]["tool_use_id"]]
        assert len(first) == 2, "cut off without an answer, so it is asked once more"
        others = [event["tool_use_id"] for event in asked if event not in first]
        assert len(others) == len(set(others))
        assert kill_marked(hook_marker(factory.root)) == 0


def hook_marker(root: Path) -> str:
    from lao.config.load import load
    from workflows.factory import Factory

    factory = Factory(load(cwd=root, env={}))
    try:
        return f"{factory.project_id}."
    finally:
        factory.close()
