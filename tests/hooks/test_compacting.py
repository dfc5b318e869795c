"""Promises of PreCompact: asked before a coder's conversation is shortened, by Claude Code's contract."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lao.core.errors import NeedsHuman
from lao.hooks.compacting import CompactionHooks
from tests.hooks.conftest import Project, command


def opened(project: Project, **hooks: Any) -> CompactionHooks:
    return CompactionHooks(project.hooks(**hooks), project.about, project.means)


def test_it_is_told_the_trigger_and_the_sizes(project: Project) -> None:
    """N2 C7: trigger, custom_instructions, and how large the conversation is and may be."""
    hooks = opened(project, PreCompact=command(f"cat > {project.root}/told.json", "auto"))
    assert hooks(6400, 8000) == ""
    told = json.loads((project.root / "told.json").read_text())
    assert (told["hook_event_name"], told["trigger"], told["custom_instructions"]) == ("PreCompact", "auto", "")
    assert (told["tokens"], told["limit"], told["run_id"]) == (6400, 8000, 3)


@pytest.mark.parametrize(
    ("line", "matcher", "said"),
    [
        ("exit 0", None, ""),
        ("echo 'not now' >&2; exit 2", None, "a hook refused it: not now"),
        ("echo 'not now' >&2; exit 2", "manual", ""),
        ("""echo '{"decision": "block", "reason": "later"}'""", "auto", "a hook refused it: later"),
        ("exit 3", None, ""),
        ("echo '{'", None, ""),
    ],
)
def test_only_a_refusal_refuses(project: Project, line: str, matcher: str | None, said: str) -> None:
    """N2 C7: exit status 2 and a block; the matcher is for the trigger; what fails is named and lets it be."""
    assert opened(project, PreCompact=command(line, matcher))(6400, 8000) == said
    assert len(project.notes) == (line in ("exit 3", "echo '{'"))


def test_it_can_end_the_phase(project: Project) -> None:
    """C7: ``continue: false`` is for a person."""
    hooks = opened(project, PreCompact=command("""echo '{"continue": false, "stopReason": "look first"}'"""))
    with pytest.raises(NeedsHuman, match="look first"):
        hooks(6400, 8000)
