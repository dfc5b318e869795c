"""A served dashboard as a process of its own, and plain requests to it. Knows no browser."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]


def lao(*arguments: str) -> list[str]:
    """The command line of ``lao`` with these arguments."""
    return [sys.executable, "-m", "lao", *arguments]


def environment() -> dict[str, str]:
    """With this checkout, and somebody who commits."""
    who = {f"GIT_{role}_{what}": "t@e.x" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return {**os.environ, **who, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


class Served:
    """A running ``lao dashboard --serve``."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        command = lao("dashboard", "--serve", "--json", "--port", str(port))
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        lines: list[str] = []
        while not lines or lines[-1] != "}\n":
            lines.append(self.process.stdout.readline())
            assert lines[-1], "the dashboard has ended"
        told = json.loads("".join(lines))
        self.url, self.port = str(told["url"]), int(told["port"])

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def get(self, name: str = "", *, host: str = "", method: str = "GET", path: str = "") -> tuple[int, str]:
        """Status and body of a request; ``path``: instead of the page's own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            headers = {"Host": host} if host else {}
            connection.request(method, path or urlsplit(self.url).path + name, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def end(self, number: int = signal.SIGINT) -> int:
        """Its exit code after this signal."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


@contextmanager
def served(folder: Path, port: int = 0) -> Iterator[Served]:
    """A served dashboard for a block, in which it may have been ended."""
    made = Served(folder, port)
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.process.kill()
        made.process.wait(timeout=30)
        assert made.process.stdout is not None
        made.process.stdout.close()
