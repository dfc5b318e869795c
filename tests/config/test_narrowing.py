"""Promise: a plan's front matter may narrow the permission mode and never widen it."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from lao.config.narrowing import NARROWER, mode_of, narrowed
from lao.config.rules import parse_rules
from lao.config.settings import PermissionSettings
from lao.core.errors import BadInput
from lao.tools.permissions.decision import Verdict
from lao.tools.permissions.policy import Policy

CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("file_read", {"path": "a"}), ("list_dir", {}), ("find_relevant_files", {"query": "x"}),
    ("file_write", {"path": "a", "content": ""}), ("file_write", {"path": "../a", "content": ""}),
    ("shell_exec", {"command": "ls"}), ("shell_exec", {"command": "make"}), ("shell_exec", {"command": "echo x > a"}),
    ("shell_exec", {"command": "git push"}), ("shell_exec", {"command": "npm test"}),
    ("shell_exec", {"command": "touch b"}), ("mcp__a__b", {}), ("agent_run", {"goal": "x"}),
)  # fmt: skip
RULES = {"allow": ["Bash(npm test)"], "ask": ["Bash(touch *)"]}


@pytest.mark.parametrize("mode", NARROWER)
def test_a_narrower_mode_lets_nothing_more_run(tmp_path: Path, mode: str) -> None:
    """G5: whatever runs without a question under a narrower mode, runs so under the one that it narrows; what is denied
    there stays denied."""
    order = {Verdict.ALLOW: 0, Verdict.ASK: 1, Verdict.DENY: 2}
    wide = Policy(PermissionSettings(mode, parse_rules(RULES, {})), tmp_path)
    for other, (tool, arguments) in itertools.product(NARROWER[mode], CALLS):
        narrow = Policy(narrowed(wide.settings, {"permission_mode": other}), tmp_path)
        assert narrow.settings.mode == other
        # plan_only begins in plan mode; once a person has approved a plan it is as decided here
        before, after = (order[it.decide(tool, arguments).verdict] for it in (wide, narrow))
        assert after >= before, (other, tool, arguments)


def test_every_other_mode_would_let_something_more_run(tmp_path: Path) -> None:
    """G5: nothing is forbidden for no reason: a mode that is no narrowing allows a call that the factory's does not, or
    asks where that one refuses, or leaves plan mode out."""
    rules = parse_rules(RULES, {})
    for mode, other in itertools.product(NARROWER, NARROWER):
        if other in NARROWER[mode] or mode == "plan_only":
            continue
        one, two = (Policy(PermissionSettings(m, rules), tmp_path) for m in (mode, other))
        pairs = [(one.decide(*call).verdict, two.decide(*call).verdict) for call in CALLS]
        looser = {(Verdict.ASK, Verdict.ALLOW), (Verdict.DENY, Verdict.ALLOW), (Verdict.DENY, Verdict.ASK)}
        assert looser.intersection(pairs), (mode, other)


@pytest.mark.parametrize(
    ("mode", "options", "problem", "hint"),
    [
        ("auto", {"permission_mode": "bypass"}, "'bypass', which allows what factory.yaml's mode 'auto' does not",
         "a plan may only narrow it: write auto or accept_edits or confirm or plan_only or dont_ask, or change "
         "permissions.mode in factory.yaml"),
        ("auto", {"permissionMode": "bypassPermissions"}, "'bypassPermissions', which allows", "narrow"),
        ("confirm", {"permission_mode": "auto"}, "allows what factory.yaml's mode 'confirm'", "write confirm, or"),
        ("confirm", {"permission_mode": "dont_ask"}, "which allows", ""),
        ("dont_ask", {"permission_mode": "confirm"}, "which allows", ""),
        ("plan_only", {"permission_mode": "accept_edits"}, "which allows", ""),
        ("auto", {"permission_mode": "dontask"}, "which is no mode", "did you mean 'dont_ask'?"),
        ("auto", {"permission_mode": "x"}, "'x', which is no mode", "the modes are bypass, auto"),
        ("auto", {"permission_mode": ["plan"]}, "['plan'], which is no mode", ""),
        ("auto", {"permission_mode": False}, "False, which is no mode", ""),
        ("auto", {"permission_mode": ""}, "which is no mode", ""),
        ("auto", {"permission_mode": "plan", "permissionMode": "auto"}, "both permission_mode 'plan'", "one of them"),
    ],
)  # fmt: skip
def test_what_is_no_narrowing_is_refused(mode: str, options: dict[str, Any], problem: str, hint: str) -> None:
    """G5 B: named, with what may be written; the factory's mode holds where it is asked all the same."""
    settings = PermissionSettings(mode)
    with pytest.raises(BadInput) as told:
        mode_of(settings, options)
    assert problem in told.value.message
    assert hint in told.value.hint
    assert narrowed(settings, options) is settings


@pytest.mark.parametrize(
    ("options", "mode"),
    [
        ({}, "auto"), ({"permission_mode": None}, "auto"), ({"permission_mode": "auto"}, "auto"),
        ({"permission_mode": "plan"}, "plan_only"), ({"permissionMode": "acceptEdits"}, "accept_edits"),
        ({"permission_mode": "confirm", "permissionMode": "confirm"}, "confirm"),
    ],
)  # fmt: skip
def test_modes_by_every_name(options: dict[str, Any], mode: str) -> None:
    """G5: Claude Code's names are taken; nothing else of the permissions changes."""
    settings = PermissionSettings(rules=parse_rules(RULES, {}), ask_timeout_s=7)
    found = narrowed(settings, options)
    assert found == PermissionSettings(mode, settings.rules, 7)
