"""The look at a plan's draft is deterministic and names what keeps it from being a plan."""

from __future__ import annotations

import pytest

from lao.agents import pilot_kinds, plan_draft
from lao.agents.plan_text import plan_commands

GOOD = """# A word counter

Counts words.

## Work

`count.py`

## Acceptance criteria

1. Counts two words.
   Check: `python3 -m pytest -q test_count.py`
2. The script `count.py` is there.
3. **AC** It prints help.
   Test: `python3 count.py --help`
"""


def test_a_good_draft_is_ready() -> None:
    """L1: a title, and numbered criteria with a command or a file each, are all that is asked."""
    draft = plan_draft.check(GOOD)
    assert (draft.title, draft.ready, draft.errors, draft.notes) == ("A word counter", True, (), ())
    assert [item.commands or item.files for item in draft.criteria] == [
        ("python3 -m pytest -q test_count.py",),
        ("count.py",),
        ("python3 count.py --help",),
    ]
    assert [c for _, c in plan_commands(GOOD)] == ["python3 -m pytest -q test_count.py", "python3 count.py --help"]
    assert "3 criteria, ready" in plan_draft.report(draft)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "it has no title"),
        (GOOD.replace("# A word counter\n", "A word counter\n", 1), "it has no title"),
        ("# T\n\nDo it.\n", "no section '## Acceptance criteria'"),
        ("# T\n\n## Acceptance\n\n- it works\n", "no numbered criteria"),
        (GOOD.replace("2. The script `count.py` is there.", "2. It works."), "criterion 2 has no check"),
        (GOOD.replace("2. The", "4. The"), "numbered 1, 4, 3"),
        ("# T\n\n## Done when\n\n1. See `v1.2 of it`\n", "criterion 1 has no check"),
    ],
)
def test_what_is_missing_is_named(text: str, error: str) -> None:
    """L1: each shortcoming has its own line and keeps the draft from being filed."""
    draft = plan_draft.check(text)
    assert not draft.ready
    assert error in " | ".join(draft.errors)
    assert error in plan_draft.report(draft)


def test_vague_words_are_named() -> None:
    """L1: words that nobody can check are named with their criterion; in code they are none."""
    draft = plan_draft.check(GOOD.replace("It prints help.", "It is fast, robust etc. and `simple` works well."))
    assert draft.ready
    assert "criterion 3 is vague: 'etc', 'fast', 'robust', 'works well'" in draft.notes[0]


def test_a_command_that_lao_would_not_run_is_told() -> None:
    """L1: a command outside of a Check: line shows what is meant, but LAO does not run it."""
    draft = plan_draft.check(GOOD.replace("words.\n   Check: `python3 -m pytest", "words. Check: `python3 -m pytest"))
    assert draft.ready
    assert draft.notes == ("criterion 1: LAO runs only commands on lines of their own, 'Check: `command`'",)


@pytest.mark.parametrize("answer", [GOOD, f"Here it is:\n\n{GOOD}", f"Sure.\n\n```markdown\n{GOOD}```\nAnything else?"])
def test_the_draft_is_found_in_an_answer(answer: str) -> None:
    """L1: small models wrap a plan in words and fences."""
    assert plan_draft.of_answer(answer) == GOOD


def test_names_of_plans() -> None:
    """L1: a name that every system takes."""
    assert plan_draft.slug("A shop: with Ümlauts / and slashes!") == "a-shop-with-mlauts-and-slashes"
    assert plan_draft.slug("…") == "plan"
    assert len(plan_draft.slug("word " * 40)) <= 60


def test_guided_questions_have_prompts_of_their_own() -> None:
    """L1: /ideate and /spec are asked in a form that small models can follow; all else as it was typed."""
    assert pilot_kinds.framed("what failed?") == "what failed?"
    assert pilot_kinds.framed("/tmp is what?") == "/tmp is what?"
    assert pilot_kinds.framed("/ideate a $5 shop").endswith("a $5 shop")
    assert "Check: `" in pilot_kinds.framed("/spec Write the plan.")
    assert pilot_kinds.is_guided("/spec")
    assert not pilot_kinds.is_guided("/specification of what?")
