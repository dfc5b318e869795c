"""Promise: with a list of hosts a command reaches these and nothing else, and what it asked for is on record."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lao.config.hosts import Host, parse_host
from lao.core.words import CommandResult
from lao.durable.containment import Containment
from lao.durable.sandbox.enclosure import PORT
from lao.durable.sandbox.proxy import Proxy
from tests.durable.sandbox.cases import run

SPACES = (Containment.BUBBLEWRAP, Containment.UNSHARE)
PYTHON = sys.executable


class Site(BaseHTTPRequestHandler):
    """Tells its visitor how it was asked; ``/wheels/`` is an index of one package without files."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"site of {self.headers['Host']} {self.path}".encode()
        if self.path.startswith("/wheels"):
            body = b"<html><body></body></html>"
        if self.path == "/large":
            body = b"x" * 300_000
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        given = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"took {len(given)} {self.headers['Connection']}".encode())

    def log_message(self, *_: object) -> None:
        """Said nowhere."""


@dataclass
class Net:
    """A site on the loopback of this machine, and what the names of the tests mean."""

    port: int

    def hosts(self, *more: str) -> tuple[Host, ...]:
        """``good.test`` and, since a name may not lead to the loopback by itself, its address."""
        return tuple(map(parse_host, (f"good.test:{self.port}", f"127.0.0.1:{self.port}", *more)))

    def resolve(self, name: str) -> list[str]:
        if name in ("good.test", "rebound.test"):
            return ["127.0.0.1"]
        raise OSError(f"{name} is not known")

    def run(self, command: str, cwd: Path, how: Containment, *more: str, **given: Any) -> CommandResult:
        hosts = given.pop("hosts", None) or self.hosts(*more)
        return run(command.replace("PORT", str(self.port)), cwd, how, hosts=hosts, resolve=self.resolve, **given)


@pytest.fixture(scope="module")
def net() -> Iterator[Net]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Net(server.server_port)
        server.shutdown()


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not here")


@pytest.mark.parametrize("how", SPACES)
def test_a_listed_host_is_reached(net: Net, tmp_path: Path, how: Containment) -> None:
    """By plain HTTP and by a tunnel, with the variables that programs read; the record says what was reached."""
    needs("curl")
    result = net.run("curl -sS http://good.test:PORT/a && curl -sSp http://good.test:PORT/b", tmp_path, how)
    assert result.passed, result.output
    assert f"site of good.test:{net.port} /a" in result.output
    assert f"site of good.test:{net.port} /b" in result.output
    assert "[sandbox" not in result.output
    reached = f"(reached good.test:{net.port} (2 times))"
    assert result.isolation == (
        f"{how.value}, network: only good.test:{net.port}, 127.0.0.1:{net.port} {reached}"
    )  # fmt: skip


@pytest.mark.parametrize("how", SPACES)
def test_other_hosts_are_refused_and_said(net: Net, tmp_path: Path, how: Containment) -> None:
    """Not in the list, a name that leads inside, a name that nobody knows; the model is told who could change it."""
    needs("curl")
    asked = "curl -sS https://evil.test/; curl -sS https://rebound.test/; curl -fsS http://lost.test/"
    result = net.run(asked, tmp_path, how, "rebound.test", "lost.test")
    assert not result.passed
    line = result.output.splitlines()[-1]
    assert line.startswith("[sandbox: refused evil.test:443: not in the list; lost.test:80: no address")
    assert line.endswith("A person can change sandbox.network in factory.yaml, you cannot]")
    for words in ("refused evil.test:443: not in the list", "rebound.test:443: its name leads to 127.0.0.1"):
        assert words in result.isolation


@pytest.mark.parametrize("how", SPACES)
def test_there_is_no_way_beside_the_proxy(net: Net, tmp_path: Path, how: Containment) -> None:
    """Without it the same address is nowhere, and what has no proxy gets an explanation."""
    direct = f"{PYTHON} -c \"import socket; socket.create_connection(('127.0.0.1', PORT), 2)\""
    assert not net.run(direct, tmp_path, how).passed
    result = net.run(f"{PYTHON} -c \"import socket; socket.create_connection(('192.0.2.1', 80), 2)\"", tmp_path, how)
    assert "network: only good.test" in result.output.splitlines()[-1]


def test_python_and_pip_go_by_the_proxy(net: Net, tmp_path: Path) -> None:
    """urllib and pip find it by themselves."""
    script = "import urllib.request as u; print(u.urlopen('http://good.test:PORT/py').read().decode())"
    assert "/py" in net.run(f'{PYTHON} -c "{script}"', tmp_path, Containment.BUBBLEWRAP).output
    index = "--index-url http://good.test:PORT/wheels --trusted-host good.test --retries 0"
    command = f"{PYTHON} -m pip download --disable-pip-version-check {index} nothing-such"
    result = net.run(command, tmp_path, Containment.BUBBLEWRAP)
    assert "No matching distribution" in result.output
    assert f"reached good.test:{net.port}" in result.isolation, result.output


