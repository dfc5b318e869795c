"""Promise: deny before ask before allow, built-in denials above all but bypass, then the mode; and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lao.config.rules import parse_rules
from lao.config.settings import PermissionSettings
from lao.tools.permissions.decision import Decision
from lao.tools.permissions.policy import Policy

MODES = ("auto", "confirm", "accept_edits", "plan_only", "dont_ask", "bypass")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / ".env").write_text("KEY=1\n")
    return tmp_path


def policy(root: Path, mode: str = "confirm", **rules: list[Any]) -> Policy:
    sources = {(kind, n): f"factory.yaml:{n + 1}" for kind, entries in rules.items() for n in range(len(entries))}
    return Policy(PermissionSettings(mode, parse_rules(rules, sources)), root)


def run(it: Policy, command: str) -> Decision:
    return it.decide("shell_exec", {"command": command})


@pytest.mark.parametrize(
    ("rule", "command", "verdict"),
    [
        ("Bash(npm run test:*)", "npm run test", "allow"), ("Bash(npm run test *)", "npm run test", "allow"),
        ("Bash(npm run test:*)", "npm run test -- --watch", "allow"), ("Bash(npm run test:*)", "npm run tests", "ask"),
        ("Bash(npm run test *)", "npm run tests", "ask"), ("Bash(npm * --save)", "npm i x --save", "allow"),
        ("Bash(* --version)", "node --version", "allow"), ("Bash(npm*)", "npmx", "allow"),
        ("Shell(make)", "make", "allow"),
        ("Bash(make)", "make all", "ask"), ("Bash", "anything --at all", "allow"), ("Bash(*)", "anything", "allow"),
        ("shell_exec(make)", "make", "allow"), ("Bash(make)", "make;make", "allow"),
        ("Bash(make)", "make && rm x", "ask"),
        ("Bash(make)", "make $(rm x)", "ask"), ("Bash(make *)", "make `rm x`", "ask"),
        ("Bash(make)", "make > out", "ask"),
        ("Bash(make)", "timeout 5 make", "allow"), ("Bash(make)", "env make", "allow"),
        ("Bash(make)", "X=1 make", "ask"),
        ("Bash(X=1 make)", "X=1 make", "allow"), ("Bash(make)", "env X=1 make", "ask"),
        ("Bash(make)", "sh -c make", "allow"),
        ("Bash(make)", "sh -c 'make; rm x'", "ask"), ("Bash(make)", "echo | xargs make", "ask"),
        ("Bash(make *)", "echo | xargs make", "allow"), ("Bash(make)", "flock f make", "ask"),
        ("Bash(make)", "LD_PRELOAD=x make", "ask"), ("Bash(make)", "export PATH=x; make", "ask"),
        ("Bash(make)", "for PATH in x; do make; done", "ask"), ("Bash(make)", 'sh -c "make $x"', "ask"),
        ('Bash(python -c "a;b")', 'python -c "a;b"', "allow"), ("Bash(echo a\\*)", "echo ab", "allow"),
        ("Bash(make a\\*)", "make ab", "ask"), ("Bash(make)", "f() { rm x; }; f; make", "ask"),
        ("Bash(make)", "f() { make; }; f", "allow"),
    ],
)  # fmt: skip
def test_an_allow_rule_holds_for_every_part_or_not_at_all(root: Path, rule: str, command: str, verdict: str) -> None:
    """G1: a word boundary at the end of a prefix, * anywhere, every part allowed, and no way to smuggle one in."""
    assert run(policy(root, allow=[rule]), command).verdict.value == verdict


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "command",
    [
        "npm publish", "npm  publish --tag x", "ls && npm publish", "echo $(npm publish)", "sh -c 'npm publish'",
        "env A=1 npm publish", "A=1 npm publish", "find . -exec npm publish \\;", "echo | xargs npm publish",
        "/usr/bin/npm publish",
        "n\\pm publish", "npm 'publish'", "npm $x", "a=publish; npm $a", "eval npm publish", "flock f npm publish",
        "npm > log publish", "timeout --odd 5 npm publish", "npm pub{lish,x}",
    ],
)  # fmt: skip
def test_a_deny_rule_holds_in_every_mode_and_wrapping(root: Path, mode: str, command: str) -> None:
    """G1: deny wins, also in bypass and over an allow rule, however the command is written."""
    decision = run(policy(root, mode, deny=["Bash(npm publish *)"], allow=["Bash(npm *)"]), command)
    assert decision.verdict.value == "deny"
    assert decision.by == "rule deny Bash(npm publish *) (factory.yaml:1)"


def test_the_model_is_told_the_justification(root: Path) -> None:
    """A rule's own words reach the model."""
    rule = {"rule": "Bash(npm publish*)", "justification": "releases are made by hand"}
    decision = run(policy(root, deny=[rule]), "npm publish")
    assert decision.reason == "the rule 'Bash(npm publish*)' forbids it: releases are made by hand"


