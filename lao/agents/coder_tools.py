"""The coder with tools: the loop of calls and results, its reminders and its limits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lao.agents import turn_ladder
from lao.agents.coder_session import Session
from lao.agents.prompt import load
from lao.core.chat import ChatAnswer, ToolCall
from lao.core.errors import AttemptFailed
from lao.llm.clean import clean
from lao.llm.compaction import RESULT
from lao.llm.failures import Failure
from lao.llm.loops import CallLoops
from lao.llm.textcalls import Calls, read_calls
from lao.llm.textfiles import read_files
from lao.llm.tokens import clip

_STRIKES = 2
"""Bad turns in a row before another way of asking is tried; one more ends an attempt that has edits already."""

_LEAST_RESULT = 300
_BAD_ARGUMENTS = (
    "Error: the arguments of {name} were not a complete JSON object and nothing was done. "
    "Send the call again with valid JSON; write less in one call if it was cut off."
)
_EDITS = ("file_write", "file_patch")
_SHELL_EDIT = re.compile(
    r">|\bsed\s+(?:-\w+\s+)*-i|\b(?:tee|patch|mv|cp|rm|touch|mkdir|truncate|git\s+(?:apply|mv|rm))\b"
)


@dataclass
class _State:
    rung: str = "native"
    strikes: int = 0
    reminded: bool = False
    shell_edits: bool = False
    loops: CallLoops = field(default_factory=CallLoops)

    @property
    def forced(self) -> bool:
        return self.rung == "schema"


def run(session: Session, max_turns: int, *, start_rung: str = "native") -> str:
    """Ask, run the calls, append their results, until an answer without a call; returns that answer's text.

    A model that gives no usable action in two turns is asked in the next way down the ladder (``session.rung`` says
    which one worked, and the event ``model.rung`` when it is another one than ``start_rung``).

    Args:
        start_rung: one of ``lao.core.profile.RUNGS``; native and salvaged calls are asked for in the same way.

    Raises:
        AttemptFailed: kinds "no_edit", "loop_same", "loop_alternating", "loop_growing", "truncated", "empty_answer",
            "turn_limit", or what the model raises.
    """
    state = _State()
    session.known_rung = start_rung
    if start_rung in ("schema", "text"):
        _down(session, state, start_rung)
    while session.turns < max_turns:
        if state.rung == "text":
            return turn_ladder.run_text(session, max_turns)
        try:
            answer = _ask(session, state)
        except AttemptFailed as error:
            if error.kind not in turn_ladder.REFUSED or session.changed:
                raise
            _down(session, state)
            continue
        finished = _turn(session, state, answer)
        if finished is not None:
            return finished
    raise _failed(session, f"not finished after {max_turns} turns", Failure.TURN_LIMIT)


def _ask(session: Session, state: _State) -> ChatAnswer:
    if state.forced:
        return session.ask(tools=(), schema=turn_ladder.action_schema(session.tools))
    return session.ask()


def _down(session: Session, state: _State, to: str = "") -> None:
    """Go on with the next way of asking; a server without schemas has one less."""
    to = to or ("text" if state.forced else "schema")
    state.rung = "text" if to == "schema" and not session.settings.supports_json_schema else to
    state.strikes, state.reminded = 0, False
    if state.forced:
        turn_ladder.explain_actions(session)


def _turn(session: Session, state: _State, answer: ChatAnswer) -> str | None:
    """What one answer leads to: the closing text when the work is done, else None."""
    tools = turn_ladder.with_finish(session.tools) if state.forced else session.tools
    calls = read_calls(answer, tools, turn_ladder.ALL_ALIASES)
    for failure in calls.faults:
        session.model.fault(failure, f"model {session.settings.key!r}: {', '.join(c.name for c in calls.calls)}"[:200])
    if not calls.calls:
        return _without_calls(session, state, answer)
    done = next((c for c in calls.calls if c.name == turn_ladder.FINISH and state.forced), None)
    wanted = [c for c in calls.calls if c is not done]
    if wanted:
        _run_calls(session, state, answer, calls, wanted)
    if done is None:
        return None
    return _finished(session, state, str((done.arguments or {}).get("summary") or ""), clean(answer.text))


def _run_calls(session: Session, state: _State, answer: ChatAnswer, calls: Calls, wanted: list[ToolCall]) -> None:
    talk, share = session.conversation, max(_LEAST_RESULT, session.limit // 4)
    rung = "schema" if state.forced else "salvage" if calls.salvaged else "native"
    ids = [] if state.forced else talk.calls("" if calls.salvaged else calls.text, wanted)
    if state.forced:
        talk.assistant(clean(answer.text))
    wrong = [f for f in calls.faults if f in (Failure.UNKNOWN_TOOL, Failure.WRONG_TYPES)]
    done = 0
    for n, call in enumerate(wanted):
        text, ran, ok = _run_call(session, state, call, rung)
        done += ran and (ok or not wrong)
        text = clip(text, share)  # one huge output must not push the task out of a small window
        if state.forced:
            talk.user(f"{RESULT}{call.name}:\n{text}")
        else:
            talk.result(ids[n], text)
    if done:
        state.strikes = 0
    else:
        cut = Failure.TRUNCATED if answer.finish_reason == "length" else Failure.BAD_ARGUMENTS
        _strike(session, state, "its tool calls could not be run", wrong[0] if wrong else cut)


def _run_call(session: Session, state: _State, call: ToolCall, rung: str) -> tuple[str, bool, bool]:
    """One call: what the model is told, whether it was run (or need not be), whether the tool did what was asked."""
    loop = state.loops.take(call.name, call.arguments, call.raw)
    if loop is not None:
        said = f"the model made the same call of {call.name!r} {loop.count} times in a row"
        if loop.failure is not Failure.LOOP_SAME:
            said = f"the model goes round in circles with calls like {call.name!r}"
        session.model.fault(loop.failure, f"model {session.settings.key!r}: {said}")
        if loop.over:
            raise _failed(session, said, loop.failure)
    if call.arguments is None:
        return _BAD_ARGUMENTS.format(name=call.name), False, False
    if loop is not None and loop.failure is Failure.LOOP_SAME:
        return load("coder_tools_repeat", count=str(loop.count)), True, True
    text, ok = session.call(call.name, call.arguments)
    edit = ok and call.name in _EDITS
    if edit and isinstance(call.arguments.get("path"), str):
        session.note(call.arguments["path"].removeprefix("./"), ok)
    if ok and call.name == "shell_exec" and _SHELL_EDIT.search(str(call.arguments.get("command", ""))):
        state.shell_edits = edit = True
    if ok:
        turn_ladder.reached(session, rung, edit=edit)
    return (f"{text}\n{load('coder_tools_circle')}" if loop is not None else text), True, ok


def _without_calls(session: Session, state: _State, answer: ChatAnswer) -> str | None:
    """What an answer without calls means: the summary when the work is done, else None after a message to the model."""
    text = clean(answer.text)
    cut = answer.finish_reason == "length"
    if not session.changed:
        # Many models write the file into the answer instead of calling the tool; after a first write it may be a quote.
        parsed = read_files(text, session.brief.task.file_paths, truncated=cut)
        if parsed.files or parsed.patches:
            problems = session.apply(parsed)
            if session.changed:
                turn_ladder.reached(session, "text", edit=True)
            if session.changed and not problems and not cut:
                return f"wrote {', '.join(session.changed)}"
            session.conversation.assistant(text)
            session.conversation.user("\n".join(problems) or load("coder_tools_cut" if cut else "coder_tools_remind"))
            return None
    if cut:
        _go_on(session, state, text, "coder_tools_cut", "answers were cut off at the token limit", Failure.TRUNCATED)
        return None
    if not text:
        thought = answer.reasoning.strip() or answer.text.strip()
        prompt = "coder_tools_think" if thought else "coder_tools_empty"
        failure = Failure.REASONING_ONLY if thought else Failure.EMPTY_ANSWER
        _go_on(session, state, text, prompt, "answers were empty", failure)
        return None
    return _finished(session, state, text, text)


def _finished(session: Session, state: _State, summary: str, said: str) -> str | None:
    """The model says that it is done. Without any edit it is reminded once, then asked in another way."""
    if session.changed or state.shell_edits:
        return summary
    session.model.fault(Failure.NO_ACTION, f"model {session.settings.key!r} talks and calls no tool")
    session.conversation.assistant(said)
    if state.reminded:
        _down(session, state)
        return None
    state.reminded = True
    session.conversation.user(load("coder_tools_remind"))
    return None


def _go_on(session: Session, state: _State, text: str, prompt: str, what: str, failure: Failure) -> None:
    session.conversation.assistant(text)
    if not _strike(session, state, what, failure):
        session.conversation.user(load(prompt))


def _strike(session: Session, state: _State, what: str, failure: Failure) -> bool:
    """Count a turn that led to nothing; whether it was the last of this way of asking."""
    state.strikes += 1
    if session.changed or state.shell_edits:
        if state.strikes > _STRIKES:
            raise _failed(session, f"{what}, {state.strikes} turns in a row", failure)
        return False
    if state.strikes < _STRIKES:
        return False
    _down(session, state)
    return True


def _failed(session: Session, what: str, failure: Failure) -> AttemptFailed:
    return AttemptFailed(f"task {session.brief.task.title!r}: {what}", kind=failure.value)
