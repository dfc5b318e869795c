"""The coder: both protocols, their reminders and limits."""

from __future__ import annotations

from typing import Any

import pytest

from lao.agents.coder import CoderBrief, write_code
from lao.core.chat import ChatAnswer
from lao.core.errors import AttemptFailed
from lao.core.steps import OutcomeUnknown
from lao.core.words import TaskSpec
from lao.llm.faults import ContextOverflow
from lao.llm.tokens import estimate_messages

from .fakes import FakeToolbox, ScriptedModel, Tape, calls, cut, settings

TASK = TaskSpec("Add mean", "Write mean(numbers) in stats.py.", ("stats.py",))
BRIEF = CoderBrief("Stats", "# Stats\n\nA library.\n", TASK, (), "stats.py", (), ("pytest -q",))
GOOD = "FILE: stats.py\n```python\ndef mean(numbers):\n    return 0.0\n```"
CONTENT = "def mean(numbers):\n    return 0.0\n"
WRITE = ("file_write", {"path": "stats.py", "content": CONTENT})


def _code(model: ScriptedModel, brief: CoderBrief = BRIEF, *, tools: bool = False, turns: int = 8, **more: Any) -> Any:
    toolbox = more.pop("toolbox", None) or FakeToolbox()
    steps = more.pop("steps", None) or Tape()
    result = write_code(
        brief,
        model=model,
        settings=settings(supports_tools=tools, **more),
        steps=steps,
        toolbox=toolbox,
        max_turns=turns,
    )
    return result, toolbox, steps


def _fails(kind: str, model: ScriptedModel, brief: CoderBrief = BRIEF, **more: Any) -> AttemptFailed:
    with pytest.raises(AttemptFailed) as caught:
        _code(model, brief, **more)
    assert caught.value.kind == kind
    assert "Add mean" in caught.value.message
    return caught.value


def test_message_says_all_that_matters() -> None:
    """Plan, given files, task, commands, and then what changes: own files, feedback, the form of the answer."""
    brief = CoderBrief(
        "Stats", "---\nlao: 1\n---\n# Stats\n\nBackground.\n", TASK,
        (("stats.py", "x = 1\n"), ("test_stats.py", "```")), "stats.py\ntest_stats.py",
        ("`pytest -q` failed:\nE   assert 1 == 2",), ("pytest -q",),
    )  # fmt: skip
    model = ScriptedModel(GOOD)
    _code(model, brief)
    request = model.requests[0]
    assert request.stop == ("\nFILE: test_stats.py",)  # models go on with the tests that they saw
    assert request.messages[0]["content"].splitlines()[0] == "LAO role: coder"
    text = model.last_user(0)
    parts = [
        "Background.", "test_stats.py\n", "do not change this file", "````python\n```\n````",
        "# Your task: Add mean", "Files of this task:\n- stats.py", "- `pytest -q`",
        "Current content of stats.py:\n```python\nx = 1\n```", "E   assert 1 == 2", "FILE: stats.py",
    ]  # fmt: skip
    places = [text.index(p) for p in parts]
    assert places == sorted(places)
    assert "lao: 1" not in text
    assert request.max_tokens == 1000
    assert request.tools == ()


def test_message_fits_a_small_window() -> None:
    """Long plans, files, trees and feedback are cut to the window; the task and the end stay."""
    task = TaskSpec("Add mean", "word " * 3000, ("stats.py",))
    brief = CoderBrief(
        "Stats", "# Stats\n" + "plan " * 9000, task, (("stats.py", "line\n" * 5000), ("b.py", "x" * 9000)),
        "f.py\n" * 3000, ("E " * 5000, "F " * 5000), ("pytest -q",),
    )  # fmt: skip
    model = ScriptedModel(GOOD)
    _code(model, brief, context_length=4096)
    assert estimate_messages(model.requests[0].messages) <= 4096 - 1000
    assert model.last_user(0).rstrip().endswith("FILE: stats.py")
    assert "SEARCH" in model.last_user(0), "a file that is not shown whole may be edited in part"