def test_the_order_is_deny_ask_allow(root: Path) -> None:
    """G1: the first kind that matches decides, whatever is more specific."""
    it = policy(root, allow=["Bash(make *)", "Bash"], ask=["Bash(make deploy *)"], deny=["Bash(make deploy prod)"])
    assert run(it, "make deploy prod").verdict.value == "deny"
    assert run(it, "make deploy test").verdict.value == "ask"
    assert run(it, "make x").by == "rule allow Bash(make *) (factory.yaml:1)"


@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "bypass"])
@pytest.mark.parametrize(
    "command", ["git push --force", "rm -rf /", "sudo ls", "echo > .git/config", "$x y", "echo 'open"]
)
def test_no_rule_lifts_a_built_in_denial(root: Path, mode: str, command: str) -> None:
    """G1 G3: git's history, other places, more rights and what cannot be told are refused in every mode but bypass."""
    decision = run(policy(root, mode, allow=["Bash"]), command)
    assert (decision.verdict.value, decision.by) == ("deny", "built-in")
    assert decision.reason


def test_bypass_asks_nothing_and_still_obeys_deny(root: Path) -> None:
    """Bypass lifts built-in denials and ask rules; what cannot be read is refused if a deny rule could be meant."""
    assert run(policy(root, "bypass", ask=["Bash(make)"]), "make; git push").verdict.value == "allow"
    assert run(policy(root, "bypass"), "echo 'open").verdict.value == "allow"
    assert run(policy(root, "bypass", deny=["Bash(make)"]), "echo 'open").verdict.value == "deny"


READS = [
    "ls -la src", "cat a.py | head -3", "grep -rn 'x' . | wc -l", "git status", "git log --oneline -5",
    "git diff HEAD~1",
    "find . -name '*.py'", "echo hi", "test -f x || true", "cd src && ls", "[ -f a ] && echo y", "sort a | uniq -c",
    "for f in a b; do echo $f; done", "x=1; echo $x", "pwd", "cat < a", "ls > /dev/null 2>&1", "set -e; ls",
    "while IFS= read -r l; do echo $l; done < a", "diff a b", "export A=1",
]  # fmt: skip
CHANGES = [
    "rm a", "touch a", "python x.py", "echo a > f", "find . -delete", "find . -exec cat {} \\;", "sort -o a a",
    "sed -i s/a/b/ f",
    "uniq a b", "git -c core.pager=x log", "git grep -O x", "GIT_PAGER=x git log", "./ls", "cat /etc/passwd",
    "cat ../x",
    "cat ~/.ssh/id", "cat $f", "grep -r x --file=/etc/passwd", "rg --pre x y", "tree -o f", "awk 1 a", "date -s x",
    "cd /; ls",
    "PATH=x; ls", "read PATH; ls", "printf -v PATH x; ls", "ls(){ rm x; }; ls", "git diff --output=x", "tee a",
    "unknown",
]  # fmt: skip


@pytest.mark.parametrize("mode", ["confirm", "dont_ask", "accept_edits", "plan_only"])
@pytest.mark.parametrize("command", READS)
def test_reading_needs_no_question(root: Path, mode: str, command: str) -> None:
    """What is known to only read inside the workspace runs in every mode."""
    assert run(policy(root, mode), command).verdict.value == "allow"


