"""Promise: validate, permissions, a person, hooks, then the tool; refusals are told and audited; plan mode is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from lao.config.rules import parse_rules
from lao.config.settings import PermissionSettings
from lao.core.asking import AskFirst
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


@dataclass
class AskingHooks(NotingHooks):
    """Wants a person to be asked about every call, perhaps with other arguments."""

    arguments: dict[str, Any] | None = None

    def before(self, tool: str, arguments: Mapping[str, Any]) -> AskFirst:
        super().before(tool, arguments)
        return AskFirst("is it friday?", self.arguments)


def test_a_hook_that_asks_is_answered_by_a_person(bench: Bench) -> None:
    """C7: yes runs the call, no is told with both reasons; it can be answered by yes or no only."""
    person, hooks = Person([True, False]), AskingHooks()
    it = box(bench, "auto", asker=person, hooks=hooks)
    assert call(it, "file_write", path="a", content="x").ok
    refused = call(it, "file_write", path="b", content="x")
    assert refused.text == "not allowed: a hook wants a person to be asked: is it friday?; a person said no"
    assert not (bench.root / "b").exists()
    assert [(q.tool, q.label, q.remember) for q in person.asked] == [("file_write", "tool:1", ())] * 2
    assert [(a.tool, a.granted) for a in bench.audits] == [("file_write", True), ("file_write", False)]


@pytest.mark.parametrize("mode", ["auto", "confirm", "accept_edits", "plan_only", "dont_ask", "bypass"])
def test_a_hook_that_asks_is_refused_where_nobody_is(bench: Bench, mode: str) -> None:
    """C7 G1: unattended it is a no with a reason, in every mode; dont_ask does not even ask."""
    told = call(box(bench, mode, hooks=AskingHooks()), "list_dir").text
    assert told.startswith("not allowed: a hook wants a person to be asked: is it friday?; ")
    assert told.endswith("so it is refused" if mode == "dont_ask" else "nobody is there to be asked")
    silent = box(bench, "dont_ask", hooks=AskingHooks(), asker=Person())
    assert not call(silent, "list_dir").ok


def test_what_a_hook_makes_of_a_call_before_it_asks_is_judged_too(bench: Bench) -> None:
    """C7 G3: a person is asked about the call that would be made, and never about one that is denied."""
    person = Person([True])
    it = box(bench, "auto", asker=person, hooks=AskingHooks(arguments={"command": "echo new > a"}))
    assert call(it, "shell_exec", command="echo old > a").ok
    assert person.asked[0].arguments == {"command": "echo new > a"}
    assert (bench.root / "a").read_text() == "new\n"
    denied = box(bench, "auto", asker=person, hooks=AskingHooks(arguments={"command": "git push"}))
    assert "changes the repository" in call(denied, "shell_exec", command="ls").text
    assert len(person.asked) == 1


def test_a_replay_asks_neither_hook_nor_person_for_what_is_done(bench: Bench) -> None:
    """C7 K2: the hook's wish is in the journal; the person's answer is kept by the asker."""
    person, hooks, steps = Person([True]), AskingHooks(), Recorder()
    call(box(bench, "auto", asker=person, hooks=hooks), "file_write", steps, path="a", content="x")
    again = Person([True])
    replay = box(bench, "auto", asker=again, hooks=hooks)
    assert call(replay, "file_write", Recorder(list(steps.results)), path="a", content="x").ok
    assert hooks.seen == ["before file_write", "after file_write True"]
    assert again.asked == person.asked


def test_a_file_that_may_not_be_read_is_nowhere(bench: Bench) -> None:
    """G1: reading, listing its folder, search and commands say nothing of what is in it; other files are there."""
    (bench.root / "secrets").mkdir()
    (bench.root / "secrets" / "key.py").write_text("TOKEN = 'hunter2 price'\n")
    (bench.root / "shop.py").write_text("price = 1\n")
    (bench.root / "way").symlink_to("secrets")
    (bench.root / "link.py").symlink_to("secrets/key.py")
    it = box(bench, "auto", rules={"deny": ["Read(secrets/**)", "Read(*.pem)"]})
    for path in ("secrets/key.py", "./secrets/../secrets/key.py", "way/key.py", "link.py"):
        assert "forbids it" in call(it, "file_read", path=path).text
    for path in ("secrets", "secrets/", "way"):
        assert "forbids it" in call(it, "list_dir", path=path).text
    for line in (
        "cat secrets/key.py", "cat secrets/*", "grep -r TOKEN secrets", "cd secrets && cat key.py",
        "sort < secrets/key.py",
        "cat way/key.py", "git show HEAD:secrets/key.py", "cp -r secrets copy", "tar cf - ./secrets/ | cat",
    ):  # fmt: skip
        assert "forbids it" in call(it, "shell_exec", command=line).text, line
    for edit in (
        {"path": "secrets/key.py", "search": "x", "replace": "y"},
        {"path": "link.py", "search": "x", "replace": "y"},
    ):
        assert "forbids it" in call(it, "file_patch", **edit).text, "what does not fit is shown with what is there"
    assert "forbids it" in call(it, "file_write", path="secrets/key.py", content="x").text
    assert call(it, "file_write", path="secrets/new.py", content="x").ok
    assert call(it, "find_relevant_files", query="price").text == "shop.py:1: price = 1"
    assert "no file has" in call(it, "find_relevant_files", query="hunter2").text
    assert "secrets/" in call(it, "list_dir").text, "the name of a folder is no secret"
    assert call(it, "shell_exec", command="ls && cat shop.py").ok


def test_a_denied_name_in_an_open_folder_is_listed(bench: Bench) -> None:
    """G1: Read(*.pem) closes the files; that they are there may be seen."""
    (bench.root / "a.pem").write_text("KEY")
    it = box(bench, "auto", rules={"deny": ["Read(*.pem)"]})
    assert "a.pem" in call(it, "list_dir").text
    assert not call(it, "file_read", path="a.pem").ok
    assert "no file has" in call(it, "find_relevant_files", query="pem").text


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
