"""Servers that are reached by an address and are none, or answer too much, or never."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.tools.mcp.servers import Rig, server

TOOL = {"name": "echo", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}


def answered(request: dict[str, Any], behaviour: str) -> Any:
    """The result of a request to a small server on streamable HTTP."""
    if request["method"] == "initialize":
        about = {"name": "web", "version": "1"}
        return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": about}
    if request["method"] == "tools/list":
        return {"tools": [TOOL]}
    return {"content": [{"type": "text", "text": "x" * (20_000_000 if behaviour == "huge" else 5)}]}


@pytest.fixture
def web() -> Iterator[Callable[[str], str]]:
    """``web("behaviour")`` is the address of such a server."""
    running: list[ThreadingHTTPServer] = []
    over = threading.Event()

    def start(behaviour: str) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                kind, data = "application/json", b""
                if behaviour == "html":
                    kind, data = "text/html", b"<html>Welcome</html>"
                elif behaviour == "half":
                    data = b'{"jsonrpc": "2.0", "id":'
                elif "id" in body and body["method"] in ("initialize", "tools/list", "tools/call"):
                    if behaviour == "hang":
                        over.wait(30)
                    result = answered(body, behaviour)
                    data = json.dumps({"jsonrpc": "2.0", "id": body["id"], "result": result}).encode()
                elif "id" in body:
                    error = {"code": -32601, "message": "unknown"}
                    data = json.dumps({"jsonrpc": "2.0", "id": body["id"], "error": error}).encode()
                self.send_response(200 if data else 202)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                try:
                    self.wfile.write(data)
                except OSError:
                    return

            def do_GET(self) -> None:
                self.send_error(405)

            def log_message(self, *_: Any) -> None:
                return

        running.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        running[-1].daemon_threads = True
        threading.Thread(target=running[-1].serve_forever, args=(0.05,), daemon=True).start()
        return f"http://127.0.0.1:{running[-1].server_port}/mcp"

    yield start
    over.set()
    for item in running:
        item.shutdown()
        item.server_close()


def rig_at(tmp_path: Path, url: str) -> Rig:
    return Rig(tmp_path, (server("w", (), tmp_path, transport="http", url=url, startup_timeout_s=3.0),))


def test_a_plain_server_works(tmp_path: Path, web: Callable[[str], str]) -> None:
    """N1: JSON answers without sessions or events are enough."""
    rig = rig_at(tmp_path, web("good"))
    assert "xxxxx" in rig.call(rig.toolbox(), "mcp__w__echo").text
    rig.hub.close()


@pytest.mark.parametrize("behaviour", ["html", "half", "hang"])
def test_what_is_no_mcp_server_is_told_of(tmp_path: Path, web: Callable[[str], str], behaviour: str) -> None:
    """It must show: a web page, half an answer, or none: a notice, and the plan goes on."""
    rig = rig_at(tmp_path, web(behaviour))
    assert rig.toolbox().names == ()
    rig.hub.close()
    assert rig.told[0].startswith("w: does not start, plans go on without it: ")


def test_nobody_there(tmp_path: Path) -> None:
    """It must show: an address at which nothing listens."""
    rig = rig_at(tmp_path, "http://127.0.0.1:1/mcp")
    assert rig.toolbox().names == ()
    rig.hub.close()
    assert "onnect" in rig.told[0]


def test_an_answer_without_measure_is_not_read(tmp_path: Path, web: Callable[[str], str]) -> None:
    """It must show: 20 MB end the connection, with a message."""
    rig = rig_at(tmp_path, web("huge"))
    text = rig.call(rig.toolbox(), "mcp__w__echo").text
    rig.hub.close()
    assert "more than 8 MB" in text
    assert len(text) < 600
