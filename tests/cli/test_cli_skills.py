"""``lao skills``: list, show, validate, in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lao.cli.main import main

SAMPLES = Path(__file__).parents[1] / "skills" / "samples"


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "factory.yaml").write_text(f"skills:\n  dirs: ['{SAMPLES}']\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_list_names_skills_and_problems(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """H1: seventeen skills; the malformed one is on stderr with its line, and costs nothing else."""
    bad = tmp_path / ".agents/skills/bad/SKILL.md"
    bad.parent.mkdir(parents=True)
    bad.write_text("---\nname: bad\n---\nx\n")
    assert main(["skills", "list"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 17
    assert f"left out: {bad}, line 1" in err
    assert main(["skills", "list", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [p["line"] for p in shown["problems"]] == [1]
    assert {s["source"] for s in shown["skills"]} == {"bundled", "skills.dirs"}


def test_show_prints_what_the_model_gets(capsys: pytest.CaptureFixture[str]) -> None:
    """H1: LAO 3.1's name resolves; an unknown one is exit code 42 with the names there are."""
    assert main(["skills", "show", "write_tests"]) == 0
    assert "# Skill write-tests" in capsys.readouterr().out
    assert main(["skills", "show", "write-tests", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["source"] == "bundled"
    assert main(["skills", "show", "nothing"]) == 42
    assert "the skills are: a, " in capsys.readouterr().err


def test_validate_a_folder_a_skill_and_all(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """H1: exit code 42 when one is malformed; the others are still named."""
    assert main(["skills", "validate", str(SAMPLES)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 10
    assert main(["skills", "validate", str(SAMPLES / "a")]) == 0
    assert main(["skills", "validate"]) == 0
    capsys.readouterr()
    broken = tmp_path / "set" / "x" / "SKILL.md"
    broken.parent.mkdir(parents=True)
    broken.write_text("---\nname: y\ndescription: d\n---\nx\n")
    assert main(["skills", "validate", str(tmp_path / "set"), "--json"]) == 42
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert problem["line"] == 2
    assert "rename the folder" in problem["hint"]
    assert main(["skills", "validate", str(tmp_path / "home")]) == 42