@pytest.mark.parametrize("command", CHANGES)
def test_what_is_not_known_to_only_read_is_asked_or_refused(root: Path, command: str) -> None:
    """G1: confirm asks (or a built-in denies), dont_ask refuses and never asks; a redirection inside is an edit."""
    assert run(policy(root, "confirm"), command).verdict.value in ("ask", "deny")
    wanted = "allow" if command == "echo a > f" else "deny"
    assert run(policy(root, "dont_ask"), command).verdict.value == wanted


@pytest.mark.parametrize(
    ("mode", "edit", "command", "plan"),
    [
        ("auto", "allow", "allow", "ask"), ("confirm", "ask", "ask", "ask"), ("accept_edits", "allow", "ask", "ask"),
        ("dont_ask", "allow", "deny", "deny"), ("bypass", "allow", "allow", "ask"),
        ("plan_only", "allow", "ask", "ask"),
    ],
)  # fmt: skip
def test_the_modes(root: Path, mode: str, edit: str, command: str, plan: str) -> None:
    """G1: what each mode says of an edit, a command and a plan that no rule is about (plan_only: after approval)."""
    it = policy(root, mode)
    assert it.decide("file_write", {"path": "src/a.py"}).verdict.value == edit
    assert it.decide("file_patch", {"path": "src/a.py"}).verdict.value == edit
    assert run(it, "make").verdict.value == command
    assert it.decide("exit_plan_mode", {"approved_plan": "x"}).verdict.value == plan
    assert it.decide("file_read", {"path": "src/a.py"}).verdict.value == "allow"
    assert it.decide("mcp__x__y", {}).verdict.value == command


def test_plan_mode_lets_only_reading_through(root: Path) -> None:
    """G2: an allow-list, which no rule and no mode widens."""
    it = policy(root, "bypass", allow=["Bash", "Edit", "mcp__x"])
    for tool, arguments in (
        ("shell_exec", {"command": "ls"}),
        ("file_write", {"path": "a"}),
        ("file_patch", {"path": "a"}),
        ("mcp__x__y", {}),
        ("a_tool_of_tomorrow", {}),
    ):
        decision = it.decide(tool, arguments, planning=True)
        assert (decision.verdict.value, decision.by) == ("deny", "plan mode")
    for tool in ("file_read", "list_dir", "find_relevant_files", "task_todo_get", "enter_plan_mode"):
        assert it.decide(tool, {"path": "src"} if tool == "list_dir" else {}, planning=True).verdict.value == "allow"


@pytest.mark.parametrize(
    ("rule", "path", "hit"),
    [
        ("Edit(/src/**)", "src/a.py", True), ("Edit(/src/**)", "src/a/b.py", True),
        ("Edit(/src/**)", "lib/src/a.py", False),
        ("Edit(src/**)", "src/a.py", True), ("Edit(src/**)", "lib/src/a.py", False),
        ("Edit(*.md)", "docs/a/x.md", True),
        ("Edit(/*.md)", "docs/x.md", False), ("Edit(docs/)", "docs/x.md", True), ("Edit(**/x.md)", "a/b/x.md", True),
        ("Edit(./a.py)", "a.py", True), ("Edit(./a.py)", "src/a.py", False), ("Edit(a?.py)", "ab.py", True),
        ("Edit([ab].py)", "b.py", True), ("Edit([!ab].py)", "b.py", False), ("Edit(/src/*)", "src/a/b.py", True),
        ("FileWrite(/src/*)", "src/a.py", True), ("Write(/src/*)", "./src/../src/a.py", True),
        ("Edit(a\\*b)", "axb", False),
        ("Edit(/src/**)", "src/../a.py", False), ("Edit(src)", "src/deep/a.py", True),
    ],
)  # fmt: skip
def test_paths_in_gitignore_style(root: Path, rule: str, path: str, hit: bool) -> None:
    """G1: patterns count from the workspace's root; LAO 3.1's FileWrite(/src/*) keeps working."""
    allowed = policy(root, allow=[rule]).decide("file_write", {"path": path})
    assert allowed.verdict.value == ("allow" if hit else "ask")
    denied = policy(root, "bypass", deny=[rule])
    for tool in ("file_write", "file_patch"):  # a rule against one way of writing holds for each
        assert denied.decide(tool, {"path": path}).verdict.value == ("deny" if hit else "allow")
    written = run(policy(root, "bypass", deny=[rule]), f"echo x > '{path}'")
    assert written.verdict.value == ("deny" if hit else "allow")


