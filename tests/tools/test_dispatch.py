"""Promise: validate, permissions, a person, hooks, then the tool; refusals are told and audited; plan mode is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lao.config.rules import parse_rules
from lao.config.settings import PermissionSettings
from lao.core.steps import DirectSteps, StepKind
from lao.tools.asking import Answer, Question
from lao.tools.context import ToolContext, ToolResult
from lao.tools.permissions.policy import Policy
from lao.tools.registry import Tool
from lao.tools.toolbox import Toolbox
from tests.tools.conftest import ALL, Bench
from tests.tools.test_toolbox import Recorder

PLAN_TOOLS = (*ALL, "enter_plan_mode", "exit_plan_mode")


@dataclass
class Person:
    """Answers by a list, and keeps what was asked."""

    answers: list[bool] = field(default_factory=list)
    rules: tuple[str, ...] = ()
    asked: list[Question] = field(default_factory=list)

    def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        return Answer(True) if self.answers.pop(0) else Answer(False, "a person said no")

    def always(self) -> tuple[str, ...]:
        return self.rules


@dataclass
class NotingHooks:
    """Notes every call; ``blocks`` names tools that it refuses."""

    blocks: str = ""
    seen: list[str] = field(default_factory=list)

    def before(self, tool: str, arguments: Mapping[str, Any]) -> str | None:
        self.seen.append(f"before {tool}")
        return "not today" if tool == self.blocks else None

    def after(self, tool: str, arguments: Mapping[str, Any], result: ToolResult) -> str:
        self.seen.append(f"after {tool} {result.ok}")
        return "noted"


def box(bench: Bench, mode: str, names: tuple[str, ...] = ALL, *, rules: Any = None, **more: Any) -> Toolbox:
    policy = Policy(PermissionSettings(mode, parse_rules(rules or {}, {})), bench.root)
    return Toolbox(bench.context(), names, policy, **more)


def call(it: Toolbox, name: str, steps: Any = None, **arguments: Any) -> ToolResult:
    return it.call(name, arguments, steps or DirectSteps(), "tool:1")


def test_a_person_is_asked_only_where_the_policy_says_so(bench: Bench) -> None:
    """G1: confirm asks about a change, not about reading; yes runs it, no is told, and the model goes on."""
    person = Person([True, False])
    it = box(bench, "confirm", asker=person)
    assert call(it, "list_dir").ok
    assert call(it, "shell_exec", command="ls | wc -l").ok
    assert call(it, "file_write", path="a", content="x").ok
    refused = call(it, "shell_exec", command="touch b")
    assert not refused.ok
    assert refused.text.endswith("no rule allows 'touch b'; a person said no")
    assert not (bench.root / "b").exists()
    assert [(q.tool, q.label, q.remember) for q in person.asked] == [
        ("file_write", "tool:1", ("Edit(/a)",)),
        ("shell_exec", "tool:1", ("Bash(touch b)",)),
    ]
    assert [(a.tool, a.granted) for a in bench.audits[-2:]] == [("file_write", True), ("shell_exec", False)]


def test_nobody_is_asked_where_there_is_no_asker(bench: Bench) -> None:
    """G1: without anybody to ask a question is a no, at once and with a reason."""
    refused = call(box(bench, "confirm"), "file_write", path="a", content="x")
    assert "nobody is there to be asked" in refused.text
    assert not (bench.root / "a").exists()


def test_a_rule_made_meanwhile_is_obeyed(bench: Bench) -> None:
    """G1: what a person has answered with always is not asked again."""
    person = Person(rules=("Bash(touch *)",))
    assert call(box(bench, "confirm", asker=person), "shell_exec", command="touch b").ok
    assert person.asked == []


def test_dont_ask_never_asks(bench: Bench) -> None:
    """G1: not by an ask rule either."""
    it = box(bench, "dont_ask", rules={"ask": ["Bash(touch *)"]}, asker=Person())
    assert "nobody is asked" in call(it, "shell_exec", command="touch b").text
    assert call(it, "file_write", path="a", content="x").ok


def test_a_tool_that_is_denied_altogether_is_not_offered(bench: Bench) -> None:
    """C6: a bare deny hides the tool; calling it all the same is answered like any wrong name."""
    it = box(bench, "auto", rules={"deny": ["Bash"]})
    assert "shell_exec" not in it.names
    assert "there is no tool" in call(it, "shell_exec", command="ls").text


def test_plan_mode_is_entered_and_left_by_approval(bench: Bench) -> None:
    """G2: nothing changes until a person has approved the plan; the model cannot approve its own."""
    person = Person([False, True])
    it = box(bench, "auto", PLAN_TOOLS, asker=person)
    assert call(it, "file_write", path="a", content="1").ok
    assert call(it, "enter_plan_mode", rationale="large").ok
    for name, arguments in (("file_write", {"path": "a", "content": "2"}), ("shell_exec", {"command": "touch b"})):
        assert "in plan mode only reading is allowed" in call(it, name, **arguments).text
    assert not call(it, "exit_plan_mode", approved_plan="write 2", approved=True).ok, (
        "an argument of that name is unknown"
    )
    assert not call(it, "exit_plan_mode", approved_plan="write 2").ok
    assert not call(it, "file_write", path="a", content="2").ok
    assert call(it, "exit_plan_mode", approved_plan="write 2, then test").ok
    assert [q.arguments for q in person.asked][-1] == {"approved_plan": "write 2, then test"}
    assert call(it, "file_read", path="a").ok
    assert call(it, "file_write", path="a", content="2").ok


def test_plan_only_begins_in_plan_mode(bench: Bench) -> None:
    """G1 G2: nothing but reading until a plan is approved; by policy that may need no person."""
    it = box(bench, "plan_only", PLAN_TOOLS, planning=True)
    assert not call(it, "file_write", path="a", content="1").ok
    assert not call(it, "exit_plan_mode", approved_plan="x").ok
    auto = Policy(PermissionSettings("plan_only", plan_approval="auto"), bench.root)
    free = Toolbox(bench.context(), PLAN_TOOLS, auto, planning=True)
    assert not call(free, "file_write", path="a", content="1").ok
    assert call(free, "exit_plan_mode", approved_plan="x").ok
    assert call(free, "file_write", path="a", content="1").ok


def test_plan_mode_survives_a_resume(bench: Bench) -> None:
    """G2 K1: replayed results put the mode where it was: entered stays entered, approved stays approved."""
    first = Recorder()
    person = Person([True])
    it = box(bench, "auto", PLAN_TOOLS, asker=person)
    call(it, "enter_plan_mode", first)
    call(it, "exit_plan_mode", first, approved_plan="x")
    call(it, "enter_plan_mode", first)
    again = box(bench, "auto", PLAN_TOOLS, asker=Person([True]))
    replay = Recorder(list(first.results))
    call(again, "enter_plan_mode", replay)
    assert not call(again, "file_write", path="a", content="1").ok
    call(again, "exit_plan_mode", replay, approved_plan="x")
    assert call(again, "file_write", path="a", content="1").ok
    call(again, "enter_plan_mode", replay)
    assert not call(again, "file_write", path="a", content="2").ok
    assert len(bench.audits) == 3 + 2 + 1, "what is replayed is audited once"


def test_hooks_surround_an_allowed_call(bench: Bench) -> None:
    """C7: before may refuse, after may add; refused calls reach no hook; a replay calls none."""
    hooks = NotingHooks(blocks="file_patch")
    it = box(bench, "auto", hooks=hooks)
    steps = Recorder()
    assert call(it, "file_write", steps, path="a", content="x").text.endswith("\nnoted")
    blocked = call(it, "file_patch", steps, path="a", search="x", replace="y")
    assert (blocked.ok, blocked.text) == (False, "not allowed: not today")
    assert (bench.root / "a").read_text() == "x"
    assert not call(it, "shell_exec", steps, command="git push").ok
    assert hooks.seen == ["before file_write", "after file_write True", "before file_patch"]
    assert [(a.tool, a.granted) for a in bench.audits] == [
        ("file_write", True), ("file_patch", False), ("shell_exec", False)
    ]  # fmt: skip
    replay = box(bench, "auto", hooks=hooks)
    call(replay, "file_write", Recorder(list(steps.results)), path="a", content="x")
    assert len(hooks.seen) == 3


def test_further_tools_are_called_like_our_own(bench: Bench) -> None:
    """F1: a tool of another source is validated, judged, audited and bounded in the same way."""

    def run(context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        return ToolResult(arguments["word"] * 30_000)

    parameters = {"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"]}
    tool = Tool("mcp__echo__say", StepKind.UNKNOWN, "Says it.", parameters, run=run)
    it = box(bench, "auto", ("file_read",), more=[tool])
    assert it.names == ("file_read", "mcp__echo__say")
    assert not call(it, "mcp__echo__say").ok
    said = call(it, "mcp__echo__say", word="ab")
    assert said.text.startswith("abab")
    assert said.text.endswith("abab")
    assert "[… 36000 of 60000 characters left out …]" in said.text
    asked = box(bench, "confirm", ("file_read",), more=[tool], asker=(person := Person([False])))
    assert not call(asked, "mcp__echo__say", word="a").ok
    assert person.asked[0].remember == ("mcp__echo__say",)
