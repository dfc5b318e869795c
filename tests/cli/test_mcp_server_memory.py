"""The tool ``memory`` of ``lao mcp-server``: what others read, add and take away, by the rules of the models' tools."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from lao.state import facts
from lao.state.tables import AuditRow
from tests.cli.test_mcp_server import by_the_sdk, call, inspect, opened

FACT = "The tests need Python 3.12."


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose user has a home of their own."""
    (tmp_path / "plans").mkdir()
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setitem(os.environ, "HOME", str(home))
    return tmp_path


def audit(project: Path) -> list[tuple[str, bool, bool]]:
    store = opened(project)
    rows = [(row.tool, row.granted, row.ok) for row in AuditRow.select().order_by(AuditRow.id)]
    store.close()
    return rows


def test_a_fact_is_remembered_read_and_forgotten(project: Path) -> None:
    """N1 H3: by the SDK's client; in LAO_MEMORY.md and the state, once however often; each call is in the audit."""

    async def body(client: Any) -> None:
        (tool,) = [t for t in (await client.list_tools()).tools if t.name == "memory"]
        assert tool.annotations.destructive_hint
        assert await call(client, "memory", action="append", fact=FACT) == (True, f"remembered (project): {FACT}")
        assert (await call(client, "memory", action="append", fact=FACT))[0]
        assert (await call(client, "memory", action="append", fact="I like tabs.", scope="user"))[0]
        ok, text = await call(client, "memory", action="read")
        assert (ok, text.count(FACT), text.count("I like tabs.")) == (True, 1, 1)
        assert FACT in (project / "LAO_MEMORY.md").read_text()
        assert "I like tabs." in (project / "home" / ".lao" / "MEMORY.md").read_text()
        assert await call(client, "memory", action="forget", fact="Python 3.12") == (
            True,
            f"forgotten (project): {FACT}",
        )
        assert FACT not in (await call(client, "memory", action="read"))[1]

    assert by_the_sdk(project, body) == ""
    store = opened(project)
    assert facts.known(store) == ()
    store.close()
    named = ["append", "append", "append", "read", "forget", "read"]
    assert audit(project) == [(f"memory_{name}", True, True) for name in named]


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({}, "'action' is a required property", "memory"),
    ({"action": "burn"}, "wrong arguments", "memory"),
    ({"action": "append"}, "cannot append without a fact", "memory"),
    ({"action": "forget"}, "cannot forget without a fact", "memory"),
    ({"action": "append", "fact": "password: hunter22"}, "Error", "memory_append"),
    ({"action": "append", "fact": "x" * 5000}, "Error", "memory_append"),
    ({"action": "append", "fact": FACT, "scope": "world"}, "wrong arguments", "memory"),
    ({"action": "forget", "fact": "nothing like it"}, "no project fact contains", "memory_forget"),
]


def test_what_the_models_tools_refuse_is_refused(project: Path) -> None:
    """N1 G3: secrets, long texts, facts that are not there: a named error, nothing is kept, one line of the audit."""

    async def body(client: Any) -> None:
        for arguments, text, _ in REFUSED:
            ok, said = await call(client, "memory", **arguments)
            assert not ok, arguments
            assert text == "Error" or text in said, (arguments, said)

    by_the_sdk(project, body)
    store = opened(project)
    assert facts.known(store) == ()
    store.close()
    assert [(tool, ok) for tool, _, ok in audit(project)] == [(tool, False) for *_, tool in REFUSED]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ("memory: {enabled: false}", "memory is switched off"),
        ("permissions: {deny: ['memory_append']}", "no tool 'memory_append'"),
        ("permissions: {mode: plan_only}", "not allowed"),
    ],
)
def test_the_project_s_rules_hold_for_others_too(project: Path, settings: str, text: str) -> None:
    """G2 N1: memory that is switched off, a deny rule and a mode that changes nothing."""
    (project / "factory.yaml").write_text(settings)

    async def body(client: Any) -> None:
        ok, said = await call(client, "memory", action="append", fact=FACT)
        assert not ok
        assert text in said

    by_the_sdk(project, body)
    assert not (project / "LAO_MEMORY.md").exists()


def test_the_official_inspector_remembers_and_reads(project: Path) -> None:
    """It must show: the tool by @modelcontextprotocol/inspector --cli."""
    asked = ("--method", "tools/call", "--tool-name", "memory", "--tool-arg")
    done = inspect(project, *asked, "action=append", "--tool-arg", f"fact={FACT}")
    assert done.returncode == 0, done.stderr
    read = inspect(project, *asked, "action=read")
    assert FACT in json.loads(read.stdout)["content"][0]["text"]