def test_text_mode_writes_the_file() -> None:
    """One good answer is one call and one file."""
    result, toolbox, steps = _code(ScriptedModel(GOOD))
    assert toolbox.files == {"stats.py": CONTENT}
    assert (result.files, result.turns, result.protocol) == (("stats.py",), 1, "text")
    assert steps.labels == ["model:turn-1", "tool:file_write-1"]


def test_text_mode_corrects_twice_then_fails() -> None:
    """Without a usable block there are two corrections that name the problem, then no_edit."""
    model = ScriptedModel("I would do it.", "FILE: stats.py\n```\n# ... rest of code\n```", "Sorry.")
    _fails("no_edit", model)
    assert "no line with FILE:" in model.last_user(1)
    assert "leaves code out" in model.last_user(2)
    assert model.requests[2].messages[: len(model.requests[1].messages)] == model.requests[1].messages


def test_text_mode_asks_for_missing_files() -> None:
    """A file of the task that neither exists nor was written is asked for; a written one is kept."""
    brief = CoderBrief("S", "", TaskSpec("Add mean", "d", ("stats.py", "b.py")))
    model = ScriptedModel(GOOD, "FILE: b.py\n```\ny = 1\n```")
    result, toolbox, _ = _code(model, brief)
    assert "The file b.py is missing." in model.last_user(1)
    assert result.files == ("stats.py", "b.py")
    assert toolbox.files["b.py"] == "y = 1\n"


def test_text_mode_applies_edits_and_reports_a_mismatch() -> None:
    """An edit whose SEARCH is not in the file comes back as a problem, and the corrected one is applied."""
    brief = CoderBrief("S", "", TASK, (("stats.py", "x = 1\n"),))
    edit = "stats.py\n<<<<<<< SEARCH\n{}\n=======\nx = 2\n>>>>>>> REPLACE"
    model = ScriptedModel(edit.format("y = 1"), edit.format("x = 1"))
    result, toolbox, _ = _code(model, brief, toolbox=FakeToolbox(**{"stats.py": "x = 1\n"}))
    assert "the search text is not in the file" in model.last_user(1)
    assert toolbox.files == {"stats.py": "x = 2\n"}
    assert result.files == ("stats.py",)


def test_text_mode_truncated_answer_keeps_whole_files() -> None:
    """Files before the cut are written, the cut one is not; only it is asked for again."""
    brief = CoderBrief("S", "", TaskSpec("Add mean", "d", ("stats.py", "b.py")))
    model = ScriptedModel(cut(GOOD + "\nFILE: b.py\n```\ny = "), "FILE: b.py\n```\ny = 1\n```")
    result, toolbox, _ = _code(model, brief)
    assert "These files are saved: stats.py." in model.last_user(1)
    assert "FILE: b.py" in model.last_user(1)
    assert toolbox.files == {"stats.py": CONTENT, "b.py": "y = 1\n"}
    assert result.turns == 2


def test_text_mode_gives_up_on_endless_cuts() -> None:
    """Answers that are cut off every time end the attempt."""
    _fails("truncated", ScriptedModel(*[cut("FILE: stats.py\n```\nx")] * 3))


def test_given_tests_are_not_overwritten() -> None:
    """A test file that was shown, and is not of the task, is left alone in both protocols."""
    brief = CoderBrief("S", "", TASK, (("test_stats.py", "assert mean([]) == 0"),))
    _, toolbox, _ = _code(ScriptedModel(GOOD + "\nFILE: test_stats.py\n```\npass\n```"), brief)
    assert toolbox.files == {"stats.py": CONTENT}
    cheat = ("file_write", {"path": "./test_stats.py", "content": "pass"})
    model = ScriptedModel(calls(cheat), calls(WRITE), "Done.")
    _, toolbox, _ = _code(model, brief, tools=True)
    assert toolbox.files == {"stats.py": CONTENT}
    assert "must not be changed" in model.last_user(1)


