"""``lao memory``: show, edit, forget; in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lao.cli.main import main


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "factory.yaml").write_text("{}\n")
    monkeypatch.chdir(tmp_path / "p")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_edit_show_forget(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """H2: a fact is remembered once, shown with the user's text, forgotten by a part of it."""
    (tmp_path / "p" / "LAO_MEMORY.md").write_text("Use tabs.\n")
    assert main(["memory", "edit", "Ports begin at 9000."]) == 0
    assert main(["memory", "edit", "ports begin at 9000"]) == 0
    assert main(["memory", "edit", "I like short names.", "--scope", "user"]) == 0
    assert capsys.readouterr().out.splitlines()[1] == "known already"
    assert main(["memory", "show"]) == 0
    out = capsys.readouterr().out
    assert "Use tabs.\n- Ports begin at 9000.\n" in out
    assert "- I like short names." in out
    assert main(["memory", "show", "--scope", "project", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == ["project"]
    assert shown["project"]["facts"][0]["origin"] == "person"
    assert main(["memory", "forget", "9000", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["forgotten"] == ["Ports begin at 9000."]
    assert (tmp_path / "p" / "LAO_MEMORY.md").read_text().startswith("Use tabs.\n")
    assert "short names" in (tmp_path / "home" / ".lao" / "MEMORY.md").read_text()


def test_bad_input_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """H2: exit code 42 for a secret, an unknown fact, a file that is no text; with what to do."""
    (tmp_path / "p" / "LAO_MEMORY.md").write_text("Use tabs.\n")
    assert main(["memory", "edit", "password: hunter22"]) == 42
    assert "name where it is kept" in capsys.readouterr().err
    assert main(["memory", "forget", "use tabs"]) == 42
    assert "your own text: edit" in capsys.readouterr().err
    assert main(["memory", "forget", "unknown"]) == 42
    assert main(["memory", "forget", "x"]) == 42
    (tmp_path / "p" / "LAO_MEMORY.md").write_bytes(b"\xff")
    capsys.readouterr()
    assert main(["memory", "show"]) == 42
    assert "not UTF-8" in capsys.readouterr().err