def test_links_do_not_lead_around_a_path_rule(root: Path) -> None:
    """G3: a deny rule sees where a link leads, an allow rule must hold for both names."""
    (root / "link").symlink_to("src")
    assert policy(root, deny=["Edit(/src/**)"]).decide("file_write", {"path": "link/a"}).verdict.value == "deny"
    assert policy(root, allow=["Edit(/link/**)"]).decide("file_write", {"path": "link/a"}).verdict.value == "ask"


@pytest.mark.parametrize(
    "command", ["cat .env", "cat ./.env", "cat .e*", "head -1 < .env", "cp .env x", "x --file=.env"]
)
def test_a_read_rule_holds_for_commands_too(root: Path, command: str) -> None:
    """G1: a file that may not be read is not read by a command that names it either."""
    it = policy(root, "auto", deny=["Read(./.env)"])
    assert it.decide("file_read", {"path": ".env"}).verdict.value == "deny"
    assert run(it, command).by.startswith("rule deny Read(./.env)")


def test_write_rules_allow_redirections(root: Path) -> None:
    """A redirection is a write: it needs the path allowed, beside the command."""
    it = policy(root, allow=["Bash(make)", "Edit(/src/**)"])
    assert run(it, "make > src/log").verdict.value == "allow"
    assert run(it, "make > log").verdict.value == "ask"
    assert run(it, "make > src/$x").verdict.value == "ask"


def test_mcp_rules(root: Path) -> None:
    """mcp__server is every tool of it, mcp__server__tool one; another server that begins alike is not meant."""
    it = policy(root, allow=["mcp__files"], deny=["mcp__files__delete", "mcp__x__*"])
    assert it.decide("mcp__files__read", {}).verdict.value == "allow"
    assert it.decide("mcp__files__delete", {}).verdict.value == "deny"
    assert it.decide("mcp__filesystem__read", {}).verdict.value == "ask"
    assert it.decide("mcp__x__y", {}).verdict.value == "deny"
    assert it.hides("mcp__x__y")
    assert not it.hides("mcp__files__read")


@pytest.mark.parametrize(
    ("command", "other"),
    [
        ("make all", "make all more"), ("make && rm 'a b'", "make && rm a b c"),
        ("echo a* > src/x", "echo a* > src/xy"),
        ("X=1 make", "X=2 make"), ("python -c 'print(1)'", "python -c 'print(2)'"),
        ("sh -c 'make x'", "sh -c 'make y'"),
        ("rm a*", "rm ab"),
    ],
)  # fmt: skip
def test_always_allows_exactly_what_was_asked(root: Path, command: str, other: str) -> None:
    """The rules that a question offers let the same call through and no longer one."""
    (root / "ab").write_text("")
    asked = run(policy(root), command)
    assert asked.verdict.value == "ask"
    assert asked.remember
    after = policy(root).with_rules(asked.remember)
    assert run(after, command).verdict.value == "allow"
    assert run(after, other).verdict.value == "ask"
    edit = policy(root).decide("file_write", {"path": "src/[a]*.py"})
    assert policy(root).with_rules(edit.remember).decide("file_write", {"path": "src/[a]*.py"}).verdict.value == "allow"
    assert policy(root).with_rules(edit.remember).decide("file_write", {"path": "src/ab.py"}).verdict.value == "ask"


def test_what_no_rule_can_say_offers_none(root: Path) -> None:
    """Where "always" would not do what it says it is not offered."""
    assert run(policy(root), 'sh -c "make $x"').remember == ()
    assert run(policy(root, ask=["Bash(make)"]), "make").remember == ()