def test_the_rejected_content_is_not_taken_again() -> None:
    """After a failed attempt the very same content is no edit; the model starts over without seeing it."""
    brief = CoderBrief("S", "", TASK, (("stats.py", CONTENT),), feedback=("`pytest -q` failed",))
    model = ScriptedModel(GOOD, GOOD.replace("0.0", "1.0"))
    _, toolbox, _ = _code(model, brief)
    assert "return 0.0" in model.last_user(0)
    assert "return 0.0" not in model.last_user(1)
    assert "`pytest -q` failed" in model.last_user(1)
    assert len(model.requests[1].messages) == 2
    assert "1.0" in toolbox.files["stats.py"]


def test_tool_mode_loop() -> None:
    """Calls are run one by one and answered under our ids; an answer without a call ends the work."""
    model = ScriptedModel(
        calls(WRITE, ("file_read", {"path": "stats.py"}), text="<think>hm</think>"),
        calls(("shell_exec", {"command": "pytest -q"})),
        "Wrote mean.",
    )
    result, _toolbox, steps = _code(model, tools=True)
    assert (result.summary, result.files, result.turns, result.protocol) == ("Wrote mean.", ("stats.py",), 3, "tools")
    sent = model.requests[2].messages
    assert [m["role"] for m in sent] == ["system", "user", "assistant", "tool", "tool", "assistant", "tool"]
    assert sent[2]["content"] == ""
    assert [m["tool_call_id"] for m in sent if m["role"] == "tool"] == ["call00001", "call00002", "call00003"]
    assert steps.labels[:3] == ["model:turn-1", "tool:file_write-1", "tool:file_read-2"]
    assert [t["function"]["name"] for t in model.requests[0].tools] == list(FakeToolbox.names)


def test_prefix_is_byte_identical() -> None:
    """Each request of a tool loop begins with the whole request before it."""
    model = ScriptedModel(*[calls(("shell_exec", {"command": f"ls {n}"})) for n in range(4)], calls(WRITE), "ok")
    _code(model, tools=True)
    for earlier, later in zip(model.requests, model.requests[1:], strict=False):
        assert later.messages[: len(earlier.messages)] == earlier.messages
        assert later.tools == earlier.tools


def test_tool_mode_salvages_text_calls() -> None:
    """A call written as fenced JSON is run."""
    text = '```json\n{"name": "file_write", "arguments": {"path": "stats.py", "content": "x = 1\\n"}}\n```'
    _, toolbox, _ = _code(ScriptedModel(text, "Done."), tools=True)
    assert toolbox.files == {"stats.py": "x = 1\n"}


def test_tool_mode_takes_whole_files() -> None:
    """A file written into the answer instead of a call is taken, before anything else was written."""
    result, toolbox, _ = _code(ScriptedModel(GOOD), tools=True)
    assert toolbox.files == {"stats.py": CONTENT}
    assert result.files == ("stats.py",)


def test_tool_mode_quote_after_writing_is_no_edit() -> None:
    """Code quoted in the closing words does not overwrite what the tools wrote."""
    model = ScriptedModel(calls(WRITE), "It is:\n```python\ndef mean(numbers): ...\n```")
    _, toolbox, _ = _code(model, tools=True)
    assert toolbox.files == {"stats.py": CONTENT}


def test_tool_mode_reminds_once() -> None:
    """Without any edit there is one reminder, then other ways of asking, then no_edit; edits by shell count."""
    model = ScriptedModel("It is done.", "Really done.", *["So done."] * 5)
    _fails("no_edit", model, tools=True)
    assert "file_write" in model.last_user(1)
    shell = calls(("shell_exec", {"command": "sed -i s/a/b/ stats.py"}))
    assert _code(ScriptedModel(shell, "Edited."), tools=True)[0].summary == "Edited."


def test_tool_mode_stops_a_loop() -> None:
    """The same call three times in a row is answered with a message instead of a run; the fourth fails."""
    read = calls(("file_read", {"path": "stats.py"}))
    model = ScriptedModel(read, read, read, read)
    toolbox = FakeToolbox(**{"stats.py": "x"})
    _fails("loop_same", model, tools=True, toolbox=toolbox)
    assert len(toolbox.log) == 2
    assert "3 times in a row" in model.last_user(3)


