"""Bad MCP servers, .mcp.json files and hooks through the whole pipeline: each is named, the plan is completed without
them, and no process of theirs is left."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from lao.durable.owners import start_time
from lao.durable.processes import MARKER
from lao.state import ledger
from tests.tools.mcp.servers import SCRIPT
from tests.workflows.conftest import Plant
from tests.workflows.test_tools_in_flow import PLAN, call, scripted

Open = Callable[..., Plant]
WRITE = call("file_write", path="part_1.txt", content="x\n")


def left(factory: Plant, folder: Path) -> list[int]:
    """Processes with a marker of the project, and those that scripted servers have noted, that still live."""
    found = [
        int(pid) for name in ("starts", "children") for file in folder.rglob(name) for pid in file.read_text().split()
    ]
    alive = [pid for pid in found if start_time(pid) is not None]
    for process in psutil.process_iter():
        try:
            marker = process.environ().get(MARKER, "")
        except (psutil.Error, OSError):
            continue
        alive += [process.pid] if marker.startswith(factory.factory.project_id) else []
    return alive


def notices(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.getMessage().startswith("MCP server")]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "it is not JSON"),
        ("", "it is not JSON"),
        ("\udcff\udcfe", "it is not JSON"),
        ("[]", 'it has no "mcpServers"'),
        ('{"mcpServers": []}', 'it has no "mcpServers"'),
        ('{"mcpServers": {"a": 7}}', "the entry is no mapping"),
        ('{"mcpServers": {"a": {"command": 7}}}', "command must be a list of texts"),
        ('{"mcpServers": {"a": {"command": "x", "args": "y"}}}', "args must be a list of texts"),
        ('{"mcpServers": {"a": {"command": "x", "env": {"A=B": "c"}}}}', "a name or value that no variable can have"),
        ('{"mcpServers": {"a": {"type": "ws", "url": "ws://h"}}}', "LAO does not speak 'ws'"),
        ('{"mcpServers": {"a": {"command": "${NO_SUCH_VARIABLE}"}}}', "'NO_SUCH_VARIABLE' is not set"),
        ('{"mcpServers": {"a": {"command": "/no/such/program"}}}', "does not start, plans go on without it"),
        ('{"mcpServers": {"a": {"url": "http://127.0.0.1:9/mcp"}}}', "does not start, plans go on without it"),
    ],
)
def test_a_malformed_file_costs_its_servers_only(
    plant: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, named: str
) -> None:
    """It must show: one notice with what is wrong, the plan is completed."""
    (tmp_path / ".mcp.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    factory = plant(scripted([WRITE]))
    with caplog.at_level(logging.INFO, "lao"):
        factory.submit("tools", PLAN)
        factory.turn()
    assert [p["state"] for p in factory.plans()] == ["completed"]
    (told,) = notices(caplog)
    assert named in told


STARTING = {
    "no-start": "cannot open the database",
    "silent": "was not ready within 3 s",
    "mute": "was not ready within 3 s",
    "flood": "prints what is no message on its stdout",
    "nonsense": "ListToolsResult",
    "huge-start": "sent a message of more than 8 MB",
}
CALLED = {
    "dies": "ended during a call",
    "hang": "gave no answer within 2 s",
    "nonsense-call": "gave an answer that makes no sense",
    "huge": "sent a message of more than 8 MB",
    "scrubs": "",
    "clings": "",
    "thousand": "8 of its more than 500 tools are offered",
    "twins": "lists two tools called 'put'",
}


def test_bad_servers_all_at_once(plant: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It must show K1: dead at start, mute, flooding, dying in a call, 50 MB, hundreds of tools, children that stay:
    named, the plan is completed, zero processes are left without any sandbox."""
    servers = []
    for behaviour in (*STARTING, *CALLED):
        (folder := tmp_path / "servers" / behaviour).mkdir(parents=True)
        waits = 3 if "3 s" in STARTING.get(behaviour, "") else 60
        entry = {"name": behaviour, "command": [sys.executable, str(SCRIPT), behaviour, str(folder)]}
        servers.append({**entry, "startup_timeout_s": waits, "tool_timeout_s": 2 if behaviour == "hang" else 60})
    odd = {"thousand": "tool_1", "twins": "put"}
    turns = [[call(f"mcp__{behaviour}__{odd.get(behaviour, 'note')}", text="x")] for behaviour in CALLED]
    models = {"coder": {"key": "sim-coder", "supports_tools": True, "context_length": 131_072}}
    factory = plant(
        scripted(*turns, [WRITE]),
        mcp_servers=servers,
        mcp={"tool_tokens": 100_000},
        models=models,
        sandbox={"backend": "none"},
    )
    with caplog.at_level(logging.INFO, "lao"):
        factory.submit("tools", PLAN)
        factory.turn()
    assert [p["state"] for p in factory.plans()] == ["completed"]
    told = notices(caplog)
    for behaviour, text in (STARTING | CALLED).items():
        own = [line for line in told if line.startswith(f"MCP server {behaviour!r}")]
        assert bool(own) == bool(text), (behaviour, own)
        assert text in " ".join(own), behaviour
    factory.factory.mcp.close()
    assert left(factory, tmp_path / "servers") == []


HOOKS = {
    "exit 3": "exit status 3: no output",
    "kill -SEGV $$": "exit status",
    "sleep 600": "no answer within 1 s",
    "printf '\\377\\376 no words'": "",
    "printf '{\\377'": "begins like JSON and is none",
    "head -c 10000000 /dev/zero": "it printed too much",
    "setsid sleep 600 & echo left": "",
    "./not-executable": "exit status 126",
    "/no/such/program": "exit status 127",
}


@pytest.mark.parametrize("backend", ["none", "auto"])
def test_bad_hooks_all_at_once(plant: Open, tmp_path: Path, backend: str) -> None:
    """It must show K1: hooks that crash, hang, print garbage or 10 MB, leave a child, cannot be run: each is a note of
    the run, no call is refused, the plan is completed, zero processes are left."""
    (tmp_path / "not-executable").write_text("#!/bin/sh\n")
    group = [
        {"hooks": [{"type": "command", "command": line, "timeout": 1 if "600" in line[:9] else 60} for line in HOOKS]}
    ]
    factory = plant(scripted([WRITE]), hooks={"PreToolUse": group, "PostToolUse": group}, sandbox={"backend": backend})
    factory.submit("hooked", PLAN)
    factory.turn()
    assert [p["state"] for p in factory.plans()] == ["completed"]
    notes = [f.message for f in ledger.findings_of(factory.factory.store) if f.kind == "hook"]
    for line, text in HOOKS.items():
        own = [note for note in notes if f"hook {line!r}" in note]
        assert len(own) == (2 if text else 0), (line, own)
        assert all(text in note for note in own), (line, own)
    assert left(factory, tmp_path) == []
