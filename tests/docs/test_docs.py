"""Docs are tests: commands, fields, exit codes and links in the pages are the real ones."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from lao.agents.plan_text import plan_commands
from lao.cli.commands import COMMANDS
from lao.cli.status_cmd import empty_view
from lao.config.load import load
from lao.core.states import TERMINAL_TASKS, Queue
from lao.durable.faults import POINTS
from lao.quality.commands import validation_commands
from workflows.supervisor import worker_command

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_command_is_in_the_readme() -> None:
    """O3: whoever reads the README knows all commands."""
    text = page("README.md")
    for name, entry in COMMANDS.items():
        assert entry.hidden or f"`lao {name}" in text, name


def test_every_field_of_status_is_described() -> None:
    """M3: docs/watching.md lists exactly the fields that status --json prints."""
    table = page("docs/watching.md").split("## `lao status --json`", 1)[1].split("##", 1)[0]
    described = {
        name for cell in re.findall(r"^\| (.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)", cell)
    }
    assert described == set(empty_view())
    for state in TERMINAL_TASKS:
        assert f"`{state.value}`" in table


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(path: Path) -> None:
    """O3: every relative link of a page is a file."""
    for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_the_worker_commands_are_the_real_ones() -> None:
    """O1: what the operator's page prints is what lao run starts."""
    text = page("docs/operating.md")
    for queue in Queue:
        assert " ".join(["huey_consumer", *worker_command(queue)[1:]]) in text


def test_the_examples_of_plans_do_what_the_page_says(tmp_path: Path) -> None:
    """C5 D7: the Test: and Check: lines and the front matter of docs/writing-plans.md are understood."""
    text = page("docs/writing-plans.md")
    lines = re.search(r"```text\n(.*?)```", text, re.DOTALL)
    front = re.search(r"```yaml\n---\n(.*?)---\n```", text, re.DOTALL)
    assert lines
    assert front
    assert [c for _, c in plan_commands(lines[1])] == ["python3 -m pytest -q test_basket.py", "npm test"]
    limits = load(cwd=tmp_path, env={}).orchestration
    found = validation_commands(limits, yaml.safe_load(front[1]), None, tmp_path)
    assert found == (("build", "python3 -m compileall -q ."), ("test", "python3 -m pytest -q"))


def test_scripts_are_sound() -> None:
    """O3: the two commands of the README are scripts that bash can read."""
    for name in re.findall(r"bash (scripts/\w+\.sh)", page("README.md")):
        assert subprocess.run(["bash", "-n", ROOT / name], check=False).returncode == 0


def test_crash_points_are_all_passed() -> None:
    """K1: every named point is in the code, and the code names no other."""
    sources = [p for name in ("lao", "workflows") for p in (ROOT / name).rglob("*.py")]
    used = {point for p in sources for point in re.findall(r'crash_point\("(\w+)"\)', p.read_text(encoding="utf-8"))}
    assert used == set(POINTS)
