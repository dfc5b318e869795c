"""docs/mcp.md: its examples are understood, its figures and tables are those of the code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from lao.config.load import load
from lao.tools.mcp import connection, offers, pipes, servers, web
from tests.cli.test_mcp_server import TOOLS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "mcp.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_are_understood(tmp_path: Path) -> None:
    """O3: both files of the page together give four servers and no problem; the last one is LAO itself."""
    first, itself = blocks("json")
    (tmp_path / ".mcp.json").write_text(first)
    (tmp_path / "factory.yaml").write_text(blocks("yaml")[0])
    found, problems = servers.servers_of(load(cwd=tmp_path, env={}), {})
    assert problems == ()
    assert {server.name: server.transport for server in found} == {
        "files": "stdio", "tickets": "http", "database": "stdio", "search": "http",
    }  # fmt: skip
    by_name = {server.name: server for server in found}
    assert by_name["files"].command[-1] == "/srv/data"
    assert by_name["database"].tool_timeout_s == 20
    assert by_name["search"].trust is False
    assert json.loads(itself)["mcpServers"]["lao"]["args"] == ["mcp-server"]
    assert yaml.safe_load(blocks("yaml")[0])["mcp"] == {
        "tool_tokens": load(cwd=tmp_path, env={}).raw["mcp"]["tool_tokens"]
    }


def test_the_figures_are_those_of_the_code() -> None:
    """O3: limits in the text."""
    assert (servers.STARTUP_S, servers.CALL_S, offers.FIRST_TOOLS, connection.MOST_TOOLS) == (30, 60, 8, 500)
    assert pipes.MOST_LINE == web.MOST_ANSWER == 8_000_000
    for text in (
        "`startup_timeout_s` (30)",
        "`tool_timeout_s` (60)",
        "reads 500 at most and offers eight",
        "more than 8 MB",
    ):
        assert text in PAGE


def test_the_server_s_tools_are_all_told() -> None:
    """O3: the table of lao mcp-server has every tool and no other."""
    table = PAGE.split("## LAO as a server")[1]
    assert (
        sorted(n for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for n in re.findall(r"`(\w+)`", row))
        == TOOLS
    )
