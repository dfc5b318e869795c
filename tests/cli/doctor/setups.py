"""A sound project with a simulated server, for tests of ``lao doctor`` to break."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lao.cli.main import main
from lao.servers.simulated.scenario import SimModel
from lao.servers.simulated.server import SimulatedServer
from lao.state.store import Store, open_store
from tests.state.pipeline_steps import hand_in

EMBEDDER = "text-embedding-nomic-embed-text-v1.5"
MODELS = (
    SimModel("qwen/qwen3-coder-30b", 6_000_000_000, max_context_length=32768),
    SimModel("small-4b", 3_000_000_000, max_context_length=32768),
    SimModel("huge-70b", 60_000_000_000, max_context_length=32768),
    SimModel(EMBEDDER, 84_106_624, "embedding", 2048),
)
FILE = """\
lm_studio_base_url: {url}
models:
  planner: {{key: qwen/qwen3-coder-30b, context_length: 16384}}
  coder: {{key: {coder}, context_length: {context}}}
  reviewer: {{key: qwen/qwen3-coder-30b, context_length: 16384}}
  embedder: {{key: {embedder}}}
{more}"""

Rows = dict[str, dict[str, Any]]


@dataclass
class Project:
    """A sound project with a server, to be broken."""

    root: Path
    server: SimulatedServer
    capsys: pytest.CaptureFixture[str]

    @property
    def database(self) -> Path:
        return self.root / ".lao" / "state.db"

    def write(self, more: str = "", **changes: object) -> None:
        """factory.yaml, with some things in another way."""
        usual = {"url": self.server.url, "coder": "qwen/qwen3-coder-30b", "context": 16384, "embedder": EMBEDDER}
        (self.root / "factory.yaml").write_text(FILE.format(**{**usual, **changes, "more": more}))

    def state(self) -> Store:
        """A state file with one plan."""
        store = open_store(self.database)
        hand_in(store)
        return store

    def doctor(self) -> tuple[int, Rows]:
        """The exit code, and the rows by their ids."""
        self.capsys.readouterr()
        code = main(["doctor", "--json"])
        return code, rows_of(self.capsys.readouterr().out)

    def row(self, row: str) -> dict[str, Any]:
        return self.doctor()[1][row]

    def carry_out(self, remedy: str) -> None:
        """Each command of the remedy as it stands there, in a shell that has LAO."""
        commands = re.findall(r"`([^`]+)`", remedy)
        assert commands, f"no command in {remedy!r}"
        for command in commands:
            line = re.sub(r"^lao ", f"{sys.executable} -m lao ", command)
            done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=120, check=False)
            assert done.returncode == 0, (line, done.stdout, done.stderr)


def rows_of(text: str) -> Rows:
    return {check["id"]: check for group in json.loads(text)["groups"] for check in group["checks"]}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def levels(rows: Rows) -> dict[str, str]:
    return {row: check["level"] for row, check in rows.items()}
