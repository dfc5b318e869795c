"""A server that is not known as the simulated one: hands every request on to it, under another name."""

from __future__ import annotations

import contextlib
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Relay(ThreadingHTTPServer):
    """``target`` may be set later; ``bodies`` has what was posted, the oldest first."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, target: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.bodies: list[bytes] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Relay
    server_version = "some-server"

    def do_GET(self) -> None:
        self._hand_on(None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.bodies.append(body)
        self._hand_on(body)

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def _hand_on(self, body: bytes | None) -> None:
        request = urllib.request.Request(f"{self.server.target}{self.path}", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request) as answer:
                status, kind, data = answer.status, answer.headers["Content-Type"], answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, kind, data = error.code, error.headers["Content-Type"], error.read()
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)


@contextlib.contextmanager
def opened(target: str = "") -> Iterator[Relay]:
    """A relay at work."""
    server = Relay(target)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def relaying(target: str) -> Iterator[str]:
    """The URL of a relay to ``target``."""
    with opened(target) as server:
        yield server.url
