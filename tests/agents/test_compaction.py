"""Promise: a long conversation is shortened, keeps its head and its failures, and ends by name instead of looping."""

from __future__ import annotations

from typing import Any

import pytest

from lao.agents.coder import CoderBrief, write_code
from lao.agents.compaction import CONTEXT_FULL, Compaction
from lao.core.chat import ChatAnswer, ChatRequest
from lao.core.errors import AttemptFailed
from lao.core.steps import DirectSteps, StepKind
from lao.core.words import Event, TaskSpec
from lao.llm.compaction import HEAD, compacted, failed_calls, failures_in, instructed, recent_from, replaced, shortened
from tests.agents.fakes import FakeToolbox, ScriptedModel, calls, settings

BRIEF = CoderBrief("S", "", TaskSpec("Edit", "Change it.", ("m.py",)), (("m.py", "x = 0\n"),))
LONG = "".join(f"line {n} of a long file that nobody needs twice\n" for n in range(70))
WRITE = calls(("file_write", {"path": "m.py", "content": "x = 1\n"}))


def reads(*numbers: int) -> list[ChatAnswer]:
    return [calls(("file_read", {"path": f"f{n}.txt"})) for n in numbers]


class Told(ScriptedModel):
    """A scripted model that keeps the events."""

    def __init__(self, *answers: str | ChatAnswer) -> None:
        super().__init__(*answers)
        self.events: list[Event] = []

    def report(self, event: Event) -> None:
        self.events.append(event)


def code(model: ScriptedModel, compaction: Compaction, context: int = 6000, steps: Any = None, **files: str) -> Any:
    return write_code(
        BRIEF,
        model=model,
        settings=settings(supports_tools=True, context_length=context, max_completion=1000),
        steps=steps or DirectSteps(),
        toolbox=FakeToolbox(**files),
        max_turns=40,
        compaction=compaction,
    )


def files(count: int, text: str = LONG) -> dict[str, str]:
    return {f"f{n}.txt": text for n in range(count)}


def test_old_outputs_are_shortened_and_the_head_stays() -> None:
    """H3 C3: without a call of the model; system prompt, task and the latest turns are the same bytes as before."""
    model = Told(*reads(*range(8)), WRITE, "Done.")
    code(model, Compaction(keep_recent=4), **files(8))
    (first, *_, last) = model.requests
    assert last.messages[:HEAD] == first.messages[:HEAD]
    assert len(model.requests) == 10, "no summary was asked for"
    events = [e for e in model.events if e.kind == "model.compaction"]
    assert events
    assert events[0].data["how"] == "old outputs"
    assert events[0].data["after"] < events[0].data["before"] <= 6000
    outputs = [str(m["content"]) for m in last.messages if m["role"] == "tool"]
    assert "characters removed to save space]" in outputs[0]
    assert len(outputs[0]) < 300
    assert outputs[-2].count("\n") > 50, "the latest ones are whole"


def test_what_failed_is_never_forgotten() -> None:
    """H3: the line that says why stays in the shortened output, with its call in the list for a summary."""
    failing = "exit status 1 after 0.1 s\n" + LONG + "E   AssertionError: assert mean([]) == 0\n" + LONG
    short = shortened(failing)
    assert short.splitlines()[0] == "exit status 1 after 0.1 s"
    assert "AssertionError: assert mean([]) == 0" in short
    assert len(short) < 400
    assert shortened(short) == short
    messages = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "t"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "c1", "function": {"name": "shell_exec", "arguments": '{"command": "pytest -q"}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": failing},
        {"role": "assistant", "content": "I see."},
    ]
    told = failed_calls(messages, 1)
    assert told == ("- failed: shell_exec pytest -q: E   AssertionError: assert mean([]) == 0",)
    once = replaced(messages, 1, "\n".join(("Summary", *told)), "Go on.")
    assert [m["role"] for m in once] == ["system", "user", "assistant", "user", "assistant"]
    again = replaced(
        [*once, {"role": "user", "content": "more"}, {"role": "assistant", "content": "x"}], 1, "S", "Go on."
    )
    assert [m["role"] for m in again] == ["system", "user", "assistant", "user", "assistant"]


def test_how_to_answer_is_never_shortened() -> None:
    """H3: without native calls the list of tools is a message of its own; it stays, results around it do not."""
    messages = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "t"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "Answer from now on with one JSON object.\n" + LONG},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": f"Result of file_read:\n{LONG}"},
        {"role": "assistant", "content": "c"},
    ]
    short = compacted(messages, 1)
    assert short[3] == messages[3]
    assert len(str(short[5]["content"])) < 200
    assert instructed(messages, 1)
    assert not instructed([*messages[:2], *messages[4:]], 1)


def test_recent_messages_begin_with_a_turn() -> None:
    """H3: a result is never parted from its call, and the head is never recent."""
    roles = ["system", "user", "assistant", "tool", "tool", "assistant", "tool"]
    messages = [{"role": role, "content": "x" * 999} for role in roles]
    assert recent_from(messages, 3) == 2
    assert recent_from(messages, 2) == 5
    assert recent_from(messages, 99) == HEAD
    assert recent_from(messages, 0) == len(messages)
    assert compacted(messages, 2)[5:] == messages[5:]
    assert compacted(messages, 2)[:HEAD] == messages[:HEAD]


