"""The client against what others have built: the reference servers of the protocol, over stdio and HTTP."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lao.core.clock import SystemClock
from lao.core.steps import StepKind
from lao.durable.containment import Containment, choose
from lao.tools.mcp.offers import wanted
from tests.node.tools import program
from tests.tools.mcp.servers import Rig, server


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Poll until the condition holds."""
    clock = SystemClock()
    end = clock.monotonic() + seconds
    while not condition():
        assert clock.monotonic() < end, "it did not happen in time"
        clock.wait(0.05)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the filesystem server may see."""
    seen = tmp_path / "seen"
    seen.mkdir()
    (seen / "a.txt").write_text("hello\nworld\n")
    return seen


@pytest.mark.parametrize("how", [Containment.NONE, choose("auto")])
def test_the_filesystem_server(tmp_path: Path, folder: Path, how: Containment) -> None:
    """It must show: @modelcontextprotocol/server-filesystem reads, writes and refuses, in a namespace too."""
    command = (*program("mcp-server-filesystem"), str(folder))
    named = ("read_text_file", "write_file", "list_directory")
    entry = server("fs", command, tmp_path, enabled_tools=named, startup_timeout_s=60.0)
    rig = Rig(tmp_path, (entry,), how)
    box = rig.toolbox()
    assert box.names == ("mcp__fs__list_directory", "mcp__fs__read_text_file", "mcp__fs__write_file")
    read = rig.call(box, "mcp__fs__read_text_file", path=str(folder / "a.txt"), head=1)
    assert read.ok
    assert "hello" in read.text
    assert "world" not in read.text
    assert rig.call(box, "mcp__fs__write_file", path=str(folder / "b.txt"), content="new").ok
    assert (folder / "b.txt").read_text() == "new"
    assert "[FILE] b.txt" in rig.call(box, "mcp__fs__list_directory", path=str(folder)).text
    outside = rig.call(box, "mcp__fs__read_text_file", path="/etc/passwd")
    assert not outside.ok
    assert "denied" in outside.text
    rig.hub.close()
    assert rig.told == []


def test_its_hints_decide_what_is_repeated(tmp_path: Path, folder: Path) -> None:
    """J: reading tools are READ, edit_file is of unknown outcome; by default those that only read are offered."""
    entry = server("fs", (*program("mcp-server-filesystem"), str(folder)), tmp_path, startup_timeout_s=60.0)
    rig = Rig(tmp_path, (entry,))
    (look,) = rig.hub.look()
    rig.hub.close()
    assert look.error == ""
    assert look.listed >= 12
    assert len(look.offers) == 8
    assert {offer.kind for offer in look.offers} == {StepKind.READ.value}
    (connection,) = rig.hub._live.values()
    every = {
        offer.tool: offer.kind for offer in wanted(server("fs", (), tmp_path, enabled_tools=("*",)), connection.tools)
    }
    assert every["read_text_file"] == StepKind.READ.value
    assert every["edit_file"] == StepKind.UNKNOWN.value


def check_everything(rig: Rig) -> None:
    """The same calls over every transport."""
    box = rig.toolbox()
    assert {"mcp__all__echo", "mcp__all__get-sum", "mcp__all__get-tiny-image"} <= set(box.names)
    for spec in box.openai_specs():
        for value in spec["function"]["parameters"]["properties"].values():
            assert isinstance(value["type"], str)
    assert "Echo: hi" in rig.call(box, "mcp__all__echo", message="hi").text
    total = rig.call(box, "mcp__all__get-sum", a="2", b=40)
    assert total.ok, total.text
    assert "42" in total.text
    assert "image/png" in rig.call(box, "mcp__all__get-tiny-image").text
    structured = rig.call(box, "mcp__all__get-structured-content", location="New York")
    assert structured.ok, structured.text
    assert "temperature" in structured.text
    rig.hub.close()
    assert rig.told == []


def test_the_everything_server(tmp_path: Path) -> None:
    """It must show: @modelcontextprotocol/server-everything over stdio."""
    command = tuple(program("mcp-server-everything"))
    entry = server("all", command, tmp_path, enabled_tools=("*",), startup_timeout_s=60.0)
    check_everything(Rig(tmp_path, (entry,)))


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def serving(tmp_path: Path, port: int) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Starts the everything server in its own process over streamableHttp or sse."""
    started: list[subprocess.Popen[bytes]] = []

    def start(how: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "log").open("wb") as log:
            command = [*program("mcp-server-everything"), how]
            environment = {**os.environ, "PORT": str(port)}
            started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))

        def answers() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        until(answers)
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("how", "transport", "path"), [("streamableHttp", "http", "mcp"), ("sse", "sse", "sse")])
def test_the_everything_server_over_http(
    tmp_path: Path,
    port: int,
    serving: Callable[[str], subprocess.Popen[bytes]],
    how: str,
    transport: str,
    path: str,
) -> None:
    """It must show: streamable HTTP; and the older SSE, which .mcp.json may name."""
    serving(how)
    entry = server(
        "all", (), tmp_path, transport=transport, url=f"http://127.0.0.1:{port}/{path}", enabled_tools=("*",)
    )
    check_everything(Rig(tmp_path, (entry,)))


def test_an_http_server_that_goes_away(
    tmp_path: Path, port: int, serving: Callable[[str], subprocess.Popen[bytes]]
) -> None:
    """It must show: killed in mid-work it is given up with a notice, and the attempt goes on."""
    process = serving("streamableHttp")
    entry = server("all", (), tmp_path, transport="http", url=f"http://127.0.0.1:{port}/mcp", tool_timeout_s=5.0)
    rig = Rig(tmp_path, (entry,))
    box = rig.toolbox()
    assert rig.call(box, "mcp__all__echo", message="a").ok
    process.kill()
    process.wait()
    assert not rig.call(box, "mcp__all__echo", message="a").ok
    assert "given up" in rig.call(box, "mcp__all__echo", message="a").text
    rig.hub.close()
    assert rig.told[-1].endswith("given up for the attempt")
