"""Promises of agent_run: bounded, read-only, a context of its own, its steps in the journal, its tokens on the bill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lao.agents import subagent
from lao.agents.ladder import Ladder, MeteredSteps
from lao.agents.subagent import NAME, TOOLS, WithSubagent
from lao.config.rules import parse_rules
from lao.config.settings import PermissionSettings
from lao.core.chat import ChatAnswer, Usage
from lao.core.errors import AttemptFailed
from lao.core.steps import Steps
from lao.llm.tokens import estimate
from lao.tools.context import ToolAudit, ToolContext
from lao.tools.permissions.policy import Policy
from lao.tools.toolbox import Toolbox
from tests.agents.fakes import ScriptedModel, Tape, calls, settings
from tests.tools.test_dispatch import NotingHooks, Person

GOAL = "Where is the price computed?"
Opened = tuple[WithSubagent, list[ToolAudit]]
Open = Callable[..., Opened]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """A workspace with one file, the coder's tools over it, and the helper with this model."""
    (tmp_path / "shop.py").write_text("def price(item):\n    return item.net * 1.19\n")
    audits: list[ToolAudit] = []

    def build(model: ScriptedModel, mode: str = "auto", rules: Any = None, **more: Any) -> Opened:
        context = ToolContext(tmp_path, f"test/{tmp_path}", Todos(), audits.append)
        policy = Policy(PermissionSettings(mode, parse_rules(rules or {}, {})), tmp_path)
        box = Toolbox(context, ("file_read", "file_write", "shell_exec"), policy, **more)
        reader = Toolbox(context, TOOLS, policy)
        known = settings(context_length=32_768)
        helper = WithSubagent(box, reader, model=model, settings=known, audit=audits.append, gate=box.gate)
        return helper, audits

    return build


class Todos:
    """No points."""

    def get(self) -> list[dict[str, Any]]:
        return []

    def set(self, items: list[dict[str, Any]]) -> None:
        """Nothing is kept."""


def ask(helper: WithSubagent, steps: Steps, **more: Any) -> Any:
    return helper.call(NAME, {"goal": GOAL, **more}, steps, "tool:agent_run-1")


def test_it_looks_and_reports(opened: Open) -> None:
    """F2: the model reads by tools in a conversation of its own; its last words are the result, and nothing changes."""
    model = ScriptedModel(calls(("file_read", {"path": "shop.py"})), "In shop.py, line 2: net times 1.19.")
    helper, audits = opened(model)
    steps = Tape()
    result = ask(helper, steps)
    assert (result.text, result.ok, result.changed) == ("In shop.py, line 2: net times 1.19.", True, ())
    assert steps.labels == [
        "model:tool:agent_run-1-1",
        "tool:agent_run-1:file_read-1",
        "model:tool:agent_run-1-2",
        "tool:agent_run-1:report",
    ]
    assert [(a.tool, a.granted, a.ok) for a in audits] == [("file_read", True, True), (NAME, True, True)]
    first, second = model.requests
    assert [m["role"] for m in first.messages] == ["system", "user"]
    assert first.messages[-1]["content"] == GOAL
    assert "item.net" in second.messages[-1]["content"]


def test_it_has_no_tool_that_changes_anything_or_calls_itself(opened: Open) -> None:
    """F2 G3: what the helper is offered is reading; a write, a command and itself are answered with an error."""
    wanted = calls(
        ("file_write", {"path": "x", "content": "x"}), ("shell_exec", {"command": "touch x"}), (NAME, {"goal": "more"})
    )
    model = ScriptedModel(wanted, "I could not.")
    helper, audits = opened(model)
    assert ask(helper, Tape()).ok
    offered = [[t["function"]["name"] for t in request.tools] for request in model.requests]
    assert offered[0] == sorted(TOOLS)
    results = [m["content"] for m in model.requests[1].messages if m["role"] == "tool"]
    assert len(results) == 3
    assert all(text.startswith("Error: ") for text in results)
    assert [a.tool for a in audits] == [NAME]
    with pytest.raises(ValueError, match="may only read"):
        opened_with_writer(helper)