def test_a_summary_comes_only_when_outputs_are_not_enough_and_is_a_step() -> None:
    """H3 P2: many long answers: one call of the model, journaled like any; failures are added to what it says."""
    labels: list[str] = []

    class Counted(DirectSteps):
        def run(self, kind: StepKind, label: str, fn: Any) -> Any:
            labels.append(label)
            return super().run(kind, label, fn)

    chatter = [calls(("file_read", {"path": "none.txt"}), text=f"Thought {n}. " + "word " * 700) for n in range(8)]
    for n, answer in enumerate(chatter):
        answer.tool_calls[0].arguments["path"] = f"none{n}.txt"  # type: ignore[index]
    model = Summarising(*chatter, WRITE, "Done.")
    result = code(model, Compaction(keep_recent=2), steps=Counted())
    assert result.files == ("m.py",)
    asked = [r for r in model.requests if "sum up the work" in str(r.messages[0]["content"])]
    assert 1 <= len(asked) <= 2
    assert all(r.tools == () for r in asked)
    assert len([label for label in labels if label.startswith("model:turn-")]) == len(model.requests)
    following = model.requests[model.requests.index(asked[0]) + 1]
    assert following.messages[:HEAD] == model.requests[0].messages[:HEAD]
    assert "What I have done so far:\ndone: nothing yet" in str(following.messages[HEAD]["content"])


class Summarising(Told):
    """Answers a request for a summary aside from the script."""

    def complete(self, request: ChatRequest) -> ChatAnswer:
        if "sum up the work" in str(request.messages[0]["content"]):
            self.requests.append(request)
            return ChatAnswer(text="done: nothing yet")
        return super().complete(request)


def test_it_ends_by_name_when_nothing_more_can_be_left_out() -> None:
    """H3: an attempt whose window is full again and again ends as context_full; it does not go round for ever."""
    huge = "".join(f"{n} {'wide ' * 30}\n" for n in range(60))
    turns = [calls(*(("file_read", {"path": f"f{n}.txt"}) for n in range(k, k + 6))) for k in range(0, 120, 6)]
    model = Told(*turns)
    with pytest.raises(AttemptFailed) as caught:
        code(model, Compaction(keep_recent=8, at=0.2), context=3000, **files(120, huge))
    assert caught.value.kind == CONTEXT_FULL
    assert len(model.requests) < len(turns)


def test_switched_off_it_only_keeps_within_the_window() -> None:
    """H3: compaction_enabled: false leaves the conversation alone until the window itself is full."""
    model = Told(*reads(*range(8)), WRITE, "Done.")
    code(model, Compaction(enabled=False), **files(8))
    assert not [e for e in model.events if e.kind == "model.compaction"]


@pytest.mark.parametrize("text", ["", "all 3 tests passed", "0 errors", "class ErrorBar:"])
def test_what_is_no_failure(text: str) -> None:
    """H3: only lines that say what failed are kept."""
    assert failures_in(text) == ()


def test_a_resumed_conversation_is_shortened_alike() -> None:
    """K1: from recorded answers the same requests follow, so the record is used to its end."""
    recorded: dict[str, Any] = {}

    class Replayed(DirectSteps):
        def run(self, kind: StepKind, label: str, fn: Any) -> Any:
            key = f"{label}"
            if key not in recorded:
                recorded[key] = fn()
            return recorded[key]

    first = Told(*reads(*range(8)), WRITE, "Done.")
    code(first, Compaction(keep_recent=4), steps=Replayed(), **files(8))
    again = Told()
    assert code(again, Compaction(keep_recent=4), steps=Replayed(), **files(8)).files == ("m.py",)
    assert again.requests == []


def test_a_hook_is_asked_first_and_may_keep_the_conversation() -> None:
    """N2 C7: refused below the window's limit, the conversation stays as it is and each later turn asks again; the
    answers are steps, so that a resumed attempt asks nobody."""
    recorded: dict[str, Any] = {}
    asked: list[tuple[int, int]] = []

    class Replayed(DirectSteps):
        def run(self, kind: StepKind, label: str, fn: Any) -> Any:
            recorded[label] = recorded[label] if label in recorded else fn()
            return recorded[label]

    def no(tokens: int, limit: int) -> str:
        asked.append((tokens, limit))
        return "a hook refused it: not now"

    turns = [*reads(0, 1, 2), WRITE, "Done."]
    first = Told(*turns)
    hooked = Compaction(keep_recent=1, at=0.35, asked=no)
    code(first, hooked, steps=Replayed(), **files(3))
    assert len(asked) >= 2
    assert all(6000 * 0.35 < tokens <= limit for tokens, limit in asked)
    outputs = [str(m["content"]) for m in first.requests[-1].messages if m["role"] == "tool"]
    assert all("removed to save space" not in output for output in outputs)
    assert {e.data["how"] for e in first.events if e.kind == "model.compaction"} == {"refused"}
    steps, count = [label for label in recorded if label.startswith("compact-")], len(asked)
    assert steps == [f"compact-{n}:before" for n in range(1, count + 1)]
    again = Told()
    assert code(again, hooked, steps=Replayed(), **files(3)).files == ("m.py",)
    assert (again.requests, len(asked)) == ([], count)


def test_a_hook_that_refuses_when_the_window_is_full_ends_the_attempt() -> None:
    """N2 C7: nothing is cut behind its back; the attempt ends as context_full and the reason is named."""
    model = Told(*reads(*range(20)), WRITE, "Done.")
    with pytest.raises(AttemptFailed, match="a hook refused it: never") as caught:
        code(model, Compaction(asked=lambda _tokens, _limit: "a hook refused it: never"), **files(20))
    assert caught.value.kind == CONTEXT_FULL
