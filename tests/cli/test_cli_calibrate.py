"""``lao calibrate``: a table for people, JSON for programs, clear refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from lao.cli.main import main
from lao.config.load import load
from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES
from lao.core.states import Queue
from lao.servers.simulated.scenario import parse_scenario
from lao.servers.simulated.server import SimulatedServer
from workflows.supervisor import queue_lock

RULES = [
    {"match": {"contains": "capital of France"}, "answer": {"text": "PELICAN"}},
    {
        "match": {"contains": "file_read", "tools": True},
        "answer": {"text": '```json\n{"name": "file_read", "arguments": {"path": "notes.txt"}}\n```'},
    },
    {
        "match": {"schema": True},
        "answer": {"json": {"canary_colour": "red", "canary_count": 3, "canary_sentence": "It floats."}},
    },
    {
        "match": {"contains": ["complete new file", "RETRIES"], "anywhere": True},
        "answer": {"text": "FILE: limits.py\n```python\nTIMEOUT = 30\nRETRIES = 5\nPAUSE = 1.5\n```"},
    },
]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedServer]:
    monkeypatch.chdir(tmp_path)
    for name in (*VARIABLES, *CONFIG_VARIABLES, FLAGS_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    with SimulatedServer(parse_scenario({"responses": RULES})) as running:
        roles = {role: {"key": "sim-coder"} for role in ("planner", "coder", "reviewer")}
        document = {"lm_studio_base_url": running.url, "models": roles}
        (tmp_path / "factory.yaml").write_text(yaml.safe_dump(document))
        yield running


def test_the_table_says_what_was_found(server: SimulatedServer, capsys: pytest.CaptureFixture[str]) -> None:
    """E8: one line for each finding, and what follows from them; progress goes to stderr."""
    assert main(["calibrate"]) == 0
    shown = capsys.readouterr()
    rows = dict(line.strip().split("  ", 1) for line in shown.out.splitlines()[2:])
    found = {name: text.strip() for name, text in rows.items()}
    assert shown.out.startswith(f"sim-coder on {server.url}\n")
    assert found["tool calls"] == "salvage streamed, salvage not streamed"
    assert found["system role"] == "followed"
    assert found["JSON schema"] == "yes"
    assert found["edits"].startswith("whole 1 of 3, search_replace 0 of 2")
    assert found["context"] == "32768 tokens"
    assert found["tools shown"] == "yes"
    assert found["→ begins with"] == "salvage"
    assert found["→ edit format"] == "whole"
    assert "calibrating 'sim-coder' (planner)" in shown.err


def test_json_has_the_findings_and_what_follows(server: SimulatedServer, capsys: pytest.CaptureFixture[str]) -> None:
    """E8 M3: the same for programs, from the record when it is there; --force measures again."""
    assert main(["calibrate", "reviewer", "--json"]) == 0
    (first,) = json.loads(capsys.readouterr().out)["profiles"]
    assert (first["model"], first["server"], first["start_rung"]) == ("sim-coder", server.url, "salvage")
    assert (first["supports_tools"], first["edit_format"], first["schema"]) == (True, "whole", True)
    assert first["edits"]["whole"] == {"right": 1, "tried": 3}
    page = (Path(__file__).resolve().parents[2] / "docs" / "calibration.md").read_text(encoding="utf-8")
    table = page.split("| Field of", 1)[1].split("\n\n", 1)[0]
    cells = " ".join(re.findall(r"^\| (.*?) \|", table, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", cells)) == set(first)
    calls = server.stats["completions"]
    assert main(["calibrate", "sim-coder", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["profiles"] == [first]
    assert server.stats["completions"] == calls
    assert main(["calibrate", "--json", "--force"]) == 0
    assert server.stats["completions"] > calls


def test_unknown_names_and_busy_workers_are_refused(
    server: SimulatedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """E8: exit 42 for a name that is neither role nor model, 1 while a worker has the gpu."""
    assert main(["calibrate", "codr"]) == 42
    assert "known: 'coder'" in capsys.readouterr().err
    lock = queue_lock(load(env={}), Queue.GPU)
    lock.acquire()
    try:
        assert main(["calibrate"]) == 1
    finally:
        lock.release()
    error = capsys.readouterr().err
    assert "cannot calibrate 'sim-coder' now: the gpu queue of this project is held by process" in error
    assert server.stats["completions"] == 0


def test_a_server_that_is_away_is_said_so(server: SimulatedServer, capsys: pytest.CaptureFixture[str]) -> None:
    """E8: exit 1 and the server's address; no profile."""
    assert main(["calibrate", "--lm-studio-url", "http://127.0.0.1:9"]) == 1
    assert "127.0.0.1:9" in capsys.readouterr().err
