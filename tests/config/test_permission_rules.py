"""Promise: a rule that is none, or that can have no effect, is an error with its line when it is loaded."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lao.config import remembered
from lao.config.load import load
from lao.config.rules import RuleError, parse_rule, rule_problems
from lao.config.settings import PermissionSettings
from lao.core.errors import ConfigError
from lao.core.tool_names import (
    BY_PATH,
    HELPER,
    OWN,
    PILOT_ACTING,
    PILOT_READING,
    READING,
    WRITING,
    covers,
    tools_of,
)  # fmt: skip
from lao.tools.registry import all_tools


def test_the_names_are_those_of_the_registry() -> None:
    """The configuration knows every tool that there is, and no other; what only reads is a list, not a rest."""
    assert set(all_tools()) | PILOT_READING | PILOT_ACTING | {HELPER} == OWN
    assert READING | WRITING | BY_PATH <= OWN
    assert not READING & WRITING


@pytest.mark.parametrize(
    ("rule", "tools", "specifier"),
    [
        ("Bash", ("shell_exec",), ""), ("Bash(*)", ("shell_exec",), ""), ("Shell(make)", ("shell_exec",), "make"),
        ("Bash(npm run test:*)", ("shell_exec",), "npm run test *"),
        ("Read(./.env)", ("file_read", "list_dir"), "./.env"),
        ("FileRead(a)", ("file_read",), "a"), ("Edit(/src/**)", ("file_patch", "file_write"), "/src/**"),
        ("FileEdit(a)", ("file_patch",), "a"), ("FilePatch(a)", ("file_patch",), "a"),
        ("Write(a)", ("file_write",), "a"),
        ("FileWrite(/src/*)", ("file_write",), "/src/*"), ("ListDir", ("list_dir",), ""),
        ("TodoWrite", ("task_todo_set",), ""), ("Agent", (HELPER,), ""), ("Task", (HELPER,), ""),
        ("agent_run", (HELPER,), ""),
        ("Grep", ("find_relevant_files",), ""), ("Search", ("find_relevant_files",), ""),
        ("file_patch(a)", ("file_patch",), "a"),
        ("mcp__a__b", ("mcp__a__b",), ""), ("mcp__a", ("mcp__a",), ""), ("mcp__a__*", ("mcp__a__*",), ""),
        (" Bash( git * ) ", ("shell_exec",), "git *"),
        ("Bash(find . -name '*;*')", ("shell_exec",), "find . -name '*;*'"),
        ("Bash(make 2)", ("shell_exec",), "make 2"),
    ],
)  # fmt: skip
def test_rules_are_read(rule: str, tools: tuple[str, ...], specifier: str) -> None:
    """C6: LAO's and Claude Code's names, with and without a specifier."""
    found = parse_rule(rule, "allow")
    assert (found.tools, found.specifier) == (tools, specifier)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("Bsh(ls)", 'did you mean "Bash"?'), ("bash", 'did you mean "Bash"?'),
        ("WebFetch(domain:x)", "the tools are Agent, Bash"),
        ("", "is no rule"), ("Bash(ls", "is no rule"), ("Bash()", "nothing between its brackets"),
        ("(ls)", "is no rule"),
        ("Bash(a && b)", "is cut at '&&'"), ("Bash(curl * | sh)", "is cut at '|'"), ("Bash(a; b)", "is cut at ';'"),
        ("Bash(echo > x)", "write Write(path)"), ("Bash(npm:* x)", "prefix only at the end"),
        ("Bash(sleep 1 &)", "'&'"),
        ("Read(npm run *)", "write Bash(npm run *)"), ("Edit(git commit:*)", "this is a command"),
        ("Write(../x)", "outside"),
        ("Write(~/x)", "outside the workspace"), ("Write(//etc/x)", "outside"), ("Edit(/../x)", "outside"),
        ("Read(C:/x)", "outside"), ("Read(!a)", "'!'"), ("Edit(a\\b)", "separated with '/'"),
        ("Grep(x)", "no brackets"),
        ("mcp__a__b(x)", "no brackets"), ("mcp__", "there is no tool"), ("Read($HOME/x)", "outside"),
        ({"rule": "Bash", "why": "x"}, "unknown key 'why'"), ({"justification": "x"}, "both texts"),
        ({"rule": "Bash", "justification": 3}, "both texts"),
    ],
)  # fmt: skip
def test_rules_without_effect_are_refused(rule: Any, words: str) -> None:
    """G1: an unknown tool, a form that matches nothing; the text says what to write instead."""
    with pytest.raises(RuleError) as told:
        parse_rule(rule, "allow")
    assert words in str(told.value)


@pytest.mark.parametrize(
    ("permissions", "told"),
    [
        ({"deny": [7]}, 'deny[0]: expected a rule such as "Bash(npm test *)", or a mapping of rule and justification, '
         "found 7"),
        ({"deny": [None]}, "deny[0]: expected a rule such as"), ({"deny": [["Bash"]]}, "found a list"),
        ({"deny": [{}]}, "deny[0]: a rule is a text, or"), ({"deny": "Bash"}, 'expected a list, found "Bash"'),
        ({"denied": ["Bash"]}, 'permissions.denied: unknown key; did you mean "deny"?'),
        ({"deny": ["Bash(ls) now"]}, "'Bash(ls) now' is no rule"), ({"deny": ["*"]}, "'*' is no rule"),
        ({"deny": ["Bash,Read"]}, "'Bash,Read' is no rule"), ({"deny": ["\uff22ash"]}, "is no rule"),
        ({"deny": ["B" * 5_000]}, f"there is no tool {'B' * 80!r}; the tools are"),
        ({"deny": ["Agent(Explore)"]}, "rules for Agent take no brackets; write 'Agent'"),
        ({"deny": ["Task()"]}, "'Task()' has nothing between its brackets; write 'Task'"),
        ({"deny": ["mcp__*"]}, "there is no tool 'mcp__*'"), ({"deny": ["mcp__a__b*"]}, "no tool 'mcp__a__b*'"),
        ({"deny": ["Bash(a\nb)"]}, "a line is cut at 'line breaks'"),
        ({"deny": ["Bash(ls\x00)"]}, "'Bash(ls\\x00)' has a control character"),
        ({"deny": ["Read(a\x1b[2J)"]}, "has a control character"),
        ({"deny": ["Bash(ls))"]}, "Bash(ls)): its brackets do not pair"), ({"deny": ["Bash((ls)"]}, "do not pair"),
        ({"deny": ["Bash(make 2>&1)"]}, "redirections are checked as paths"),
        ({"deny": ["Read(/)"]}, "Read(/) names the workspace itself; write 'Read'"),
        ({"deny": ["Edit(./)"]}, "write 'Edit'"), ({"deny": ["Read(.)"]}, "write 'Read'"),
        ({"deny": ["Read(a/../b)"]}, "Read(a/../b) can match nothing: paths have no '//', '.' or '..'; write Read(b)"),
        ({"deny": ["Read(a/./b)"]}, "write Read(a/b)"), ({"deny": ["Read(/a//b/)"]}, "write Read(/a/b)"),
        ({"deny": ["Edit(https://example.org/x)"]}, "paths have no '//'"),
        ({"deny": ["Read(a/../../b)"]}, "no tool reads outside the workspace"),
        ({"deny": ["Agent"], "allow": ["Task"]}, "allow[0]: 'Task' can have no effect: deny 'Agent' wins"),
        ({"mode": "yolo"}, 'permissions.mode: expected one of "auto", "confirm"'), ({"mode": None}, "found null"),
        ({"mode": "auto", "defaultMode": "plan"}, "means permissions.mode, which is given as well; keep one"),
        ({"ask_timeout_s": -1}, "a number above 0"), ({"plan_approval": "me"}, 'expected one of "ask", "auto"'),
    ],
)  # fmt: skip
def test_malformed_permissions_are_told_with_file_and_line(
    tmp_path: Path, permissions: dict[str, Any], told: str
) -> None:
    """B G1: nothing is silently ignored, a deny rule least of all: file, line, key and what to write; exit code 42."""
    (tmp_path / ".lao").mkdir()
    (tmp_path / "factory.yaml").write_text(yaml.safe_dump({"permissions": permissions}))
    with pytest.raises(ConfigError) as raised:
        load(cwd=tmp_path, env={})
    assert re.match(r"factory\.yaml:\d+: permissions\.", str(raised.value))
    assert told in str(raised.value)
    assert len(str(raised.value)) < 700
    assert raised.value.exit_code == 42


@pytest.mark.parametrize("path", ["./.env", "/src/", "src/**/*.py", "a b", ".env", "..env", "a..b/c", "**/x", "[ab]/c"])
def test_good_paths_are_no_problem(path: str) -> None:
    """G1: what is said to match nothing really cannot match; everything else is taken."""
    assert parse_rule(f"Read({path})", "deny").specifier == path


@pytest.mark.parametrize(
    ("rules", "problems"),
    [
        ({"deny": ["Bash(a)"], "allow": ["Bash(a)"]}, 1), ({"deny": ["Bash"], "allow": ["Bash(a)"]}, 1),
        ({"ask": ["Bash(a:*)"], "allow": ["Shell(a *)"]}, 1), ({"deny": ["Edit"], "ask": ["Write(a)"]}, 1),
        ({"deny": ["Write"], "allow": ["Edit(a)"]}, 0), ({"deny": ["Bash(a)"], "allow": ["Bash"]}, 0),
        ({"deny": ["Bash(a)"], "allow": ["Bash(a *)"]}, 0), ({"deny": ["mcp__a"], "allow": ["mcp__a"]}, 1),
    ],
)  # fmt: skip
def test_a_rule_in_the_shadow_of_another_is_refused(rules: dict[str, Any], problems: int) -> None:
    """G1: an allow or ask rule that a deny rule always beats says nothing."""
    assert len(rule_problems(rules)) == problems


def test_a_wrong_rule_is_told_with_its_line(tmp_path: Path) -> None:
    """B: file, line, key and the nearest name; exit code 42; also when the same file was read before."""
    (tmp_path / ".lao").mkdir()
    (tmp_path / "factory.yaml").write_text("permissions:\n  allow:\n    - Bash(make)\n    - Bsh(make)\n")
    for _ in range(2):
        with pytest.raises(ConfigError) as told:
            load(cwd=tmp_path, env={})
        assert str(told.value).startswith(
            "factory.yaml:4: permissions.allow[1]: there is no tool 'Bsh'; did you mean \"Bash\""
        )
    assert told.value.exit_code == 42


@pytest.mark.parametrize(
    ("given", "mode"),
    [
        ("default", "confirm"), ("manual", "confirm"), ("acceptEdits", "accept_edits"), ("plan", "plan_only"),
        ("bypassPermissions", "bypass"), ("dontAsk", "dont_ask"), ("auto", "auto"), ("confirm", "confirm"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["mode", "defaultMode"])
def test_modes_by_every_name(tmp_path: Path, key: str, given: str, mode: str) -> None:
    """G1: Claude Code's names and key are taken."""
    (tmp_path / "factory.yaml").write_text(yaml.safe_dump({"permissions": {key: given}}))
    settings = load(cwd=tmp_path, env={})
    assert settings.permissions.mode == mode
    assert settings.raw["permissions"]["mode"] == mode


