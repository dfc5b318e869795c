"""What all stand-in servers share: a port that survives a restart, a token, a log, answers that a test puts in."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

GB = 1_000_000_000
HANG_UP = object()
"""Hang up without an answer."""


@dataclass(frozen=True)
class Answer:
    """A body that is text goes out as it is, everything else as JSON."""

    body: Any = field(default_factory=dict)
    status: int = 200


@dataclass
class Part:
    """A model of a stand-in. ``steps`` is how many looks at the server its next change of state takes."""

    key: str
    size: int = 9 * GB
    context: int = 4096
    embedding: bool = False
    state: str = "out"
    steps: int = 0


class StandIn:
    """One server. Time is counted in looks: each ``tick`` of a listing moves every pending change on by one.

    Attributes:
        slow: looks that a load or an unload takes.
        lies: unloads are answered with success and do nothing.
        fails: loads that end in the server's own failure.
        loads, unloads: finished ones.
    """

    list_path = "/v1/models"

    def __init__(self, *parts: Part, slow: int = 0, token: str = "") -> None:
        self.parts = {part.key: part for part in parts}
        self.slow, self.token = slow, token
        self.lies = False
        self.fails = 0
        self.loads = self.unloads = 0
        self.log: list[tuple[str, str, Any]] = []
        self.rules: dict[str, tuple[Answer | object, int]] = {}
        self.lock = threading.Lock()
        self._port = 0
        self._httpd: ThreadingHTTPServer | None = None

    def answer(self, method: str, path: str, body: Any) -> Answer:
        """The server's own answer; called under the lock."""
        raise NotImplementedError

    def refused(self) -> Answer:
        """The answer to a missing or wrong token."""
        return Answer({"error": {"message": "Invalid API Key", "type": "authentication_error", "code": 401}}, 401)

    def is_open(self, method: str, path: str) -> bool:
        """Whether a path is answered without the token."""
        return False

    def forget(self) -> None:
        """What a restart loses: everything that was loaded."""
        for part in self.parts.values():
            part.state, part.steps = "out", 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def resident(self) -> list[str]:
        return [key for key, part in self.parts.items() if part.state == "in"]

    def put(self, path: str, answer: Answer | object, times: int = 1_000) -> None:
        """Answer this path so instead, a number of times."""
        self.rules[path] = (answer, times)

    def tick(self) -> None:
        """One look: pending changes come nearer."""
        for part in self.parts.values():
            part.steps = max(0, part.steps - 1)
            if part.state == "coming" and not part.steps:
                part.state = "in"
                self.loads += 1
            elif part.state == "going" and not part.steps:
                part.state = "out"
                self.unloads += 1

    def come(self, key: str) -> None:
        """Begin to load."""
        part = self.parts[key]
        part.state, part.steps = "coming", self.slow + 1
        if not self.slow:
            self.tick()

    def go(self, key: str) -> None:
        """Begin to unload, unless this server lies."""
        if self.lies:
            return
        part = self.parts[key]
        part.state, part.steps = "going", self.slow + 1
        if not self.slow:
            self.tick()

    def asked(self, path: str) -> list[Any]:
        """The bodies of all requests to a path."""
        return [body for _, at, body in self.log if at == path]

    def start(self) -> None:
        self._httpd = _Server(("127.0.0.1", self._port), _handler(self.handle))
        self._port = self._httpd.server_address[1]
        threading.Thread(target=self._httpd.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._httpd is not None:
            self._httpd.shutdown()
            self._httpd.server_close()
            self._httpd = None
        self.forget()

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def handle(self, method: str, path: str, headers: Any, body: Any) -> Answer | object:
        with self.lock:
            self.log.append((method, path, body))
            if self.token and headers.get("Authorization") != f"Bearer {self.token}" and not self.is_open(method, path):
                return self.refused()
            answer, times = self.rules.get(path, (None, 0))
            if times > 0:
                self.rules[path] = (answer, times - 1)
                return answer
            return self.answer(method, path, body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


def _handler(handle: Callable[[str, str, Any, Any], Answer | object]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve("GET")

        def do_POST(self) -> None:
            self._serve("POST")

        def _serve(self, method: str) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            path = unquote(parts.path) + (f"?{parts.query}" if parts.query else "")
            answer = handle(method, path, self.headers, json.loads(raw or b"{}"))
            if not isinstance(answer, Answer):
                self.close_connection = True
                return
            text = isinstance(answer.body, str)
            data = answer.body.encode() if text else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            events = text and answer.body.startswith("data:")
            kind = "text/event-stream" if events else "text/plain" if text else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Quiet."""

    return Handler
