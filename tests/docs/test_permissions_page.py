"""Docs are tests: every example, rule and mode of docs/permissions.md is what the code decides."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from lao.config.load import load
from lao.config.rules import RuleError, parse_rule, parse_rules
from lao.config.schema import load_schema
from lao.config.settings import PermissionSettings
from lao.core.tool_names import OTHER_NAMES, tools_of
from lao.tools.permissions.policy import Policy

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "permissions.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the first table behind a heading row."""
    table = PAGE.split(f"| {heading} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in table]


EXAMPLES = [*rows("Rule | Command | In mode confirm"), *rows("Rule | Path | In mode confirm")]


@pytest.mark.parametrize(("rule", "call", "verdict"), EXAMPLES, ids=range(len(EXAMPLES)))
def test_the_examples_are_decided_as_the_page_says(tmp_path: Path, rule: str, call: str, verdict: str) -> None:
    """G1: each row of the tables of commands and paths."""
    kind, text = re.fullmatch(r"(\w+) `(.*)`", rule).groups()
    policy = Policy(PermissionSettings("confirm", parse_rules({kind: [text]}, {})), tmp_path)
    plain = call.strip("`")
    is_path = call in [path for _, path, _ in rows("Rule | Path | In mode confirm")]
    tool, arguments = ("file_write", {"path": plain}) if is_path else ("shell_exec", {"command": plain})
    assert policy.decide(tool, arguments).verdict.value == verdict


@pytest.mark.parametrize(("rule", "why"), rows("Rule | Why"))
def test_the_rules_without_effect_are_refused(rule: str, why: str) -> None:
    """G1: each is an error, with these words."""
    with pytest.raises(RuleError, match=re.escape(why)):
        parse_rule(rule.strip("`").replace("\\|", "|"), "allow")


def test_the_names_are_all_there() -> None:
    """G1: the table of names is the code's."""
    named: dict[str, tuple[str, ...]] = {}
    for names, tools in rows("Name in a rule | Tools"):
        for name in re.findall(r"`(\w+)`", names):
            named[name] = tuple(tools.split(", "))
    assert set(OTHER_NAMES) == {name for name in named if not name.startswith("mcp__")}
    for name, tools in OTHER_NAMES.items():
        assert set(tools) <= set(named[name]) or (len(tools) == 1 and tools[0] in named[name])
    assert tools_of("mcp__server__tool")


MODES = rows(
    "`permissions.mode` | Claude Code calls it | Reading | Edits in the workspace | "
    "Other commands and tools | Questions"
)


def test_the_modes_are_all_there(tmp_path: Path) -> None:
    """G1: each mode and each other name of it is taken, and no other is known."""
    known = set(load_schema().at(("permissions", "mode"))["enum"])
    told: set[str] = set()
    for mode, others, *_ in MODES:
        name = re.search(r"`(\w+)`", mode)[1]
        for word in [name, *re.findall(r"`(\w+)`", others)]:
            told.add(word)
            (tmp_path / "factory.yaml").write_text(yaml.safe_dump({"permissions": {"mode": word}}))
            assert load(cwd=tmp_path, env={}).permissions.mode == name
    assert told == known


def test_what_the_modes_say_is_what_they_do(tmp_path: Path) -> None:
    """G1: the columns for reading, edits and other commands."""
    for mode, _, reading, edits, commands, _ in MODES:
        policy = Policy(PermissionSettings(re.search(r"`(\w+)`", mode)[1]), tmp_path)
        planning = "plan_only" in mode
        for cell, tool, arguments in (
            (reading, "file_read", {"path": "a"}),
            (edits, "file_write", {"path": "a"}),
            (commands if commands != "the same" else edits, "shell_exec", {"command": "make"}),
        ):
            verdict = policy.decide(tool, arguments, planning=planning).verdict.value
            assert verdict == {"run": "allow", "ask": "ask", "ref": "deny"}[cell[:3]], (mode, tool)


def test_the_yaml_example_loads(tmp_path: Path) -> None:
    """B: the example is a valid part of factory.yaml."""
    example = re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1]
    (tmp_path / "factory.yaml").write_text(example)
    found = load(cwd=tmp_path, env={}).permissions
    assert [rule.kind for rule in found.rules] == ["deny", "deny", "ask", "allow", "allow"]