def opened_with_writer(helper: WithSubagent) -> None:
    inner, gate = helper._inner, helper._gate
    WithSubagent(inner, inner, model=ScriptedModel(), settings=settings(), audit=lambda _a: None, gate=gate)


def test_the_tools_can_be_fewer(opened: Open) -> None:
    """F2: allowed_tools narrows what is offered; one that is not offered is not run."""
    model = ScriptedModel(calls(("file_read", {"path": "shop.py"})), "nothing")
    helper, audits = opened(model)
    ask(helper, Tape(), allowed_tools=["list_dir"])
    assert [t["function"]["name"] for t in model.requests[0].tools] == ["list_dir"]
    assert [a.tool for a in audits] == [NAME]


@pytest.mark.parametrize(("asked", "made"), [(None, 6), (2, 2), (1, 1), (0, 1), (50, 6)])
def test_it_ends_after_its_rounds(opened: Open, asked: int | None, made: int) -> None:
    """F2: at most six answers; the last one is asked for without tools and is the report."""
    looks = [calls(("file_read", {"path": "shop.py", "start_line": n + 1})) for n in range(made - 1)]
    model = ScriptedModel(*looks, "The report.")
    helper, _ = opened(model)
    more = {} if asked is None else {"max_rounds": asked}
    assert ask(helper, Tape(), **more).text == "The report."
    assert len(model.requests) == made
    assert model.requests[-1].tools == ()
    assert all(r.tools for r in model.requests[:-1])


def test_the_same_call_again_is_not_run(opened: Open) -> None:
    """C4: the third identical call in a row is answered and not made."""
    same = [calls(("file_read", {"path": "shop.py"})) for _ in range(4)]
    model = ScriptedModel(*same, "enough")
    helper, audits = opened(model)
    ask(helper, Tape())
    assert [a.tool for a in audits] == ["file_read", "file_read", NAME]
    assert "3 times in a row" in model.requests[3].messages[-1]["content"]


def test_the_report_is_short(opened: Open) -> None:
    """F2: whatever the helper writes, the asker gets at most its limit."""
    helper, _ = opened(ScriptedModel("word " * 20_000))
    text = ask(helper, Tape()).text
    assert estimate(text) <= subagent.REPORT
    assert "characters left out" in text


def test_a_resumed_run_goes_on_inside(opened: Open) -> None:
    """K2: the recorded calls of a helper are not made again; the one that was in flight is."""
    whole = Tape()
    first, _ = opened(ScriptedModel(calls(("file_read", {"path": "shop.py"})), "The report."))
    ask(first, whole)
    for cut in range(len(whole.tape)):
        left = [answer for label, answer in zip(whole.labels[cut:], whole.tape[cut:], strict=True) if "model" in label]
        scripted = [ChatAnswer.from_json(recorded) for _, recorded in left]
        model = ScriptedModel(*scripted)
        helper, _ = opened(model)
        again = Tape(whole.tape[:cut])
        assert ask(helper, again).text == "The report."
        assert again.labels == whole.labels
        assert model.answers == []


def test_its_tokens_count_to_the_attempt(opened: Open) -> None:
    """D4: the budget of the task sees what its helper used."""
    used = [replace(ChatAnswer("The report.", finish_reason="stop"), usage=Usage(700, 50, 100), seconds=2.0)]
    helper, _ = opened(ScriptedModel(*used))
    ladder = Ladder.from_json({})
    ask(helper, MeteredSteps(Tape(), ladder))
    assert (ladder.tokens, ladder.seconds) == (650, 2.0)


