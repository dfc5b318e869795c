"""The way down from native calls to plain text, and what is reported of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lao.agents import coder_tools
from lao.agents.ask import JournaledModel, request
from lao.agents.coder_brief import CoderBrief, system_prompt, user_message
from lao.agents.coder_session import Session
from lao.agents.turn_ladder import action_schema
from lao.core.chat import ChatAnswer, Usage
from lao.core.errors import AttemptFailed
from lao.core.profile import RUNGS
from lao.core.words import Event, TaskSpec
from lao.llm.conversation import Conversation
from lao.llm.faults import ContextOverflow
from lao.llm.structured import schema_problem

from .fakes import FakeToolbox, ScriptedModel, Tape, calls, settings

TASK = TaskSpec("Add mean", "Write mean(numbers) in stats.py.", ("stats.py",))
BRIEF = CoderBrief("Stats", "# Stats\n\nA library.\n", TASK, (), "stats.py", (), ("pytest -q",))
CONTENT = "def mean(numbers):\n    return 0.0\n"
WRITE = ("file_write", {"path": "stats.py", "content": CONTENT})
ACTION = json.dumps({"tool": "file_write", "arguments": {"path": "stats.py", "content": CONTENT}})
FINISH = json.dumps({"tool": "finish", "arguments": {"summary": "Wrote mean."}})
TALK = "I would write a function."


class Bench:
    """One session over a scripted model; ``run`` gives the summary."""

    def __init__(self, *answers: str | ChatAnswer | Exception, steps: Tape | None = None, **more: Any) -> None:
        self.model = ScriptedModel(*answers)
        self.events: list[Event] = []
        self.toolbox = FakeToolbox()
        self.steps = steps or Tape()
        asked = JournaledModel(self.model, self.steps, "turn", report=self.events.append)
        role = settings(supports_tools=True, **more)
        self.session = Session(
            BRIEF, asked, role, self.steps, self.toolbox, self._begin(BRIEF), self.toolbox.openai_specs(), 6000,
            self._begin,
        )  # fmt: skip

    @staticmethod
    def _begin(brief: CoderBrief) -> Conversation:
        talk = Conversation(system_prompt("tools"))
        talk.user(user_message(brief, budget=3000, protocol="tools"))
        return talk

    def run(self, start: str = "native", turns: int = 12) -> str:
        return coder_tools.run(self.session, turns, start_rung=start)

    @property
    def faults(self) -> list[str]:
        return [e.data["class"] for e in self.events if e.kind == "model.fault"]

    @property
    def rungs(self) -> list[str]:
        return [e.data["rung"] for e in self.events if e.kind == "model.rung"]


def test_talk_leads_to_a_forced_action() -> None:
    """After one reminder the model must answer with an action that a schema forces, without native tools."""
    bench = Bench(TALK, TALK, ACTION, FINISH)
    assert bench.run() == "Wrote mean."
    assert bench.toolbox.files == {"stats.py": CONTENT}
    forced = bench.model.requests[2]
    assert forced.tools == ()
    assert forced.schema == action_schema(bench.session.tools)
    assert "- file_write(path?, content?)" in str(forced.messages[-1]["content"])
    assert "Result of file_write:\nwritten" in bench.model.last_user(3)
    assert (bench.session.rung, bench.rungs) == ("schema", ["schema"])
    assert bench.faults == ["no_action", "no_action", "text_call", "text_call"]


def test_the_last_way_is_plain_text_in_a_fresh_conversation() -> None:
    """When forced actions lead to nothing either, whole files are asked for in a conversation without tools."""
    bench = Bench(TALK, TALK, "still talk", "more talk", f"FILE: stats.py\n```python\n{CONTENT}```")
    bench.run()
    assert bench.toolbox.files == {"stats.py": CONTENT}
    last = bench.model.requests[4]
    assert (last.tools, last.schema, len(last.messages)) == ((), None, 2)
    assert last.messages[0]["content"] == system_prompt("text")
    assert (bench.session.rung, bench.rungs) == ("text", ["text"])


def test_a_server_without_schemas_has_one_rung_less() -> None:
    """The forced action is left out where the role's server cannot do it."""
    bench = Bench(TALK, TALK, f"FILE: stats.py\n```python\n{CONTENT}```", supports_json_schema=False)
    bench.run()
    assert [r.schema for r in bench.model.requests] == [None] * 3
    assert bench.session.rung == "text"


@pytest.mark.parametrize(
    "kind", ["tools_refused", "grammar_refused", "template_error", "server_parse", "alternation_refused"]
)
def test_a_refused_way_of_asking_is_not_the_end(kind: str) -> None:
    """What a server refuses of the form leads down the ladder at once, as long as nothing was written."""
    refused = AttemptFailed("no", kind=kind)
    bench = Bench(refused, ACTION, FINISH)
    bench.run()
    assert bench.session.rung == "schema"
    bench = Bench(refused, refused, f"FILE: stats.py\n```python\n{CONTENT}```")
    bench.run()
    assert bench.session.rung == "text"
    with pytest.raises(AttemptFailed) as caught:
        Bench(calls(WRITE), refused).run()
    assert caught.value.kind == kind


