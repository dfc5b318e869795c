"""The cache report: a small plan against the simulated server, and what it says when the server does not tell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lao.servers.simulated.scenario import parse_scenario
from lao.servers.simulated.server import SimulatedServer
from scripts import bench_cache


def test_later_calls_come_mostly_from_the_cache(capsys: pytest.CaptureFixture[str]) -> None:
    """Each of two tasks calls the coder again after its failed check; more of the later calls' prompts is cached
    than of the first ones', and more than half."""
    assert bench_cache.main(["--tasks", "2", "--protocol", "text", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["tasks"], figures["completed"]) == (2, 2)
    assert (figures["first"]["calls"], figures["later"]["calls"]) == (2, 2)
    assert figures["later"]["source"] == "server"
    assert figures["later"]["share"] > max(0.5, figures["first"]["share"])
    assert 0 < figures["plan"]["share"] < 1
    shown = bench_cache.table(figures)
    assert f"| coder, later calls | 2 | {figures['later']['prompt']} | {figures['later']['cached']} |" in shown


def test_a_server_that_does_not_tell(capsys: pytest.CaptureFixture[str]) -> None:
    """Against a given server that says nothing of its cache the share is unknown and never zero; the plan with the
    check that wants more than the task says is worked on as well."""
    bare, right = (
        f"FILE: shop/part_1.py\n```python\n{name}def part_1(x):\n    return x + 1\n```"
        for name in ("", "NAME = 'part-1'\n\n\n")
    )
    tasks = {"tasks": [{"title": "Part 1", "description": "Write it.", "file_paths": ["shop/part_1.py"]}]}
    responses = [
        {"match": {"role": "planner"}, "answer": {"text": json.dumps(tasks)}},
        {"match": {"role": "coder"}, "times": 1, "answer": {"text": bare}},
        {"match": {"role": "coder"}, "answer": {"text": right}},
    ]
    scenario = {"models": [{"key": "one"}], "responses": responses, "tell_cache": False, "jit_context_length": 8192}
    with SimulatedServer(parse_scenario(scenario)) as server:
        arguments = ["--url", server.url, "--model", "one", "--tasks", "1", "--protocol", "text", "--json"]
        assert bench_cache.main(arguments) == 0
    figures = json.loads(capsys.readouterr().out)
    assert (figures["completed"], figures["phases"]["code"]["calls"]) == (1, 2)
    assert figures["plan"]["calls"] > 0
    assert figures["plan"]["share"] is None
    assert "| whole plan | " in bench_cache.table(figures)
    assert "| unknown | unknown | unknown | nobody |" in bench_cache.table(figures)


def test_a_server_that_is_not_there(capsys: pytest.CaptureFixture[str], free_port: int) -> None:
    """One message and the exit code of a server that is away."""
    assert bench_cache.main(["--url", f"http://127.0.0.1:{free_port}", "--model", "x"]) != 0
    assert f"http://127.0.0.1:{free_port}" in capsys.readouterr().err


def test_the_check_wants_what_only_its_failure_says(tmp_path: Path) -> None:
    """Right code without the constant fails with the words that would mend it, and passes with them."""
    (tmp_path / "check.py").write_text(bench_cache.CHECK)
    (tmp_path / "shop").mkdir()

    def check(code: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "shop" / "part_3.py").write_text(code)
        command = [sys.executable, "-B", "check.py", "3"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    failed = check("def part_3(x):\n    return x + 3\n")
    assert failed.returncode == 1
    assert "must have the line NAME = 'part-3'" in failed.stderr
    assert "NAME" not in bench_cache.plan_text(6, tmp_path / "check.py")
    assert check("NAME = 'part-3'\n\n\ndef part_3(x):\n    return x + 3\n").returncode == 0
