"""Which MCP servers there are: factory.yaml, .mcp.json as it is, and every way in which they can be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lao.config.load import load
from lao.tools.mcp.servers import McpServer, Problem, servers_of


def found(
    root: Path, file: Any = None, yaml: str = "", env: dict[str, str] | None = None
) -> tuple[dict[str, McpServer], list[Problem]]:
    """The servers by name and the problems of a project with that .mcp.json and factory.yaml."""
    (root / "factory.yaml").write_text(yaml or "{}")
    if file is not None:
        text = file if isinstance(file, str) else json.dumps(file)
        (root / ".mcp.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    servers, problems = servers_of(load(cwd=root, env=env or {}), env or {})
    return {server.name: server for server in servers}, list(problems)


def test_the_file_of_other_tools_is_read_as_it_is(tmp_path: Path) -> None:
    """N1: command, args, env, cwd; type http and sse with url and headers; keys that LAO does not know."""
    entries = {
        "db": {"command": "npx", "args": ["-y", "db"], "env": {"PORT": 80}, "cwd": "sub", "alwaysAllow": ["x"]},
        "web": {"type": "http", "url": "https://u:p@h/mcp?key=1", "headers": {"A": "b"}},
        "old": {"type": "sse", "url": "http://h/sse"},
        "off": {"command": "x", "disabled": True},
    }
    servers, problems = found(tmp_path, {"mcpServers": entries})
    assert problems == []
    db = servers["db"]
    assert (db.command, db.env, db.cwd) == (("npx", "-y", "db"), {"PORT": "80"}, tmp_path / "sub")
    assert (db.transport, db.enabled, db.trust, db.enabled_tools) == ("stdio", True, True, None)
    assert (servers["web"].transport, servers["web"].headers) == ("http", {"A": "b"})
    assert servers["web"].place == "https://h/mcp"
    assert servers["old"].transport == "sse"
    assert servers["off"].enabled is False


def test_the_other_spelling_and_other_tools_limits(tmp_path: Path) -> None:
    """N1: "servers" as in VS Code; the limits of Codex under their names."""
    entry = {"command": "x", "startup_timeout_sec": 5, "tool_timeout_sec": 7, "enabled_tools": ["a*"]}
    servers, problems = found(tmp_path, {"servers": {"x": entry}})
    assert problems == []
    assert (servers["x"].startup_timeout_s, servers["x"].tool_timeout_s) == (5.0, 7.0)
    assert servers["x"].enabled_tools == ("a*",)


def test_the_form_of_lao_31_and_that_of_the_file(tmp_path: Path) -> None:
    """B1 N1: mcp_servers with a command line as a list, and with command and args; it wins over .mcp.json."""
    yaml = """