@pytest.mark.parametrize("start", RUNGS)
def test_the_ladder_may_begin_lower(start: str) -> None:
    """What is known of a model is used: the first request is in the form of that rung."""
    answers = {
        "native": (calls(WRITE), "Done."),
        "salvage": (f"<tools>{json.dumps({'name': WRITE[0], 'arguments': WRITE[1]})}</tools>", "Done."),
        "schema": (ACTION, FINISH),
        "text": (f"FILE: stats.py\n```python\n{CONTENT}```",),
    }
    bench = Bench(*answers[start])
    bench.run(start)
    first = bench.model.requests[0]
    assert bool(first.tools) is (start in ("native", "salvage"))
    assert (first.schema is not None) is (start == "schema")
    assert bench.session.rung == start
    assert bench.rungs == []  # it was expected


def test_files_in_the_answer_are_the_text_rung() -> None:
    """A model that answers a request for calls with the file itself is served, and remembered as such."""
    bench = Bench(f"```python\n{CONTENT}```")
    bench.run()
    assert bench.rungs == ["text"]
    assert bench.toolbox.files == {"stats.py": CONTENT}


def test_a_cut_answer_gives_no_file() -> None:
    """An answer that was cut in the middle of a file writes nothing of it."""
    bench = Bench(ChatAnswer("FILE: stats.py\n```python\ndef mean(", finish_reason="length"), calls(WRITE), "Done.")
    bench.run()
    assert [name for name, _, _ in bench.toolbox.log] == ["file_write"]
    assert bench.toolbox.files == {"stats.py": CONTENT}
    assert bench.faults[0] == "truncated"


def test_the_schema_of_an_action_holds_its_arguments() -> None:
    """An action names one tool and has that tool's arguments; anything else is no action."""
    schema = action_schema(FakeToolbox().openai_specs())
    assert not schema_problem(json.loads(ACTION), schema)
    assert not schema_problem(json.loads(FINISH), schema)
    assert schema_problem({"tool": "rm", "arguments": {}}, schema)
    assert schema_problem({"tool": "file_write", "arguments": {"path": 3}}, schema)


def test_thinking_without_an_answer_is_nudged_once() -> None:
    """Only thinking gets a message of its own; the next call goes on as if nothing had been."""
    bench = Bench(ChatAnswer("", reasoning="hm"), calls(WRITE), "Done.")
    bench.run()
    assert "Stop thinking" in bench.model.last_user(1)
    assert bench.faults == ["reasoning_only"]


def test_alternating_calls_are_told_and_end_the_attempt() -> None:
    """A, B, A, B gets a note beside the result; a third round is a failure with its name."""
    bench = Bench(*[calls(("shell_exec", {"command": c})) for c in "ababab"])
    with pytest.raises(AttemptFailed) as caught:
        bench.run()
    assert caught.value.kind == "loop_alternating"
    assert "ran b\nNote: you repeat" in bench.model.last_user(4)
    assert len(bench.toolbox.log) == 5


def test_calls_that_no_tool_takes_lead_down_the_ladder() -> None:
    """Unknown tools twice in a row: the model is told the names, then asked in another way."""
    bench = Bench(calls(("deploy", {"to": "a"})), calls(("launch", {})), ACTION, FINISH)
    bench.run()
    assert bench.faults[:2] == ["unknown_tool", "unknown_tool"]
    assert bench.session.rung == "schema"


def test_repaired_calls_are_run_under_our_names() -> None:
    """Other names for tools and arguments are understood where one reading is possible, and counted."""
    bench = Bench(calls(("create_file", {"filename": "stats.py", "contents": CONTENT})), "Done.")
    bench.run()
    assert bench.toolbox.files == {"stats.py": CONTENT}
    assert bench.faults == ["repaired_call"]
    assert bench.session.rung == "native"


def test_a_huge_result_does_not_push_the_task_out() -> None:
    """One tool output gets at most a quarter of the window."""
    bench = Bench(calls(("file_read", {"path": "big"})), calls(WRITE), "Done.")
    bench.toolbox.files["big"] = "x" * 100_000
    bench.run()
    assert len(bench.model.last_user(1)) < 6000


def test_a_resumed_run_reports_nothing_twice() -> None:
    """Recorded answers lead to the same steps and to no second event."""
    answers = (TALK, TALK, ACTION, FINISH)
    whole = Bench(*answers)
    expected = whole.run()
    done = sum(label.startswith("model") for label, _ in whole.steps.tape[:3])
    again = Bench(*answers[done:], steps=Tape(whole.steps.tape[:3]))
    assert again.run() == expected
    assert again.steps.tape == whole.steps.tape
    assert again.faults == whole.faults[3:]


def test_nothing_for_a_full_window_is_an_overflow() -> None:
    """An empty answer to a prompt as large as the window is an overflow, with the window's real size."""
    empty = ChatAnswer("", finish_reason="stop", usage=Usage(prompt=4090, completion=0))
    asked = JournaledModel(ScriptedModel(empty, empty), Tape(), "x", context=4096)
    with pytest.raises(ContextOverflow) as caught:
        asked.complete(request(settings(), [{"role": "user", "content": "x"}]))
    assert caught.value.context == 4096
    assert asked.answered == 0
    unknown = JournaledModel(ScriptedModel(empty), Tape(), "x")
    assert unknown.complete(request(settings(), [{"role": "user", "content": "x"}])) == empty