def test_defaults_and_values(tmp_path: Path) -> None:
    """What is not given has the default; what is given arrives with its place."""
    assert load(cwd=tmp_path, env={}).permissions == PermissionSettings()
    (tmp_path / "factory.yaml").write_text(
        "permissions:\n  ask_timeout_s: 5\n  plan_approval: auto\n  deny:\n"
        "    - {rule: Bash(make), justification: no}\n    - rule: Read(a)\n"
    )
    with pytest.raises(ConfigError, match="both texts"):  # YAML reads no as false
        load(cwd=tmp_path, env={})
    (tmp_path / "factory.yaml").write_text(
        "permissions:\n  ask_timeout_s: 5\n  plan_approval: auto\n  deny:\n"
        "    - {rule: Bash(make), justification: by hand}\n    - rule: Read(a)\n"
    )
    found = load(cwd=tmp_path, env={}).permissions
    assert (found.ask_timeout_s, found.plan_approval) == (5, "auto")
    assert [(r.text, r.justification, r.source) for r in found.rules] == [
        ("Bash(make)", "by hand", "factory.yaml:5"),
        ("Read(a)", "", "factory.yaml:6"),
    ]


def test_remembered_rules_count_beside_the_file(tmp_path: Path) -> None:
    """G1: .lao/permissions.yaml is read with factory.yaml and without one; a wrong rule in it is told by its line."""
    state = tmp_path / ".lao"
    state.mkdir()
    file = state / remembered.FILE_NAME
    file.write_text(remembered.with_rules("", ["Bash(make)"], "plan x"))
    assert [(r.text, r.source) for r in load(cwd=tmp_path, env={}).permissions.rules] == [
        ("Bash(make)", ".lao/permissions.yaml:4")
    ]
    (tmp_path / "factory.yaml").write_text("permissions: {allow: [Bash(ls)], deny: [Read(a)]}\n")
    assert [r.text for r in load(cwd=tmp_path, env={}).permissions.rules] == ["Read(a)", "Bash(ls)", "Bash(make)"]
    for text, words in (
        ("allow:\n  - Bsh(x)\n", ".lao/permissions.yaml:2: permissions.allow[1]: there is no tool"),
        ("allowed:\n  - Bash\n", ".lao/permissions.yaml:1: allowed: unknown key"),
        ("allow: Bash\n", ".lao/permissions.yaml:1: allow: expected a list"),
        ("- Bash\n", ".lao/permissions.yaml: expected lists"),
        ("allow: [\n", ".lao/permissions.yaml:2:1: broken YAML"),
    ):
        file.write_text(text)
        with pytest.raises(ConfigError) as told:
            load(cwd=tmp_path, env={})
        assert words in str(told.value)
    for text in ("", "# nothing\n", "allow:\n"):
        file.write_text(text)
        assert [r.text for r in load(cwd=tmp_path, env={}).permissions.rules] == ["Read(a)", "Bash(ls)"]


