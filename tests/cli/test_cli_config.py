"""``lao config show``: every value with its source."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lao.cli.main import main
from lao.config.overrides import CONFIG_VARIABLES, FLAGS_VARIABLE, VARIABLES
from lao.config.schema import load_schema


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (*VARIABLES, *CONFIG_VARIABLES, FLAGS_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def test_show_json(capsys, tmp_path: Path, monkeypatch):
    """Each key has a value and a source: flag, variable, line or default; the API key is hidden."""
    (tmp_path / "factory.yaml").write_text("git:\n  enabled: false\nopenai_api_key: abc\n")
    monkeypatch.setenv("PLANS_DIR", "p")
    assert main(["config", "show", "--json", "--seed", "5"]) == 0
    shown = json.loads(capsys.readouterr().out)
    settings = shown["settings"]
    assert shown["config_file"] == str(tmp_path / "factory.yaml")
    assert settings["git.enabled"] == {"value": False, "source": "factory.yaml:2"}
    assert settings["paths.plans"] == {"value": str(tmp_path / "p"), "source": "environment PLANS_DIR"}
    assert settings["models.coder.seed"] == {"value": 5, "source": "flag --seed"}
    assert settings["output_style"] == {"value": "narrative", "source": "default"}
    assert settings["openai_api_key"]["value"] == "(hidden)"
    assert list(settings) == [leaf.key for leaf in load_schema().leaves()]


def test_show_text(capsys):
    """Without --json one line for each key."""
    assert main(["config", "show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "# no factory.yaml: defaults"
    assert len(lines) == 1 + len(load_schema().leaves())
    assert any(line.split() == ["git.enabled", "true", "default"] for line in lines)
