"""A chat server that answers from a script: one behaviour per request, faults included."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Behaviour = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(body)
        self.server.headers.append({k.lower(): v for k, v in self.headers.items()})
        behaviour = self.server.script.pop(0)
        with contextlib.suppress(ConnectionError):
            behaviour(self)

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def open_stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()

    def event(self, data: Any, name: str = "") -> None:
        text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
        self.wfile.write((f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode())
        self.wfile.flush()


class ScriptedServer(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[Behaviour] = []
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.hung_up = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: object, client_address: object) -> None:
        raise AssertionError("the scripted server failed")


@contextlib.contextmanager
def serving() -> Iterator[ScriptedServer]:
    server = ScriptedServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    choices = [] if delta is None and finish is None else [{"index": 0, "delta": delta or {}, "finish_reason": finish}]
    return {"object": "chat.completion.chunk", "model": "m", "choices": choices, **more}


USAGE = {"prompt_tokens": 11, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 7}}


def stream(*events: Any, done: bool = True) -> Behaviour:
    """Send the events as one stream; strings go out raw."""

    def behave(handler: Handler) -> None:
        handler.open_stream()
        for event in events:
            handler.event(event)
        if done:
            handler.event("[DONE]")

    return behave


def say(text: str, **more: Any) -> Behaviour:
    """A plain good answer."""
    return stream(chunk({"role": "assistant", "content": text}), chunk(None, "stop"), chunk(usage=USAGE, **more))


def status(code: int, body: Any, kind: str = "application/json", **headers: str) -> Behaviour:
    def behave(handler: Handler) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        handler.send_response(code)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(data)))
        handler.send_header("Connection", "close")
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    return behave


def hang(*events: Any, headers: bool = True) -> Behaviour:
    """Send the events, then nothing until the client hangs up; the server notes that it did."""

    def behave(handler: Handler) -> None:
        if headers:
            handler.open_stream()
        with contextlib.suppress(ConnectionError):
            for event in events:
                handler.event(event)
            assert handler.connection.recv(1) == b""
        handler.server.hung_up.set()
        handler.close_connection = True

    return behave


def cut(*events: Any) -> Behaviour:
    """Promise more than is sent, then close the connection."""

    def behave(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        for event in events:
            handler.event(event)
        handler.close_connection = True

    return behave
