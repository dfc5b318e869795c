"""``lao benchmark --live`` against a simulated server in the place of the user's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from lao.cli.benchmark.records import REPORT
from lao.cli.main import main
from lao.servers.simulated.scenario import parse_scenario
from lao.servers.simulated.server import SimulatedServer

SOLUTION = '''"""Counting words."""

import re


def tally(text):
    counts = {}
    for word in re.findall(r"[a-z0-9]+", text.lower()):
        counts[word] = counts.get(word, 0) + 1
    return counts
'''


def _planned(name: str) -> dict[str, object]:
    task: dict[str, object] = {"title": f"Write {name}", "description": f"Write {name}.py.", "dependencies": []}
    task |= {"file_paths": [f"{name}.py"], "acceptance": {"commands": []}}
    return {"match": {"role": "planner", "contains": f"test_{name}.py"}, "answer": {"json": {"tasks": [task]}}}


def _server() -> SimulatedServer:
    """Solves "tally", and says of "spans" that it is done without doing it."""
    written = {"name": "file_write", "arguments": {"path": "tally.py", "content": SOLUTION}}
    responses = [
        _planned("tally"),
        _planned("spans"),
        {
            "match": {"role": "coder", "contains": "- tally.py", "tools": True, "nth": 1},
            "answer": {"tool_calls": [written]},
        },
        {"match": {"role": "coder"}, "answer": {"text": "Done. All tests pass."}},
    ]
    return SimulatedServer(parse_scenario({"responses": responses}))


@pytest.mark.durability
def test_exercises_are_solved_or_not_with_their_figures(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """M2: solved is what the judge says; a model's claim counts for nothing; calls, tokens and seconds are told."""
    with _server() as server:
        models = {r: {"key": f"sim-{r}", "supports_tools": True} for r in ("planner", "coder", "reviewer")}
        document = {
            "lm_studio_base_url": server.url,
            "server": {"kind": "simulated"},
            "models": models,
            "calibration": {"auto": False},
            "orchestration": {"retry_cooldown_base_s": 0, "analyst_enabled": False, "max_task_attempts": 1},
            "attempts": {"repairs": 0, "candidates": 1, "split": False, "idle": False},
            "memory_gate": {"poll_interval_s": 0.05},
        }
        (project / "factory.yaml").write_text(yaml.safe_dump(document))
        assert main(["benchmark", "--live", "--only", "tally", "--only", "spans", "--json"]) == 3
    view = json.loads(capsys.readouterr().out)
    tally, spans = view["scenarios"]
    assert (tally["passed"], tally["state"], tally["solved"], tally["falsely_done"]) == (True, "completed", True, False)
    assert (spans["passed"], spans["solved"], spans["falsely_done"]) == (False, False, False)
    assert spans["state"] == "needs_human" and spans["reason"]
    assert tally["calls"] >= 3 and tally["tokens"]["prompt"] > 0 and tally["seconds"] > 0
    assert view["kind"] == "live" and view["models"]["coder"] == "sim-coder"
    assert view["verdict"] == ["50 % passed, benchmark_min_pass_rate wants 85 %"]
    assert [p.name for p in project.iterdir() if p.name.startswith("bench")]
    assert json.loads((project / REPORT).read_text())["pass_rate"] == 0.5


def test_a_server_that_is_not_there_is_one_message(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """M2: exit code 1 and what to do; nothing is begun, nothing is written."""
    assert main(["benchmark", "--live", "--lm-studio-url", "http://127.0.0.1:9"]) == 1
    said = capsys.readouterr().err
    assert "no model server answers at http://127.0.0.1:9" in said
    assert "Traceback" not in said
    assert list(project.iterdir()) == []


def test_models_that_the_server_has_not_are_one_message(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """M2: exit code 1 before the first exercise."""
    with SimulatedServer() as server:
        assert main(["benchmark", "--live", "--lm-studio-url", server.url, "--coder-model", "nobody"]) == 1
    assert "nobody" in capsys.readouterr().err
    assert not (project / REPORT).exists()
