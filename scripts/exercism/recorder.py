"""A proxy in front of a model server that keeps every chat request. Changes nothing on its way."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from lao.servers.simulated.request import SimRequest
from lao.servers.simulated.scenario import CHAT_PATH


class Recorder(ThreadingHTTPServer):
    """``requests``: the chat requests in the order of their arrival."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Relay)
        self.upstream = urlsplit(upstream).netloc
        self.requests: list[SimRequest] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Relay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Recorder

    def do_GET(self) -> None:
        self._relay("GET", b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == CHAT_PATH:
            self.server.requests.append(SimRequest(self.path, json.loads(body)))
        self._relay("POST", body)

    def _relay(self, method: str, body: bytes) -> None:
        """The whole answer at once: a simulated server without pace sends it in one piece anyway."""
        connection = http.client.HTTPConnection(self.server.upstream, timeout=60)
        headers = {"Content-Type": "application/json"}
        if "Authorization" in self.headers:
            headers["Authorization"] = self.headers["Authorization"]
        try:
            connection.request(method, self.path, body or None, headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type", "application/json"))
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        """Quiet."""


@contextmanager
def recording(upstream: str) -> Iterator[Recorder]:
    """A running recorder in front of the server at ``upstream``."""
    with Recorder(upstream) as recorder:
        thread = threading.Thread(target=recorder.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield recorder
        finally:
            recorder.shutdown()
            thread.join()