@pytest.mark.parametrize(
    "before",
    [
        "", "# mine\nallow:\n  - Bash(a) # why\n  # last\ndeny:\n- Read(x)\n", "allow: []\n", "deny: [Read(x)]\n",
        "allow: # mine\n- Bash(a)\n- Bash(b)\n", "allow:\n\n    # deep\n    - Bash(a)\n", "allow:",
        "allow: null # mine\n",
    ],
)  # fmt: skip
def test_adding_a_rule_keeps_the_rest(before: str) -> None:
    """G1: the file stays what it was, comments included, with the new rules under allow."""
    rules = ["Bash(make 'a b')", 'Edit(/a "b".py)']
    after = remembered.with_rules(before, rules, "plan x")
    old, new = yaml.safe_load(before) or {}, yaml.safe_load(after)
    assert new == {**old, "allow": [*rules, *(old.get("allow") or [])]}
    for line in before.splitlines():
        assert "#" not in line or line.split("#", 1)[1] in after
    assert yaml.safe_load(remembered.with_rules(after, ["Bash(c)"], "y"))["allow"][0] == "Bash(c)"


def test_a_list_in_one_line_is_not_touched() -> None:
    """What cannot be added to safely is said, not rewritten."""
    with pytest.raises(ConfigError, match="in one line"):
        remembered.with_rules("allow: [Bash(a)]\n", ["Bash(b)"], "x")


def test_names_of_servers() -> None:
    """A server's rule covers its tools and no other server's."""
    assert covers("mcp__a", "mcp__a__b")
    assert not covers("mcp__a", "mcp__ab__b")
    assert tools_of("mcp__a__b") == ("mcp__a__b",)
