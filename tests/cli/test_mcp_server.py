"""``lao mcp-server`` driven by others: the official inspector's command line and the Python SDK's client."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from lao.core.words import Finding, Severity
from lao.state import plans
from lao.state.store import Store, open_store
from lao.state.tables import AuditRow, FindingRow
from tests.node.tools import BINARIES, program

ROOT = Path(__file__).resolve().parents[2]
SERVER = [sys.executable, "-m", "lao", "mcp-server"]
TOOLS = [
    "file_read", "find_relevant_files", "list_dir", "list_findings", "memory", "plan_status", "retry_failed",
    "submit_plan",
]  # fmt: skip
PLAN = "# Shop\n\nBuild a basket.\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project without a configuration, in which a secret lies beside the plan's folder."""
    (tmp_path / "secret.txt").write_text("s3cret\n")
    (tmp_path / "plans").mkdir()
    return tmp_path


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


Body = Callable[[Any], Awaitable[None]]


def by_the_sdk(project: Path, body: Body) -> str:
    """Run the body with the SDK's client of a fresh server; returns what the server said on stderr."""
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    log = project / "stderr.log"

    async def run() -> None:
        parameters = StdioServerParameters(command=SERVER[0], args=SERVER[1:], env=environment(), cwd=project)
        with log.open("w") as errors:
            async with Client(stdio_client(parameters, errlog=errors)) as client:
                await body(client)

    asyncio.run(asyncio.wait_for(run(), 60))
    return log.read_text()


async def call(client: Any, name: str, /, **arguments: Any) -> tuple[bool, Any]:
    """Whether it worked, and its text, decoded where it is JSON."""
    result = await client.call_tool(name, arguments)
    (block,) = result.content
    try:
        return not result.is_error, json.loads(block.text)
    except ValueError:
        return not result.is_error, block.text


def opened(project: Path) -> Store:
    return open_store(project / ".lao" / "state.db")


def test_a_plan_is_handed_in_and_looked_at(project: Path) -> None:
    """N1: submit_plan, plan_status, list_findings, retry_failed over stdio by the Python SDK's client."""

    async def body(client: Any) -> None:
        listed = (await client.list_tools()).tools
        assert sorted(tool.name for tool in listed) == TOOLS
        reading = sorted(tool.name for tool in listed if tool.annotations and tool.annotations.read_only_hint)
        assert reading == sorted(set(TOOLS) - {"submit_plan", "retry_failed", "memory"})
        ok, submitted = await call(client, "submit_plan", name="shop", plan=PLAN)
        assert ok
        assert (submitted["created"], submitted["state"]) == (True, "queued")
        ok, again = await call(client, "submit_plan", name="shop", plan=PLAN)
        assert (ok, again["plan"], again["created"]) == (True, submitted["plan"], False)
        ok, status = await call(client, "plan_status", plan="shop")
        assert (ok, [p["name"] for p in status["plans"]], status["tasks"]) == (True, ["shop"], [])
        store = opened(project)
        with store.write():
            finding = Finding(Severity.MAJOR, "tests", "a test fails", "mend it", "", "checks")
            FindingRow.create(plan=submitted["plan"], finding=finding.to_json(), at=0)
        store.close()
        ok, found = await call(client, "list_findings", plan="shop")
        assert (ok, [f["message"] for f in found["findings"]]) == (True, ["a test fails"])
        assert await call(client, "retry_failed") == (True, {"retried": 0})

    assert by_the_sdk(project, body) == ""
    assert (project / "plans" / "shop.md").read_text() == PLAN
    store = opened(project)
    assert [p.name for p in plans.all_plans(store)] == ["shop"]
    audit = [(row.tool, row.granted, row.ok, row.run_id) for row in AuditRow.select().order_by(AuditRow.id)]
    assert audit[0] == ("submit_plan", True, True, None)
    assert len(audit) == 5
    store.close()


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("submit_plan", {"name": "../evil", "plan": PLAN}, "a plan cannot be called '../evil'"),
    ("submit_plan", {"name": "plans", "plan": PLAN}, "reserved"),
    ("submit_plan", {"name": "x", "plan": " \n"}, "is empty"),
    ("submit_plan", {"name": "x"}, "'plan' is a required property"),
    ("submit_plan", {"name": "other", "plan": PLAN}, "with another text"),
    ("plan_status", {"plan": "nonesuch"}, "no plan 'nonesuch'"),
    ("plan_status", {"plan": 7, "more": 1}, "wrong arguments"),
    ("file_read", {"path": "a.txt"}, "needs the plan in whose folder it looks"),
    ("file_read", {"plan": "other", "path": "../secret.txt"}, "leaves the workspace"),
    ("file_read", {"plan": "other", "path": "/etc/passwd"}, "outside the workspace"),
    ("file_read", {"plan": "other", "path": "way/secret.txt"}, "a link that leaves the workspace"),
    ("file_read", {"plan": "other", "path": ".git/config"}, "belongs to git or LAO"),
    ("list_dir", {"plan": "other", "path": ".."}, "leaves the workspace"),
    ("shell_exec", {"plan": "other", "command": "id"}, "there is no tool 'shell_exec'"),
    ("file_write", {"plan": "other", "path": "x", "content": "y"}, "there is no tool 'file_write'"),
]