mcp_servers:
- {name: a, command: [my-mcp, --stdio], env: {K: v}, cwd: tools}
- {name: b, command: my-mcp, args: [--stdio], trust: false, disabled_tools: [x], tool_timeout_s: 3}
- {name: c, url: 'http://localhost:1/mcp', enabled: false}
"""
    servers, problems = found(tmp_path, {"mcpServers": {"a": {"command": "other"}, "d": {"command": "d"}}}, yaml)
    assert problems == []
    assert sorted(servers) == ["a", "b", "c", "d"]
    assert servers["a"].command == servers["b"].command == ("my-mcp", "--stdio")
    assert servers["a"].cwd == tmp_path / "tools"
    assert (servers["a"].source, servers["d"].source) == ("factory.yaml", ".mcp.json")
    assert (servers["b"].trust, servers["b"].disabled_tools, servers["b"].tool_timeout_s) == (False, ("x",), 3.0)
    assert (servers["c"].transport, servers["c"].enabled) == ("http", False)


def test_variables_are_put_in(tmp_path: Path) -> None:
    """C10: ${VAR} and ${VAR:-default}, in every text of an entry."""
    entry = {"command": "${BIN:-npx}", "args": ["--dir=${D}"], "env": {"T": "${EMPTY:-none}${UNSET:-}"}, "cwd": "${D}"}
    servers, problems = found(tmp_path, {"mcpServers": {"x": entry}}, env={"D": "/data", "EMPTY": ""})
    assert problems == []
    assert servers["x"].command == ("npx", "--dir=/data")
    assert servers["x"].env == {"T": "none"}
    assert servers["x"].cwd == Path("/data")


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ([], "the entry is no mapping"),
        ({}, "it needs a url"),
        ({"command": ""}, "it needs a url"),
        ({"command": 7}, "command must be a list of texts"),
        ({"command": "x", "args": "y"}, "args must be a list of texts"),
        ({"command": "x\0"}, "command must be a list of texts"),
        ({"command": "x", "env": ["A=b"]}, "env must be a mapping of texts"),
        ({"command": "x", "env": {"A=B": "c"}}, "a name or value that no variable can have"),
        ({"command": "x", "cwd": 3}, "cwd must be text"),
        ({"type": "ws", "url": "ws://h"}, "LAO does not speak 'ws'"),
        ({"type": "stdio", "url": "http://h"}, "it has no command to start"),
        ({"url": "file:///etc/passwd"}, "it needs a url that starts with http"),
        ({"command": "x", "tool_timeout_s": "soon"}, "tool_timeout_s must be a number of seconds"),
        ({"command": "x", "startup_timeout_s": True}, "startup_timeout_s must be a number of seconds"),
        ({"url": "http://h", "headers": {"A": "${NOT_SET}"}}, "environment variable 'NOT_SET' is not set"),
    ],
)
def test_a_wrong_entry_is_named_and_the_others_are_used(tmp_path: Path, entry: Any, text: str) -> None:
    """It must show: a malformed entry is a named problem, and nothing else suffers."""
    servers, (problem,) = found(tmp_path, {"mcpServers": {"wrong": entry, "right": {"command": "x"}}})
    assert sorted(servers) == ["right"]
    assert problem.server == "wrong"
    assert text in problem.text


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("{", "it is not JSON"),
        ("\ufeff[1]", 'it has no "mcpServers"'),
        ('{"mcpServers": []}', 'it has no "mcpServers"'),
        ("[" * 100_000, "it is not JSON"),
        ("", "it is not JSON"),
        ("null", 'it has no "mcpServers"'),
        ('{"mcpServers": null}', 'it has no "mcpServers"'),
        ('{"mcpServers": "x"}', 'it has no "mcpServers"'),
        ('{"mcp_servers": {}}', 'it has no "mcpServers"'),
        ('// mine\n{"mcpServers": {}}', "it is not JSON"),
        ('{"mcpServers": {"a": {"command": "x"},}}', "it is not JSON"),
        ("\ud800", "it is not JSON"),
        ("mcpServers:\n  a: {command: x}\n", "it is not JSON"),
        ('{"mcpServers": {}, "x": "' + "y" * 1_000_000 + '"}', "at most 1000000 are read"),
    ],
)
def test_a_wrong_file_is_one_problem(tmp_path: Path, file: str, text: str) -> None:
    """It must show: a malformed .mcp.json is named; factory.yaml's servers are used."""
    servers, (problem,) = found(tmp_path, file, "mcp_servers: [{name: a, command: x}]")
    assert sorted(servers) == ["a"]
    assert problem.server == ".mcp.json"
    assert text in problem.text


def test_two_names_that_tools_could_not_tell_apart(tmp_path: Path) -> None:
    """N1: "a.b" and "a b" would both be mcp__a_b__*: the second is left out and named."""
    servers, (problem,) = found(tmp_path, {"mcpServers": {"a.b": {"command": "x"}, "a b": {"command": "y"}}})
    assert sorted(servers) == ["a.b"]
    assert "the same as 'a.b'" in problem.text


def test_only_the_project_s_own_file_runs_commands(tmp_path: Path) -> None:
    """C10: a file in a plan's folder is not looked at; a link, and a root that models write in, are refused."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / ".mcp.json").write_text('{"mcpServers": {"evil": {"command": "x"}}}')
    assert found(tmp_path) == ({}, [])
    (tmp_path / ".mcp.json").symlink_to("shop/.mcp.json")
    servers, (problem,) = found(tmp_path)
    assert servers == {}
    assert "only a file in the folder of factory.yaml is used" in problem.text
    (tmp_path / ".mcp.json").unlink()
    servers, (problem,) = found(tmp_path, {"mcpServers": {"a": {"command": "x"}}}, "paths: {workspace: .}")
    assert servers == {}
    assert "a model could write it" in problem.text


def test_the_file_can_be_switched_off(tmp_path: Path) -> None:
    """C10: mcp.project_file: false leaves .mcp.json alone, even a broken one."""
    assert found(tmp_path, "{", "mcp: {project_file: false}") == ({}, [])
