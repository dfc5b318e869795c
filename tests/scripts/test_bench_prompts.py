"""The prompt-size report: every request is seen, and every part of the coder's message has a section."""

from __future__ import annotations

from collections import Counter

import pytest

from lao.agents.coder_brief import CoderBrief, sections, user_message
from lao.core.words import TaskSpec
from lao.llm.tokens import estimate, estimate_messages
from scripts import bench_prompts
from scripts.bench_prompts import Tokenizer, coder_split, requests_of, table
from scripts.exercism.sections import split_user


def test_what_is_sent_is_split_without_a_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan of three tasks, one of them wrong at first: all roles are recorded, feedback and checks have their share,
    nothing of the coder's message is left over."""
    requests = requests_of(3, 1, tools=False)
    assert {r.role for r in requests} == {"planner", "coder", "reviewer"}
    count = Tokenizer("an estimate", estimate, lambda tools: estimate_messages((), tools))
    split = coder_split(requests, count)
    assert split["other"] == 0
    for section in ("system", "task", "plan", "checks", "feedback"):
        assert split[section] > 0, section
    monkeypatch.setattr(bench_prompts, "requests_of", lambda *_, **__: requests)
    figures = bench_prompts.measure(3, 1, count)
    assert figures["text"]["coder"] == pytest.approx(sum(split.values()) / 3, abs=0.1)
    assert f"| **coder** | {figures['tools']['coder']:.0f} |" in table(figures)
    assert "within the bar of 1500" in table(figures)


@pytest.mark.parametrize("protocol", ["tools", "text"])
def test_the_sections_are_the_coders_own(protocol: str) -> None:
    """The report finds the same sections in a message as the coder says that it put there, with the same sizes."""
    brief = CoderBrief(
        plan_title="Shop",
        plan_text="# Shop\n\nWrite a shop.\n",
        task=TaskSpec("Write till", "Write `till.py`.", ("till.py",)),
        context_files=(("till.py", "x = 1\n"), ("coins.py", "y = 2\n")),
        tree="coins.py\ntill.py",
        feedback=("1 failed",),
        commands=("pytest -q",),
        hints=("Look at zero.",),
        lesson="It raised.",
    )
    split: Counter[str] = Counter()
    for name, part in split_user(user_message(brief, budget=4000, protocol=protocol)):
        split[name] += estimate(part)
    told = dict(sections(brief, 4000, protocol))
    assert set(split) == set(told)
    assert all(abs(split[name] - size) <= 4 for name, size in told.items()), (split, told)
