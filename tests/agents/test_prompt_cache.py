"""Promise: prompts are ordered for the server's cache: a conversation only grows, a plan's tasks begin alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from operator import eq

import pytest

from lao.agents.coder import write_code
from lao.agents.coder_brief import CoderBrief, sections, user_message
from lao.core.chat import ChatAnswer, ChatRequest
from lao.core.steps import DirectSteps
from lao.core.words import TaskSpec
from lao.tools.registry import all_tools
from tests.agents.fakes import FakeToolbox, ScriptedModel, calls, settings

PLAN = "# Shop\n\n" + "".join(f"## Part {n}\n\nWrite `part_{n}.py`, which returns {n}.\n\n" for n in range(12))
FIRST = CoderBrief(
    "Shop",
    PLAN,
    TaskSpec("Part 1", "Write part_1.py.", ("part_1.py",)),
    (("part_1.py", "x = 0\n"), ("helpers.py", "def help():\n    pass\n")),
    "helpers.py\npart_1.py\npart_2.py",
    (),
    ("pytest -q part_1.py",),
)
SECOND = replace(
    FIRST,
    task=TaskSpec("Part 2, which is another one", "Write part_2.py.\n" * 9, ("part_2.py",)),
    context_files=(("part_2.py", "y = 0\n" * 40), ("helpers.py", "def help():\n    pass\n")),
    commands=("pytest -q part_2.py",),
)


def coded(brief: CoderBrief, *answers: str | ChatAnswer, tools: bool) -> list[ChatRequest]:
    """The requests of one coding conversation."""
    model = ScriptedModel(*answers)
    toolbox = FakeToolbox(**{path.removesuffix(".py"): text for path, text in brief.context_files})
    write_code(
        brief,
        model=model,
        settings=settings(supports_tools=tools),
        steps=DirectSteps(),
        toolbox=toolbox,
        max_turns=8,
    )
    return model.requests


def as_sent(request: ChatRequest) -> tuple[str, ...]:
    """Tools and messages as bytes would be compared: one text for each, in the order of a prompt."""
    return json.dumps(request.tools), *(json.dumps(m) for m in request.messages)


def shared_start(one: str, two: str) -> str:
    return one[: sum(1 for _ in takewhile(bool, map(eq, one, two)))]


def assert_only_grows(requests: Sequence[ChatRequest]) -> None:
    assert len(requests) > 1
    for before, after in zip(map(as_sent, requests), map(as_sent, requests[1:]), strict=False):
        assert after[: len(before)] == before
        assert len(after) > len(before)


def test_a_conversation_with_tools_only_grows() -> None:
    """Every turn of a coding conversation sends all that the last one sent, byte for byte, and adds to its end."""
    write = {"path": "part_1.py", "content": "x = 1\n"}
    turns = (
        calls(("file_read", {"path": "part_1.py"})),
        calls(("no_such_tool", {})),
        calls(("file_write", write), text="I write it."),
        "Done.",
    )
    assert_only_grows(coded(FIRST, *turns, tools=True))


def test_a_conversation_in_text_only_grows() -> None:
    """An answer that cannot be used is corrected at the end of the same conversation."""
    right = "FILE: part_1.py\n```python\nx = 1\n```"
    assert_only_grows(coded(FIRST, "I would change the number.", right, tools=False))


@pytest.mark.parametrize("protocol", ["text", "tools"])
def test_two_tasks_of_a_plan_share_all_that_is_not_theirs(protocol: str) -> None:
    """The plan and the workspace come first and do not depend on the task, whatever its length and files: two tasks
    begin alike up to the title of the task."""
    one, two = (user_message(brief, budget=6000, protocol=protocol) for brief in (FIRST, SECOND))
    shared = shared_start(one, two)
    assert shared.endswith("# Your task: Part ")
    assert PLAN.strip() in shared
    assert "Current content of helpers.py" in shared


@pytest.mark.parametrize("protocol", ["text", "tools"])
def test_a_new_file_changes_nothing_before_its_line(protocol: str) -> None:
    """What another task added to the workspace shows after the plan, in its place in the tree."""
    one, two = (
        user_message(replace(FIRST, tree=tree), budget=6000, protocol=protocol)
        for tree in (FIRST.tree, f"{FIRST.tree}\npart_3.py")
    )
    assert shared_start(one, two).endswith(f"{FIRST.tree}\n")


def test_volatile_facts_come_last() -> None:
    """Plan, workspace, task; then what differs from try to try."""
    brief = replace(FIRST, feedback=("E assert",), focus="test_x", lesson="It failed.", hints=("Look.",))
    brief = replace(brief, memory="# Known about this project\nUse tabs.", skills="# Skills\n- verify: check")
    order = ["plan", "tree", "other files", "task", "checks", "own files", "feedback", "memory", "hints", "closing"]
    assert [name for name, _ in sections(brief, 6000, "text")] == order
    with_tools = [*order[:8], "skills", *order[8:]]
    assert [name for name, _ in sections(brief, 6000, "tools")] == with_tools


@pytest.mark.parametrize("protocol", ["text", "tools"])
def test_memory_and_skills_change_nothing_before_the_end(protocol: str) -> None:
    """C3: what is remembered differs from task to task, so all that stands before it is shared byte for byte."""
    without = user_message(FIRST, budget=6000, protocol=protocol)
    known = user_message(
        replace(FIRST, memory="# Known about this project\nUse tabs.", skills="# Skills\n- x: y"),
        budget=6000,
        protocol=protocol,
    )
    assert "Current content of part_1.py" in shared_start(without, known)
    assert ("# Skills" in known) is (protocol == "tools")


def test_tools_are_sorted() -> None:
    """Tools stand before everything else in most templates: their order is fixed, by name."""
    assert list(all_tools()) == sorted(all_tools())