def test_a_request_is_sent_on_once(net: Net, tmp_path: Path) -> None:
    """A second one on the same connection, which could name another host, goes nowhere; bodies keep their length."""
    needs("curl")
    script = (
        f"import socket; s = socket.create_connection(('127.0.0.1', {PORT}));"
        "s.sendall(b'GET http://good.test:PORT/1 HTTP/1.1\\r\\n\\r\\nGET /2 HTTP/1.1\\r\\nHost: evil\\r\\n\\r\\n');"
        "print(b''.join(iter(lambda: s.recv(9999), b'')).decode())"
    )
    result = net.run(f'{PYTHON} -c "{script}"', tmp_path, Containment.BUBBLEWRAP)
    assert "/1" in result.output
    assert "/2" not in result.output
    (tmp_path / "body").write_bytes(b"y" * 700_000)
    posted = net.run("curl -sS --data-binary @body http://good.test:PORT/p", tmp_path, Containment.BUBBLEWRAP)
    assert "took 700000 close" in posted.output, posted.output


def test_what_is_set_by_the_user_is_not_used(net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of this machine is none for a command with a list."""
    monkeypatch.setenv("HTTPS_PROXY", "http://10.0.0.1:3128")
    monkeypatch.setenv("no_proxy", "*")
    result = net.run("echo $HTTPS_PROXY $no_proxy", tmp_path, Containment.BUBBLEWRAP)
    assert result.output.split() == [f"http://127.0.0.1:{PORT}", "localhost,127.0.0.1,::1"]


def test_without_a_network_of_its_own_a_command_has_no_list(net: Net, tmp_path: Path) -> None:
    """Landlock could let it reach a port, not a host: TCP stays closed, and that is what is said."""
    result = net.run("echo proxy=$HTTPS_PROXY", tmp_path, Containment.LANDLOCK)
    assert "proxy=\n" in result.output
    assert "a list of hosts needs bubblewrap or unshare" in result.isolation
    direct = f"{PYTHON} -c \"import socket; socket.create_connection(('127.0.0.1', PORT), 2)\""
    assert not net.run(direct, tmp_path, Containment.LANDLOCK).passed


def test_nothing_is_left_of_a_proxy(net: Net, tmp_path: Path) -> None:
    """Its threads and sockets end with the command, also one that is killed in the middle of a tunnel."""

    def held() -> tuple[int, int]:
        names = [t for t in threading.enumerate() if t.name.startswith("lao-proxy")]
        return len(names), len(list(Path("/proc/self/fd").iterdir()))

    net.run("true", tmp_path, Containment.BUBBLEWRAP)
    before = held()
    hold = f"{PYTHON} -c \"import socket, time; s = socket.create_connection(('127.0.0.1', {PORT}));"
    hold += " s.sendall(b'CONNECT good.test:PORT HTTP/1.1\\r\\n\\r\\n'); s.recv(99); time.sleep(60)\""
    result = net.run(hold, tmp_path, Containment.BUBBLEWRAP, timeout_s=1.5)
    assert result.timed_out
    assert "reached good.test" in result.isolation
    assert held() == before


@contextmanager
def door(proxy: Proxy) -> Iterator[int]:
    """The proxy at a port of this machine, served as a command's door is."""
    with proxy.serving() as channel, socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.socket(fileno=os.dup(channel)) as ours:
            socket.send_fds(ours, [b"x"], [listener.fileno()])
        yield listener.getsockname()[1]


def asked(port: int, text: str) -> bytes:
    """All that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as there:
        there.sendall(text.encode())
        return b"".join(iter(lambda: there.recv(65_536), b""))


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true() and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    assert true()


def test_bytes_are_limited(net: Net) -> None:
    """What is received and what is sent in all; the record says that it was too much."""
    get = f"GET http://good.test:{net.port}/large HTTP/1.1\r\n\r\n"
    proxy = Proxy(net.hosts(), net.resolve, (400_000, 10_000))
    with door(proxy) as port:
        assert len(asked(port, get)) > 300_000
        assert len(asked(port, get)) < 300_000
        until(lambda: "received more than it may" in proxy.record.text)
        post = f"POST http://good.test:{net.port}/ HTTP/1.1\r\nContent-Length: 20000\r\n\r\n{'x' * 20_000}"
        assert b"took" not in asked(port, post)
    assert "sent more than it may" in proxy.record.text


def test_garbage_gets_an_answer_and_the_next_one_is_served(net: Net) -> None:
    """A head without an end, bytes that are no request, somebody who hangs up: none of them ends the proxy."""
    proxy = Proxy(net.hosts(), net.resolve)
    with door(proxy) as port:
        assert asked(port, "\0\1\2\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        assert asked(port, "GET http://good.test/ HTTP/1.1\r\nX: " + "y" * 40_000).startswith(b"HTTP/1.1 400 ")
        socket.create_connection(("127.0.0.1", port)).close()
        assert asked(port, "CONNECT evil.test:443 HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 403 ")
        callers = [socket.create_connection(("127.0.0.1", port)) for _ in range(30)]
        assert b" /x" in asked(port, f"GET http://good.test:{net.port}/x HTTP/1.1\r\n\r\n")
        for caller in callers:
            caller.close()


def test_the_record_is_short(net: Net) -> None:
    """However many hosts are asked for, and whatever they are called."""
    proxy = Proxy(net.hosts(), net.resolve)
    for n in range(1000):
        proxy.record.add(f"h{n}.test:443" + "x" * n, "not in the list")
    assert len(proxy.record.text) < 4_000
    assert len(proxy.record.counts) < 300
