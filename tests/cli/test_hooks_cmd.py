"""Promises of lao hooks: what there is, where from, and a dry run whose exit status tells."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from lao.cli.context import Session
from lao.cli.hooks_cmd import command as hooks
from tests.hooks.conftest import command


def run(root: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(hooks, [*words], obj=Session(cwd=root, env={}), catch_exceptions=False)
    return result.exit_code, result.output


def write(root: Path, **section: object) -> None:
    (root / "factory.yaml").write_text(yaml.safe_dump({"hooks": section}))


def test_a_project_without_hooks_says_so(tmp_path: Path) -> None:
    """N2: nothing found is not an error."""
    status, text = run(tmp_path, "list")
    assert status == 0
    assert text.startswith("no hooks:")
    assert run(tmp_path, "check")[0] == 0


def test_list_tells_what_and_where_and_runs_none(tmp_path: Path) -> None:
    """N2: functions of hooks.py, commands with matcher and source; list runs no command."""
    (tmp_path / "hooks.py").write_text("def pre_tool(name, args, ctx):\n    return None\n")
    (tmp_path / "h.json").write_text(json.dumps({"hooks": {"Stop": command("touch ran")}}))
    write(tmp_path, PreToolUse=command("touch ran", "Bash"), files=["h.json"])
    status, text = run(tmp_path, "list", "--json")
    view = json.loads(text)
    assert status == 0
    assert (view["functions"], view["problems"]) == (["pre_tool"], [])
    shown = [(c["event"], c["matcher"], c["source"]) for c in view["commands"]]
    assert shown == [("PreToolUse", "Bash", "factory.yaml: PreToolUse"), ("Stop", "*", "h.json: Stop")]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("line", "said", "status"),
    [
        ("cat >/dev/null", "goes on", 0),
        ('grep -q \'"tool_name": "Write"\' || exit 1; echo no >&2; exit 2', "refuses: no", 0),
        ("exit 3", "exit status 3: no output", 1),
        ("echo '{'", "begins like JSON and is none", 1),
    ],
)
def test_check_tries_each_command(tmp_path: Path, line: str, said: str, status: int) -> None:
    """N2: a sample of the event that the matcher is for; what is wrong makes the exit status 1."""
    write(tmp_path, PreToolUse=command(line, "Write"))
    found, text = run(tmp_path, "check", "--json")
    view = json.loads(text)
    (tried,) = view["tried"]
    assert said in (tried["problem"] or tried["said"])
    assert (found, view["ok"]) == (status, status == 0)
    assert said in run(tmp_path, "check")[1]


def test_check_names_a_broken_file(tmp_path: Path) -> None:
    """N2: a hooks.py that cannot be loaded, with its line."""
    (tmp_path / "hooks.py").write_text("x = 1\ny = z\n")
    status, text = run(tmp_path, "check")
    assert status == 1
    assert "hooks.py:2: NameError" in text