def test_what_is_refused_is_a_result_with_a_reason(project: Path) -> None:
    """N1 G3: errors of LAO are isError results with message and hint; nothing outside a plan's folder is read."""
    other = "# Other\n\nSomething else.\n"
    folder = project / "other"
    (folder / ".git").mkdir(parents=True)
    (folder / "a.txt").write_text("in\n")
    (folder / "way").symlink_to(project)

    async def body(client: Any) -> None:
        assert (await call(client, "submit_plan", name="other", plan=other))[0]
        assert (await call(client, "file_read", plan="other", path="a.txt"))[0]
        for name, arguments, text in REFUSED:
            ok, said = await call(client, name, **arguments)
            assert not ok, (name, arguments)
            assert text in said, (name, arguments, said)
            assert "s3cret" not in said, (name, arguments)

    by_the_sdk(project, body)
    store = opened(project)
    audit = [(row.tool, row.granted, row.ok) for row in AuditRow.select().order_by(AuditRow.id)]
    store.close()
    assert audit[2:] == [(name, False, False) for name, *_ in REFUSED]
    assert [path.name for path in (project / "plans").iterdir()] == ["other.md"]


def test_reading_in_a_plan_s_folder(project: Path) -> None:
    """N1: file_read, list_dir and find_relevant_files answer from the plan's folder, audited once each."""
    (project / "shop").mkdir()
    (project / "shop" / "basket.py").write_text("def total(prices):\n    return sum(prices)\n")

    async def body(client: Any) -> None:
        await call(client, "submit_plan", name="shop", plan=PLAN)
        assert "return sum(prices)" in (await call(client, "file_read", plan="shop", path="basket.py"))[1]
        assert "basket.py" in (await call(client, "list_dir", plan="shop"))[1]
        assert "basket.py" in (await call(client, "find_relevant_files", plan="shop", query="total prices"))[1]

    by_the_sdk(project, body)
    store = opened(project)
    assert [row.tool for row in AuditRow.select().order_by(AuditRow.id)] == [
        "submit_plan", "file_read", "list_dir", "find_relevant_files",
    ]  # fmt: skip
    store.close()


def test_what_is_denied_to_models_is_denied_here(project: Path) -> None:
    """G1 N1: a file that a rule closes is neither read nor found nor listed by others' agents."""
    (project / "factory.yaml").write_text("permissions: {deny: ['Read(secrets/**)']}\n")
    (project / "shop" / "secrets").mkdir(parents=True)
    (project / "shop" / "secrets" / "key.py").write_text("total = 's3cret'\n")
    (project / "shop" / "basket.py").write_text("total = 1\n")

    async def body(client: Any) -> None:
        await call(client, "submit_plan", name="shop", plan=PLAN)
        for name, more in (("file_read", {"path": "secrets/key.py"}), ("list_dir", {"path": "secrets"})):
            ok, said = await call(client, name, plan="shop", **more)
            assert not ok
            assert "the rule 'Read(secrets/**)' forbids it" in said
        ok, said = await call(client, "find_relevant_files", plan="shop", query="total")
        assert (ok, said) == (True, "basket.py:1: total = 1")

    by_the_sdk(project, body)


def test_a_plan_without_a_folder_yet(project: Path) -> None:
    """N1: said plainly."""

    async def body(client: Any) -> None:
        await call(client, "submit_plan", name="shop", plan=PLAN)
        ok, said = await call(client, "list_dir", plan="shop")
        assert not ok
        assert "has no folder yet" in said

    by_the_sdk(project, body)


def inspect(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One request by the official inspector."""
    node, script = program("mcp-inspector")
    path = f"{BINARIES}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [node, script, "--cli", *SERVER, "-e", f"PYTHONPATH={ROOT}", *arguments],
        cwd=project,
        env={**environment(), "PATH": path, "HOME": str(project)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_official_inspector_lists_and_calls(project: Path) -> None:
    """It must show: tools/list and tools/call by @modelcontextprotocol/inspector --cli, with nothing to complain of."""
    listed = inspect(project, "--method", "tools/list", "--strict")
    assert listed.returncode == 0, listed.stderr
    assert sorted(tool["name"] for tool in json.loads(listed.stdout)["tools"]) == TOOLS
    arguments = ("--tool-arg", "name=shop", "--tool-arg", f"plan={PLAN}")
    called = inspect(project, "--method", "tools/call", "--tool-name", "submit_plan", *arguments)
    assert called.returncode == 0, called.stderr
    assert json.loads(json.loads(called.stdout)["content"][0]["text"])["created"] is True
    asked = ("--tool-name", "plan_status", "--tool-arg", "plan=nonesuch")
    refused = inspect(project, "--method", "tools/call", *asked)
    assert "no plan 'nonesuch'" in refused.stdout + refused.stderr


def test_stdout_carries_the_protocol_alone(project: Path) -> None:
    """N1: even after garbage on stdin every line of stdout is a JSON-RPC message; the end of stdin ends the server."""
    about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    lines = [
        "not a message",
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": about}),
        json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "plan_status"}}),
        json.dumps({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": 7}}),
    ]
    server = subprocess.Popen(
        SERVER, cwd=project, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    late = threading.Timer(60, server.kill)
    late.start()
    answers: dict[Any, Any] = {}
    with server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write("\n".join(lines) + "\n")
        server.stdin.flush()
        while 3 not in answers:
            answer = json.loads(server.stdout.readline())
            assert answer["jsonrpc"] == "2.0"
            answers[answer.get("id")] = answer
        server.stdin.close()
        assert server.stdout.read() == ""
    late.cancel()
    assert server.returncode == 0
    assert answers[2]["result"]["content"][0]["text"] == '{"plans": []}'
    assert "error" in answers[3]


def test_a_wrong_configuration_is_said_on_stderr(project: Path) -> None:
    """L: exit code 42 and nothing on stdout, which the client would take for the protocol."""
    (project / "factory.yaml").write_text("nonsense: [")
    done = subprocess.run(
        SERVER, cwd=project, env=environment(), input="", capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (42, "")
    assert "factory.yaml" in done.stderr
