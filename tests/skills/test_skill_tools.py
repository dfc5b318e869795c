"""skill_list, skill_run and skill_clear through the dispatcher: what the model gets, and that nothing is granted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lao.core.steps import DirectSteps
from lao.skills.catalogue import folders, load_catalogue
from lao.skills.shelf import Shelf
from lao.tools.context import ToolContext, ToolResult
from lao.tools.toolbox import Toolbox
from tests.tools.conftest import Bench

SAMPLES = Path(__file__).parent / "samples"
NAMES = ("file_read", "file_write", "list_dir", "shell_exec", "skill_clear", "skill_list", "skill_run")


class Desk:
    """A toolbox with the samples and the bundled skills."""

    def __init__(self, root: Path) -> None:
        self.bench = Bench(root)
        self.shelf = Shelf(load_catalogue(folders(root, home=root / "home", dirs=[str(SAMPLES)])))
        context: ToolContext = self.bench.context(skills=self.shelf)
        self.box = Toolbox(context, NAMES)
        self.box.begin()

    def call(self, tool: str, **arguments: Any) -> ToolResult:
        return self.box.call(tool, arguments, DirectSteps(), "step")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_from_the_list_to_the_body_to_a_file(desk: Desk) -> None:
    """H1: progressive disclosure: names, then the instructions, then one file."""
    assert "- pdf-processing: Extract text" in desk.call("skill_list").text
    shown = desk.call("skill_run", name="pdf_processing").text
    assert "Use pdfplumber" in shown
    assert "- references/FORMS.md" in shown
    assert "dump_data_fields" not in shown
    assert "dump_data_fields" in desk.call("skill_run", name="pdf-processing", file="references/FORMS.md").text
    outside = desk.call("skill_run", name="pdf-processing", file="../a/SKILL.md")
    assert not outside.ok
    unknown = desk.call("skill_run", name="verfy")
    assert not unknown.ok
    assert "did you mean 'verify'" in unknown.text


def test_an_open_skill_narrows_and_never_widens(desk: Desk) -> None:
    """H1 G5: allowed-tools take tools away until skill_clear; what is denied stays denied though a skill allows it."""
    assert desk.call("skill_run", name="git-changelog").ok
    assert desk.call("shell_exec", command="git log --oneline").text.startswith("exit status")
    refused = desk.call("shell_exec", command="git log; echo also")
    assert "call skill_clear" in refused.text
    assert not desk.call("file_write", path="a.txt", content="x").ok
    assert not desk.call("shell_exec", command="git tag -d v1").ok, "built-in denial, though the skill allows git tag"
    assert desk.call("skill_clear").ok
    assert desk.call("file_write", path="a.txt", content="x").ok


def test_reading_a_file_of_a_skill_opens_nothing(desk: Desk) -> None:
    """H1: only the instructions open a skill, and a new attempt begins with none."""
    desk.call("skill_run", name="k8s-debug")
    assert desk.shelf.open is not None
    desk.box.begin()
    assert desk.shelf.open is None
    desk.call("skill_run", name="mcp-builder", file="references/python.md")
    assert desk.shelf.open is None


@pytest.mark.parametrize(
    ("command", "runs"),
    [
        ("kubectl get pods", True),
        ("kubectl get", True),
        ("kubectl getall", False),
        ("kubectl logs x", True),
        ("kubectl delete x", False),
        ("kubectl get pods | tee x", False),
        ("kubectl get $(rm x)", False),
        ("kubectl get `rm x`", False),
        ("kubectl get pods\nrm x", False),
        ("kubectl get pods > x", False),
    ],
)
def test_rules_for_commands(desk: Desk, command: str, runs: bool) -> None:
    """H1: a prefix ends at a word; a line that a shell would make several commands of is not let through."""
    desk.call("skill_run", name="k8s-debug")
    assert (desk.shelf.refusal("shell_exec", {"command": command}) is None) is runs
    assert desk.shelf.refusal("file_read", {"path": "a"}) is None
    assert desk.shelf.refusal("file_patch", {"path": "a"}) is not None


def test_a_replayed_call_opens_the_skill_again(desk: Desk) -> None:
    """H1 K1: what is open follows from recorded results, so a resumed attempt has the same tools."""

    class Recorded(DirectSteps):
        def run(self, kind: Any, label: str, fn: Any) -> Any:
            return ToolResult("recorded").to_json()

    desk.box.call("skill_run", {"name": "git-changelog"}, Recorded(), "step")
    assert desk.shelf.open is not None
    assert desk.shelf.open.name == "git-changelog"
