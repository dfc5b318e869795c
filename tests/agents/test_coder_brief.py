"""Promise: the first message has what matters within its budget, and keeps its beginning between attempts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lao.agents.coder_brief import CoderBrief, sections, system_prompt, user_message
from lao.core.words import TaskSpec
from lao.llm.tokens import estimate

TASK = TaskSpec("Add mean", "Write mean(numbers).", ("stats.py",))
STUB = "def mean(numbers):\n    pass\n"
TESTS = "from stats import mean\n\ndef test_mean():\n    assert mean([1]) == 1\n"
LONG = "".join(f"def f{n}(a, b):\n    '''Do {n}.'''\n    secret = {n}\n    return secret\n\n\n" for n in range(60))
BRIEF = CoderBrief(
    "Stats",
    "# Stats\n\nBackground.\n",
    TASK,
    (("stats.py", STUB), ("test_stats.py", TESTS), ("helpers.py", LONG)),
    "stats.py\ntest_stats.py\nhelpers.py",
    (),
    ("pytest -q",),
)
REPAIR = replace(
    BRIEF,
    previous=(("stats.py", "def mean(numbers):\n    return 7\n"),),
    feedback=("E  assert 7 == 1",),
    focus="test_mean",
)


def message(brief: CoderBrief, budget: int = 6000, protocol: str = "text", edit_format: str = "auto") -> str:
    return user_message(brief, budget=budget, protocol=protocol, edit_format=edit_format)


def test_candidates_get_the_same_bytes() -> None:
    """Without lesson, previous version and feedback the message is the same every time."""
    assert message(BRIEF) == message(replace(BRIEF, lesson="", previous=(), focus="", hints=(), feedback=()))


@pytest.mark.parametrize("budget", [900, 2000, 6000])
@pytest.mark.parametrize("protocol", ["text", "tools"])
def test_repairs_share_the_beginning(protocol: str, budget: int) -> None:
    """Candidate, repair and fresh try are the same up to the task's own files, whatever the window."""
    first = message(BRIEF, budget, protocol)
    shared = first[: first.index("Current content of stats.py")]
    assert "pytest -q" in shared
    for other in (
        REPAIR,
        replace(BRIEF, lesson="It was wrong.", hints=("Look.",)),
        replace(REPAIR, feedback=("E\n" * 3000,)),
    ):
        assert message(other, budget, protocol).startswith(shared)
        assert estimate(message(other, budget, protocol)) <= budget * 1.05


def test_a_repair_shows_the_earlier_version_and_asks_for_the_mistake() -> None:
    """The earlier version stands for the current one; then its output, the focus, and the request for the mistake."""
    text = message(REPAIR)
    parts = [
        "Your earlier version of stats.py:\n```python\ndef mean(numbers):\n    return 7", "E  assert 7 == 1",
        "Solve this first: test_mean", "say in one sentence what is wrong", "FILE: stats.py",
    ]  # fmt: skip
    places = [text.index(p) for p in parts]
    assert places == sorted(places)
    assert "pass" not in text
    assert "the tools" in message(REPAIR, protocol="tools")


def test_lesson_hints_and_focus_come_before_the_closing() -> None:
    """Short advice is near the end and cut when it is long."""
    text = message(replace(BRIEF, lesson="mean([]) crashed. " * 400, hints=("Use sum.",), focus="test_empty"))
    assert "# What went wrong before\nmean([]) crashed." in text
    assert "\n\nUse sum.\n\n" in text
    assert text.index("What went wrong before") < text.index("Solve this first: test_empty") < text.index("Now write")
    assert estimate(text.partition("# What went wrong before")[2]) < 6000 // 8 + 100


def test_long_files_of_others_are_signatures() -> None:
    """A long file that the task does not name is reduced; the task's own and tests are shown as they are."""
    text = message(BRIEF)
    assert "Signatures in helpers.py (shortened):" in text
    assert 'def f3(a, b):\n    """Do 3."""' in text
    assert "secret" not in text
    assert TESTS.rstrip() in text
    own = replace(BRIEF, task=replace(TASK, file_paths=("helpers.py",)))
    assert "secret = 3" in message(own)


@pytest.mark.parametrize("edit_format", ["auto", "whole", "search_replace", "patch"])
def test_formats(edit_format: str) -> None:
    """Each format has one small system prompt of fixed bytes and its own closing; a new file is asked for whole."""
    system = system_prompt("text", edit_format)
    assert system.startswith("LAO role: coder\n")
    assert system == system_prompt("text", edit_format)
    assert estimate(system) < 600
    mark = {"search_replace": "<<<<<<< SEARCH", "patch": "+++ b/stats.py"}.get(edit_format, "complete new content")
    assert mark in message(BRIEF, edit_format=edit_format)
    assert mark.replace("new", "corrected").partition("complete ")[0] in message(REPAIR, edit_format=edit_format)
    new = replace(BRIEF, context_files=BRIEF.context_files[1:])
    assert "complete new content" in message(new, edit_format=edit_format)
    assert system_prompt("tools", edit_format) == system_prompt("tools")


def test_sections_are_the_whole_message() -> None:
    """The split by section is in the message's order and adds up to its size."""
    names = [name for name, _ in sections(REPAIR, 6000, "text")]
    assert names == ["plan", "tree", "other files", "task", "checks", "own files", "feedback", "hints", "closing"]
    total = sum(tokens for _, tokens in sections(REPAIR, 6000, "text"))
    assert abs(total - estimate(message(REPAIR))) <= 2 * len(names)


@pytest.mark.parametrize("budget", [300, 700, 1500, 4000])
def test_budget(budget: int) -> None:
    """Everything too long: the message still fits, and the task and the closing are whole."""
    huge = replace(
        BRIEF,
        plan_text="plan " * 9000,
        context_files=(("stats.py", STUB), *((f"m{n}.py", LONG) for n in range(20))),
        tree="file.py\n" * 3000,
        feedback=("E " * 5000, "F " * 5000),
    )
    text = message(huge, budget)
    assert estimate(text) <= max(budget * 1.1, 420)
    assert "# Your task: Add mean\n\nWrite mean(numbers)." in text
    assert text.rstrip().endswith("FILE: stats.py")


def test_protected_files() -> None:
    """A protected path is protected although the task names it; other files of the task are not."""
    brief = replace(BRIEF, task=replace(TASK, file_paths=("stats.py", "test_stats.py")))
    assert not brief.protects("test_stats.py")
    assert replace(brief, protected=frozenset({"test_stats.py"})).protects("test_stats.py")
    assert not brief.protects("stats.py")


def test_the_map_is_part_of_what_stays_the_same() -> None:
    """F5 E7: the map stands before the task, and a repair begins with the same bytes; it is left out whole."""
    mapped = replace(BRIEF, repo_map="shop.py:\n  def sell(thing):")
    first, again = message(mapped), message(replace(mapped, previous=REPAIR.previous, feedback=REPAIR.feedback))
    assert "# Defined in other files of the workspace\n```\nshop.py:\n  def sell(thing):\n```" in first
    place = first.index("# Your task: ")
    assert first.index("# Files in the workspace") < first.index("def sell") < place
    assert first[:place] == again[:place]
    assert dict(sections(mapped, 6000, "text"))["map"] > 0
    assert "def sell" not in message(replace(mapped, repo_map="def sell\n" * 4000), budget=2000)
