"""The dashboard's web server: one page, its JSON and a stream of events, for this machine only. Reads nothing itself.

Bound to 127.0.0.1. Whoever can open a port of this machine is not yet somebody who may read the project, so every path
begins with a secret that lies in the state's folder, readable by its owner; and a page of another site that has made
its name point here (DNS rebinding) is refused by the ``Host`` it sends. There is nothing to write: GET and HEAD only.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import socket
import threading
from functools import cache
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from lao.cli.dashboard.feed import Feed
from lao.core.errors import BadInput
from lao.durable.threads import Thread

ADDRESS: Final = "127.0.0.1"
PORT: Final = 8765
CLIENTS: Final = 16
"""Pages at once; one more is told to come back."""

CONNECTIONS: Final = 64
BEAT_S: Final = 5.0
"""So often something is sent at least: the page takes three times as long for a dead connection."""

PATIENCE_S: Final = 10.0
"""That a request may take to come, and a page to take what is sent."""

TRIED: Final = 50
_NAMES: Final = ("127.0.0.1", "localhost", "::1")
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = (
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
    ("Connection", "close"),
)
_FILES: Final = {
    "": ("text/html", ("lao.cli.dashboard/page.html",)),
    "page.css": ("text/css", ("lao.reports.html/base.css", "lao.cli.dashboard/page.css")),
    "page.js": ("text/javascript", ("lao.cli.dashboard/page.js",)),
}


@cache
def _file(name: str) -> bytes:
    parts = (where.split("/") for where in _FILES[name][1])
    return b"".join(resources.files(package).joinpath(file).read_bytes() for package, file in parts)


def secret_of(state_dir: Path) -> str:
    """The secret part of the address: kept, so that a page and a bookmark survive a restart of the server.

    Raises:
        BadInput: it cannot be kept in the folder of the state.
    """
    path = state_dir / "dashboard.secret"
    try:
        with contextlib.suppress(FileNotFoundError):
            kept = path.read_text(encoding="ascii", errors="replace").strip()
            if kept.isascii() and len(kept) >= 20 and kept.replace("-", "").replace("_", "").isalnum():
                return kept
            path.unlink()  # emptied, or cut short
        made = secrets.token_urlsafe(18)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(made)
    except OSError as error:
        raise BadInput(f"cannot keep the dashboard's secret in {str(path)!r} ({error})", "check its folder") from error
    return made


class DashboardServer(ThreadingHTTPServer):
    """Serves until ``shutdown``; each connection has a thread.

    Raises (from the constructor):
        BadInput: the port is taken or may not be used.
    """

    allow_reuse_address = os.name == "posix"
    request_queue_size = 32

    def __init__(self, feed: Feed, secret: str, port: int = PORT) -> None:
        self.feed, self.secret = feed, secret
        self.streams = threading.BoundedSemaphore(CLIENTS)
        self._connections = threading.BoundedSemaphore(CONNECTIONS)
        try:
            super().__init__((ADDRESS, port), Handler)
        except OSError as error:
            raise _unusable(port, error) from error
        except OverflowError as error:
            raise BadInput(f"there is no port {port}", "ports are 0 to 65535; 0 takes a free one") from error

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """What a person opens."""
        return f"http://{ADDRESS}:{self.port}/{self.secret}/"

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """A thread for the connection, or its end when there are too many."""
        if not self._connections.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            Thread(self.process_request_thread, name="dashboard-page", args=(request, client_address)).start()
        except RuntimeError:  # the system refuses a thread
            self._connections.release()
            self.shutdown_request(request)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._connections.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A page that has gone away is no error; anything else is told."""
        import sys

        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _unusable(port: int, error: OSError) -> BadInput:
    if error.errno == errno.EADDRINUSE:
        free = next((other for other in range(port + 1, min(port + TRIED, 65_536)) if _is_free(other)), 0)
        return BadInput(f"port {port} is taken", f"'lao dashboard --serve --port {free}' takes a free one")
    return BadInput(
        f"port {port} cannot be used ({error.strerror or error})", "choose one from 1024 to 65535 by --port"
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError:
            return False
        return True


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: DashboardServer
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE_S

    def do_GET(self) -> None:
        if not self._is_meant():
            return
        name = self._name()
        if name is None:
            self._refuse(HTTPStatus.NOT_FOUND, "nothing here: 'lao dashboard --serve' prints the address")
        elif name == "events":
            self._stream()
        elif name == "snapshot.json":
            self._snapshot()
        else:
            self._send(HTTPStatus.OK, _FILES[name][0], _file(name))

    do_HEAD = do_GET  # noqa: N815 - the name is http.server's

    def _is_meant(self) -> bool:
        """Whether the request names this machine; else it is refused."""
        try:
            known = urlsplit(f"//{self.headers.get('Host', '')}").hostname in _NAMES
        except ValueError:  # no address at all
            known = False
        if not known:
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, "this server answers to 127.0.0.1 and localhost only")
        return known

    def _name(self) -> str | None:
        """What is asked for; None when there is no such thing, or the secret is another one."""
        path = self.path.partition("?")[0]
        secret, slash, name = path.removeprefix("/").partition("/")
        known = secrets.compare_digest(secret.encode(), self.server.secret.encode())
        return name if known and slash and (name in _FILES or name in ("events", "snapshot.json")) else None

    def _snapshot(self) -> None:
        found = self.server.feed.newer(0, PATIENCE_S)
        if found is None:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "no snapshot yet")
        else:
            self._send(HTTPStatus.OK, "application/json", found[1].encode())

    def _stream(self) -> None:
        """Server-sent events: the board at once and at each change, a beat when there is none."""
        if not self.server.streams.acquire(blocking=False):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, f"{CLIENTS} pages are open already: close one")
            return
        try:
            self._begin(HTTPStatus.OK, "text/event-stream")
            if self.command == "HEAD":
                return
            self.wfile.write(b"retry: 1000\n\n")
            version, feed = 0, self.server.feed
            while not feed.over:
                found = feed.newer(version, BEAT_S)
                if found is None:
                    self.wfile.write(b"event: beat\ndata:\n\n")
                    continue
                version, text = found
                self.wfile.write(f"event: board\ndata: {text}\n\n".encode())
                self.wfile.flush()
        finally:
            self.server.streams.release()

    def _begin(self, status: HTTPStatus, kind: str, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        if length is not None:
            self.send_header("Content-Length", str(length))
        for name, value in _HEADERS:
            self.send_header(name, value)
        self.end_headers()

    def _send(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self._begin(status, kind, len(body))
        if self.command != "HEAD":
            self.wfile.write(body)

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True
        self._send(status, "text/plain", f"{why}\n".encode())

    def version_string(self) -> str:
        return "lao"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
        """Nothing: a line for each event would bury what the terminal says."""
