"""``lao benchmark`` on the simulated server: real runs, its files, exit codes, how it is interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from lao.cli.benchmark.records import HISTORY, REPORT
from lao.cli.benchmark.scenarios import SCENARIOS
from lao.cli.main import main

ROOT = Path(__file__).resolve().parents[3]
ONE = "claims-and-does-nothing"


@pytest.mark.durability
def test_all_scenarios_pass_and_are_kept(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """M2: the whole benchmark, really carried out, passes; what it printed is what it wrote."""
    assert main(["benchmark", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [s["name"] for s in shown["scenarios"]] == [trial.name for trial in SCENARIOS]
    assert [s["reason"] for s in shown["scenarios"]] == [""] * len(SCENARIOS)
    assert all(s["checks"] and all(c["passed"] for c in s["checks"]) for s in shown["scenarios"])
    assert (shown["schema_version"], shown["pass_rate"], shown["kind"]) == ("1.0.0", 1.0, "simulated")
    assert shown["machine"]["cpu_count"] == os.cpu_count()
    assert shown.pop("verdict") == ["passed"]
    assert json.loads((project / REPORT).read_text()) == shown
    (run,) = json.loads((project / HISTORY).read_text())["runs"]
    assert len(run["passed"]) == len(SCENARIOS) >= 8


@pytest.mark.durability
def test_what_fails_is_named_and_what_got_worse_decides(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """M2: without git the scenario fails with its reason and exit code 3; the two keys say what of it counts."""
    arguments = ["benchmark", "--only", ONE]
    assert main(arguments) == 0
    assert "1 of 1 passed" in capsys.readouterr().out
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, real in (("sh", "/bin/sh"), ("python3", sys.executable)):
        (tools / name).symlink_to(real)
    monkeypatch.setenv("PATH", str(tools))
    (project / "factory.yaml").write_text("orchestration: {benchmark_min_pass_rate: 0}\n")
    assert main(arguments) == 3
    said = capsys.readouterr().out
    assert ONE in said and "git" in said
    assert f"failed: passed last time: {ONE}" in said
    assert json.loads((project / REPORT).read_text())["regressions"] == [ONE]
    assert main(arguments) == 0  # it failed last time already, and no rate is asked for
    (project / "factory.yaml").write_text("orchestration: {benchmark_fail_on_regression: false}\n")
    assert main(arguments) == 3
    assert "0 % passed, benchmark_min_pass_rate wants 85 %" in capsys.readouterr().out


def test_unknown_names_are_usage_errors(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """M2 M3: exit code 2, with the name that was meant; nothing is run, nothing is written."""
    assert main(["benchmark", "--only", "hapy-plan"]) == 2
    assert "Did you mean 'happy-plan'?" in capsys.readouterr().err
    assert main(["benchmark", "--live", "--only", "happy-plan"]) == 2
    assert list(project.iterdir()) == []


def test_the_list_names_all(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """M3: --list carries nothing out, as text or JSON."""
    assert main(["benchmark", "--list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["scenarios"]
    assert [entry["name"] for entry in listed] == [trial.name for trial in SCENARIOS]
    assert all(entry["promise"].endswith(".") for entry in listed)
    assert main(["benchmark", "--list", "--live"]) == 0
    assert "tally" in capsys.readouterr().out
    assert list(project.iterdir()) == []


def test_the_page_has_each_scenario_with_its_promise() -> None:
    """O3: docs/benchmarks.md says of all of them what must hold."""
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert [t.name for t in SCENARIOS if f"| `{t.name}` | {t.promise} |" not in page] == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_an_interrupted_benchmark_leaves_nothing(project: Path, how: signal.Signals, tmp_path: Path) -> None:
    """M3: exit code 130; no folder, no process is left, and no half report."""
    scratch = Path(tempfile.mkdtemp(dir=tmp_path))
    environment = {**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "lao", "benchmark", "--only", "happy-plan"]
    with subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as at:
        end = time.monotonic() + 60
        while not list(scratch.glob("lao-benchmark-*/project/.lao/*.lock")):
            assert at.poll() is None and time.monotonic() < end
        at.send_signal(how)
        assert at.wait(60) == 130
    assert list(scratch.glob("lao-*")) == []
    left = [p for p in Path("/proc").glob("[0-9]*/cwd") if _reads(p).startswith(str(scratch))]
    assert left == []
    assert list(project.iterdir()) == []


def _reads(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""
