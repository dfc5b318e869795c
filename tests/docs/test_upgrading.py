"""docs/upgrading.md: what it says of files, keys and commands of LAO 3.1 is so."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
import yaml

from lao.cli.commands import COMMANDS
from lao.cli.main import main
from lao.config.load import load
from lao.config.overrides import VARIABLES
from lao.config.schema import load_schema

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "upgrading.md").read_text(encoding="utf-8")
LAO_31 = ROOT / "tests" / "config" / "lao31.yaml"

COMMANDS_31 = frozenset(
    (
        "run",
        "pilot",
        "init",
        "health",
        "doctor",
        "status",
        "preflight",
        "kpi",
        "dashboard",
        "report",
        "projects",
        "skills",
    )
) | {"memory", "retry-failed", "reset-failed", "configure-models", "mcp-server"}
TABLES_31 = """
create table plans (id text primary key, filename text, status text);
create table micro_tasks (id integer primary key, plan_id text, title text, status text);
create table run_log (id integer primary key);
insert into plans values ('0123456789abcdef', 'shop.md', 'completed');
"""
SKILL_31 = """---
name: our_rules
description: How we write code.
tools: [file_read]
examples: [short]
---
Be brief.
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as 3.1 leaves it, and the current folder."""
    (tmp_path / "home").mkdir()
    folder = tmp_path / "project"
    (folder / ".lao" / "skills").mkdir(parents=True)
    (folder / "factory.yaml").write_bytes(LAO_31.read_bytes())
    (folder / "LAO_MEMORY.md").write_text("# Memory\n- Wrote shop.py\n")
    (folder / ".lao" / "skills" / "our_rules.md").write_text(SKILL_31)
    db = sqlite3.connect(folder / ".lao" / "state.db")
    db.executescript(TABLES_31)
    db.close()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return folder


def keys_below(heading: str) -> list[str]:
    """The keys in the first column of the first table behind ``heading``."""
    table = TEXT.split(heading, 1)[1].split("\n\n", 2)[1]
    return [key for cell in re.findall(r"^\| (`.+?) \|", table, re.MULTILINE) for key in re.findall(r"`([^`]+)`", cell)]


def test_a_state_of_31_is_refused_and_left_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """O3: exit code 42, the words of the page, not a byte changed; without it the project goes on."""
    state = project / ".lao" / "state.db"
    before = state.read_bytes()
    assert main(["status"]) == 42
    said = capsys.readouterr().err
    assert "is a database, but not a state file of LAO (tables: micro_tasks, plans, " in said
    assert "point paths.database or --db to another file; nothing was changed" in said
    assert state.read_bytes() == before
    (project / ".lao" / "lao-3.1").mkdir()
    state.rename(project / ".lao" / "lao-3.1" / "state.db")
    assert main(["status"]) == 0


def test_memory_and_skills_of_31_go_on(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """H1 H2: the single file is a skill of the project with its tools; the memory's text is shown and not changed."""
    (project / ".lao" / "state.db").unlink()
    assert main(["skills", "show", "our_rules"]) == 0
    assert "Be brief." in capsys.readouterr().out
    assert main(["memory", "show"]) == 0
    assert "- Wrote shop.py" in capsys.readouterr().out
    assert main(["memory", "edit", "The shop sells tea."]) == 0
    text = (project / "LAO_MEMORY.md").read_text()
    assert text.startswith("# Memory\n- Wrote shop.py\n")
    assert "The shop sells tea." in text


def test_defaults_that_differ_are_those_of_the_page(tmp_path: Path) -> None:
    """A1: of all keys of 3.1 outside models and lists of the sample, just these have another default."""
    own = load(cwd=tmp_path, env={}).raw
    given = yaml.safe_load(LAO_31.read_text(encoding="utf-8"))
    differ = [
        f"{section}.{key}"
        for section in ("memory_gate", "orchestration", "git", "skills", "memory", "hooks", "otel", "agentic")
        for key, value in given[section].items()
        if key != "validation_profiles" and own[section][key] != value
    ]
    assert keys_below("has; the message lists those that there are.") == differ


def test_keys_without_effect_are_read_nowhere() -> None:
    """O3: the page calls no key idle that the program reads, and each of them loads."""
    sources = [p for name in ("lao", "workflows") for p in (ROOT / name).rglob("*.py") if p.parent.name != "config"]
    code = "\n".join(p.read_text(encoding="utf-8") for p in sources)
    known = {leaf.key for leaf in load_schema().leaves()}
    idle = keys_below("These load and have no effect:")
    assert len(idle) == 6
    for key in idle:
        assert key in known
        assert re.search(rf"\b{key.rsplit('.', 1)[-1]}\b", code) is None, key


def test_commands_of_31_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    """A3: each command answers to its old name; two options are refused, as the page says."""
    assert COMMANDS.keys() >= COMMANDS_31
    for option in ("--architect-only", "--plan-phase"):
        assert main(["run", option]) == 2
        assert f"`{option}" in TEXT
    assert "No such option" in capsys.readouterr().err
