"""``lao mcp list``, ``lao mcp check`` and the doctor's rows: what they start, say, and exit with."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from lao.cli import health_cmd
from lao.cli.main import main
from lao.servers.simulated.server import SimulatedServer
from tests.tools.mcp.servers import SCRIPT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configure(folder: Path, **behaviours: str) -> None:
    """One scripted MCP server for each name, with a secret in its entry."""
    for name in behaviours:
        (folder / name).mkdir()
    entries = {
        name: {
            "command": sys.executable,
            "args": [str(SCRIPT), behaviour, str(folder / name), "--key=s3cret"],
            "env": {"TOKEN": "s3cret"},
            "startup_timeout_s": 30,
        }
        for name, behaviour in behaviours.items()
    }
    (folder / ".mcp.json").write_text(json.dumps({"mcpServers": entries}))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, Any]:
    """The exit code and the JSON document."""
    code = main([*arguments, "--json"])
    out = capsys.readouterr().out
    assert "s3cret" not in out
    return code, json.loads(out)


def test_list_starts_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """N1: name, transport, program, source; what cannot be used is named; arguments and secrets are not shown."""
    configure(folder, good="good")
    (folder / "factory.yaml").write_text("mcp_servers: [{name: web, url: 'http://u:p@h/x?key=1', enabled: false}]")
    code, view = run(capsys, "mcp", "list")
    assert code == 0
    assert [(s["name"], s["transport"], s["source"], s["enabled"]) for s in view["servers"]] == [
        ("good", "stdio", ".mcp.json", True),
        ("web", "http", "factory.yaml", False),
    ]
    assert view["servers"][1]["place"] == "http://h/x"
    assert not (folder / "good" / "starts").exists()
    (folder / ".mcp.json").write_text("{")
    assert main(["mcp", "list"]) == 0
    assert ".mcp.json: NOT USED: it is not JSON" in capsys.readouterr().out


def test_check_shows_the_tools_and_what_they_take(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """N1: tools with their tokens, the sum and the budget; exit code 0."""
    configure(folder, good="good")
    code, view = run(capsys, "mcp", "check")
    assert (code, view["ok"]) == (0, True)
    (server,) = view["servers"]
    assert (server["state"], server["listed"]) == ("ok", 4)
    assert {t["name"]: t["repeated"] for t in server["tools"]} == {
        "mcp__good__echo": True,
        "mcp__good__put": True,
        "mcp__good__note": False,
        "mcp__good__environment": False,
    }
    assert view["tokens"] == sum(t["tokens"] for t in server["tools"]) <= view["budget"]
    assert not (folder / ".lao").exists(), "looking creates no state"


def test_check_and_doctor_name_a_server_that_does_not_start(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It must show: exit code 1 of check; a warning of the doctor, since plans go on without it."""
    configure(folder, good="good", bad="no-start")
    code, view = run(capsys, "mcp", "check")
    assert code == 1
    assert {s["name"]: s["state"] for s in view["servers"]} == {"good": "ok", "bad": "failed"}
    with SimulatedServer() as server:
        (folder / "factory.yaml").write_text(f"lm_studio_base_url: {server.url}\n")
        code, view = run(capsys, "doctor")
    (group,) = [g for g in view["groups"] if g["group"] == "MCP"]
    assert {c["name"]: c["level"] for c in group["checks"]} == {"good": "ok", "bad": "warn"}
    bad = next(c for c in group["checks"] if c["name"] == "bad")
    assert "cannot open the database" in bad["text"]
    assert "'lao mcp check' tries 'bad' again" in bad["remedy"]
    assert code == 0
    assert main(["mcp", "check"]) == 1
    text = capsys.readouterr().out
    assert "bad: DOES NOT START: ended with exit code 1" in text
    assert "good: 4 of 4 tools offered" in text


def test_a_project_without_servers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """N1: says where they would stand; the doctor has nothing to say."""
    assert main(["mcp", "check"]) == 0
    assert "no MCP servers: see mcp_servers in factory.yaml" in capsys.readouterr().out
    main(["doctor"])
    assert "MCP" not in capsys.readouterr().out


def test_health_has_a_row_for_each_server(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """N1 M1: connected with its tools and the time, or the named error and what to do; the exit code is the models'."""
    monkeypatch.setattr(health_cmd, "HEALTH_S", 5.0)
    configure(folder, good="good", bad="no-start", slow="silent")
    document = json.loads((folder / ".mcp.json").read_text())
    document["mcpServers"]["odd"] = {"type": "ws", "url": "ws://h"}
    document["mcpServers"]["off"] = {"command": "x", "disabled": True}
    (folder / ".mcp.json").write_text(json.dumps(document))
    with SimulatedServer() as server:
        (folder / "factory.yaml").write_text(f"lm_studio_base_url: {server.url}\n")
        code, view = run(capsys, "health")
        rows = {row["name"]: row for row in view["mcp"]}
        assert (code, view["ok"], sorted(rows)) == (0, True, ["bad", "good", "odd", "off", "slow"])
        good = rows["good"]
        assert (good["connected"], good["tools"], good["error"], good["remedy"]) == (True, 4, "", "")
        assert 0 < good["seconds"] < 30
        assert "cannot open the database" in rows["bad"]["error"]
        assert "try its command by hand" in rows["bad"]["remedy"]
        assert "was not ready within 5 s" in rows["slow"]["error"], "its own limit is 30 s"
        assert rows["odd"]["error"] == "not used: .mcp.json: LAO does not speak 'ws'; it can do stdio, http and sse"
        assert [row["connected"] for row in view["mcp"]].count(True) == 1
        del document["mcpServers"]["slow"]
        (folder / ".mcp.json").write_text(json.dumps(document))
        assert main(["health"]) == 0
        text = capsys.readouterr().out
    assert "MCP good: connected in " in text
    assert "MCP bad: NOT CONNECTED after " in text
    assert "MCP off: switched off" in text
    assert "→ mend the entry" in text


def test_health_without_servers_starts_and_says_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """N1: no row, and the exit code of the models as ever."""
    with SimulatedServer() as server:
        wrong = f"lm_studio_base_url: {server.url}\nmodels: {{coder: {{key: nonesuch}}}}\n"
        (folder / "factory.yaml").write_text(wrong)
        code, view = run(capsys, "health")
    assert (code, view["mcp"]) == (1, [])