def test_tool_mode_turn_limit() -> None:
    """Endless work ends at the limit."""
    model = ScriptedModel(*[calls(("shell_exec", {"command": f"ls {n}"})) for n in range(5)])
    _fails("turn_limit", model, tools=True, turns=5)


def test_tool_mode_never_runs_cut_arguments() -> None:
    """Arguments that did not decode are answered with an error and not run; then the model is asked in another way."""
    toolbox = FakeToolbox()
    bad = [ChatAnswer("", tool_calls=calls(("file_write", None)).tool_calls, finish_reason="length")] * 2
    model = ScriptedModel(*bad, cut("{"), cut("{"), *[cut("FILE: stats.py\n```\nx")] * 3)
    _fails("truncated", model, tools=True, toolbox=toolbox)
    assert toolbox.log == []
    assert "not a complete JSON object" in model.last_user(1)


def test_tool_mode_empty_answers() -> None:
    """Empty answers are nudged; after an edit three in a row end the attempt, and so do cut ones."""
    _fails("empty_answer", ScriptedModel(calls(WRITE), "", "", ""), tools=True)
    _fails("reasoning_only", ScriptedModel(calls(WRITE), *["<think>x</think>"] * 3), tools=True)
    _fails("truncated", ScriptedModel(calls(WRITE), cut("a"), cut("b"), cut("c")), tools=True)


def test_unknown_outcome_is_told() -> None:
    """A command that a crash interrupted is not run again; the model hears that its outcome is unknown."""

    class Interrupted(FakeToolbox):
        def call(self, name: str, *more: Any) -> Any:
            if name == "shell_exec":
                raise OutcomeUnknown
            return super().call(name, *more)

    model = ScriptedModel(calls(("shell_exec", {"command": "make"})), calls(WRITE), "Done.")
    _code(model, tools=True, toolbox=Interrupted())
    assert "outcome is unknown" in model.last_user(1)


def test_old_output_is_elided_in_a_small_window() -> None:
    """A long loop stays inside the window: old tool outputs go, the task and the newest stay."""
    toolbox = FakeToolbox(**{f"f{n}.py": str(n) * 4000 for n in range(6)})
    reads = [calls(("file_read", {"path": f"f{n}.py"})) for n in range(6)]
    model = ScriptedModel(*reads, calls(WRITE), "Done.")
    _code(model, tools=True, toolbox=toolbox, context_length=6000)
    for request in model.requests:
        assert estimate_messages(request.messages, request.tools) <= 5000
        assert request.messages[:2] == model.requests[0].messages[:2]
    assert any("removed to save space" in str(m["content"]) for m in model.requests[-1].messages)


def test_smaller_real_window_is_met_once() -> None:
    """When the server's window is smaller than configured, the first message is cut to it and sent once more."""
    brief = CoderBrief("S", "# S\n" + "plan " * 9000, TASK)
    model = ScriptedModel(ContextOverflow("no", prompt_tokens=7000, context=2048), GOOD)
    _code(model, brief)
    assert estimate_messages(model.requests[1].messages) <= 1048
    model = ScriptedModel(*[ContextOverflow("Add mean", context=2048)] * 2)
    _fails("context_overflow", model, brief)


def test_replay_makes_no_second_call() -> None:
    """From a recording of a crashed run the coder takes the same steps, calls nothing again, and goes on."""
    answers = [ContextOverflow("no", context=6000), calls(WRITE), "Sure.", "Done."]
    whole = Tape()
    expected, _, _ = _code(ScriptedModel(*answers), tools=True, steps=whole)
    for crash in range(len(whole.tape)):
        done = sum(label.startswith("model") for label, _ in whole.tape[:crash])
        model = ScriptedModel(*answers[done:])
        result, _, tape = _code(model, tools=True, steps=Tape(whole.tape[:crash]))
        assert result == expected
        assert tape.tape == whole.tape


def test_the_rejected_content_twice_ends_the_attempt() -> None:
    """A model that only repeats the rejected content is not asked a third time."""
    brief = CoderBrief("S", "", TASK, (("stats.py", CONTENT),), feedback=("`pytest -q` failed",))
    _fails("no_edit", ScriptedModel(GOOD, GOOD), brief)
