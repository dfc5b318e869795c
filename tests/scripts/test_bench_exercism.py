"""The benchmark as a whole: LAO on made-up exercises with the simulated server, the table, the JSON, going on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lao.servers.simulated.scenario import parse_scenario
from lao.servers.simulated.server import SimulatedServer
from scripts import bench_exercism
from tests.scripts.conftest import RIGHT_ADDER, SOLVED, UNSOLVED

BARE = {
    "match": {"contains": ["Answer with one Python code block", "`adder`"]},
    "answer": {"text": f"Here it is:\n```python\n{RIGHT_ADDER}```\n"},
}


def test_a_hidden_benchmark_counts_what_is_true(
    exercises: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One exercise solved, one falsely claimed, one bare prompt that solves; all of it in table and file; a second
    call goes on, asks nothing again, and is refused without --resume."""
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Test")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "test@example.org")
    out = tmp_path / "out" / "results.json"
    with SimulatedServer(parse_scenario({"responses": [BARE]})) as server:
        command = [str(exercises), "--url", server.url, "--model", "sim-coder", "--hidden", "--no-calibrate"]
        command += ["--baseline", "--minutes", "5", "--out", str(out), "--keep", str(tmp_path / "kept")]
        assert bench_exercism.main(command) == 0
        table = capsys.readouterr().out
        asked = len(server.log)
        assert bench_exercism.main(command) == 42
        capsys.readouterr()
        assert bench_exercism.main([*command, "--resume"]) == 0
        assert len(server.log) == asked
    assert capsys.readouterr().out == table
    assert "LAO solved 1 of 2; false done 1" in table
    assert "One bare prompt solved 1 of 2." in table
    data = json.loads(out.read_text())
    rows = {row["name"]: row for row in data["rows"]}
    for name in (SOLVED, UNSOLVED):
        assert rows[name]["lao"]["state"] == "completed", rows[name]["lao"]["log"]
        assert rows[name]["lao"]["calls"] >= 2
        assert rows[name]["lao"]["prompt"] > 0
        assert rows[name]["lao"]["generated"] > 0
    assert rows[SOLVED]["lao"]["solved"]
    assert not rows[SOLVED]["lao"]["false_done"]
    assert rows[UNSOLVED]["lao"]["false_done"]
    assert (rows[UNSOLVED]["baseline"]["one"], rows[UNSOLVED]["baseline"]["two"]) == (True, None)
    assert data["settings"]["tests"] == "hidden"
    assert data["totals"]["lao"]["false_done"] == 1
    kept = [p.read_text() for p in (tmp_path / "kept").rglob("*.py")]
    assert kept
    assert not any("SECRET" in text or "test_it" in text for text in kept)


def test_without_a_server_nothing_counts(
    exercises: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], free_port: int
) -> None:
    """A server that is away is no unsolved exercise: the benchmark stops and says so."""
    command = [str(exercises), "--url", f"http://127.0.0.1:{free_port}", "--out", str(tmp_path / "o.json")]
    assert bench_exercism.main(command) == 1
    assert "no model server answers" in capsys.readouterr().err
    assert not (tmp_path / "o.json").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["nothing-here"], "exercise 'nothing-here' has no file"),
        (["--config", "/nowhere.yaml"], "cannot read '/nowhere.yaml'"),
    ],
)
def test_wrong_arguments_are_named(
    exercises: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    """What the benchmark cannot use is named before anything runs."""
    assert bench_exercism.main([str(exercises), *more]) == 42
    assert said in capsys.readouterr().err