def test_what_goes_wrong_is_a_failed_call(opened: Open) -> None:
    """F3: a failing model, wrong arguments and a refusal are told to the asker, and end nothing."""
    helper, audits = opened(ScriptedModel(AttemptFailed("it was cut off", kind="truncated")))
    failed = ask(helper, Tape())
    assert (failed.ok, failed.text) == (False, "the helper failed: it was cut off")
    wrong = helper.call(NAME, {"question": "?"}, Tape(), "x")
    assert not wrong.ok
    assert "right form: agent_run" in wrong.text
    refusing, _ = opened(ScriptedModel(), rules={"deny": [{"rule": "Agent", "justification": "too dear"}]})
    assert ask(refusing, Tape()).text == "not allowed: the rule 'Agent' forbids it: too dear"
    assert [(a.granted, a.ok) for a in audits] == [(True, False), (False, False), (False, False)]


@pytest.mark.parametrize("name", ["agent_run", "Agent", "Task"])
def test_rules_name_it_and_a_person_is_asked(opened: Open, name: str) -> None:
    """G1: an ask rule about the helper asks like any other; yes sends it, no is told, and dont_ask refuses."""
    person = Person([True, False])
    rules = {"ask": [name]}
    helper, audits = opened(ScriptedModel("The report."), "auto", rules, asker=person)
    assert ask(helper, Tape()).text == "The report."
    assert ask(helper, Tape()).text.endswith("wants a person to be asked; a person said no")
    assert [(q.tool, q.arguments["goal"]) for q in person.asked] == [(NAME, GOAL)] * 2
    silent, _ = opened(ScriptedModel(), "dont_ask", rules, asker=person)
    assert "in mode dont_ask nobody is asked" in ask(silent, Tape()).text
    assert len(person.asked) == 2
    assert [a.granted for a in audits] == [True, False, False]


@pytest.mark.parametrize("mode", ["auto", "confirm", "accept_edits", "plan_only", "dont_ask", "bypass"])
def test_it_only_reads_so_no_mode_asks_for_it(opened: Open, mode: str) -> None:
    """G1 G2: also while plan mode holds."""
    helper, _ = opened(ScriptedModel("The report."), mode, planning=True, asker=Person([]))
    assert ask(helper, Tape()).ok


def test_hooks_surround_it(opened: Open) -> None:
    """N2: a hook may refuse the helper and may add to its report, each in a step of its own."""
    hooks = NotingHooks()
    helper, _ = opened(ScriptedModel("The report."), hooks=hooks)
    steps = Tape()
    assert ask(helper, steps).text == "The report.\nnoted"
    assert steps.labels[0] == "tool:agent_run-1:before"
    assert steps.labels[-2:] == ["tool:agent_run-1:report", "tool:agent_run-1:after"]
    blocked, _ = opened(ScriptedModel(), hooks=NotingHooks(blocks=NAME))
    assert ask(blocked, Tape()).text == "not allowed: not today"
    assert hooks.seen == ["before agent_run", "after agent_run True"]


def test_a_denied_file_is_closed_to_it(opened: Open, tmp_path: Path) -> None:
    """G1: the helper reads and finds no more than whoever sent it."""
    (tmp_path / "key.txt").write_text("price = 4711\n")
    looks = calls(("file_read", {"path": "key.txt"}), ("find_relevant_files", {"query": "price"}))
    model = ScriptedModel(looks, "The report.")
    helper, _ = opened(model, rules={"deny": ["Read(key.txt)"]})
    ask(helper, Tape())
    told = [m["content"] for m in model.requests[1].messages if m["role"] == "tool"]
    assert "forbids it" in told[0]
    assert "shop.py" in told[1]
    assert "key.txt" not in told[1]
    assert "4711" not in str(model.requests[1].messages)


def test_its_place_in_the_tool_list_is_stable_and_small(opened: Open) -> None:
    """C3: the same bytes every time; offering it costs under 260 tokens a prompt."""
    helper, _ = opened(ScriptedModel())
    assert helper.names == ("agent_run", "file_read", "file_write", "shell_exec")
    assert [s["function"]["name"] for s in helper.openai_specs()] == list(helper.names)
    assert helper.openai_specs() == helper.openai_specs()
    assert subagent.cost() < 260
