"""The coder with tools: the loop of calls and results, its reminders and its limits."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from lao.agents.coder_session import Session
from lao.agents.prompt import load
from lao.core.chat import ChatAnswer, ToolCall
from lao.core.errors import AttemptFailed
from lao.llm.clean import clean
from lao.llm.textcalls import Calls, read_calls
from lao.llm.textfiles import read_files

_REPEATS = 3
_STRIKES = 3
_BAD_ARGUMENTS = (
    "Error: the arguments of {name} were not a complete JSON object and nothing was done. "
    "Send the call again with valid JSON; write less in one call if it was cut off."
)
_SHELL_EDIT = re.compile(
    r">|\bsed\s+(?:-\w+\s+)*-i|\b(?:tee|patch|mv|cp|rm|touch|mkdir|truncate|git\s+(?:apply|mv|rm))\b"
)


@dataclass
class _State:
    strikes: int = 0
    reminded: bool = False
    shell_edits: bool = False
    last: str = ""
    repeats: int = 0


def run(session: Session, max_turns: int) -> str:
    """Ask, run the calls, append their results, until an answer without a call; returns that answer's text.

    Raises:
        AttemptFailed: kinds "no_edit", "loop", "truncated", "empty_answer", "turn_limit".
    """
    state = _State()
    while session.turns < max_turns:
        answer = session.ask()
        calls = read_calls(answer, session.tools)
        if calls.calls:
            _run_calls(session, state, calls)
            continue
        finished = _without_calls(session, state, answer)
        if finished is not None:
            return finished
    raise _failed(session, f"not finished after {max_turns} turns", "turn_limit")


def _run_calls(session: Session, state: _State, calls: Calls) -> None:
    ids = session.conversation.calls("" if calls.salvaged else calls.text, calls.calls)
    done = 0
    for call_id, call in zip(ids, calls.calls, strict=True):
        text, ran = _run_call(session, state, call)
        done += ran
        session.conversation.result(call_id, text)
    if done:
        state.strikes = 0
    else:
        _strike(session, state, "its tool calls could not be run", "truncated")


def _run_call(session: Session, state: _State, call: ToolCall) -> tuple[str, bool]:
    print_of_call = json.dumps([call.name, call.arguments or call.raw], sort_keys=True, default=str)
    state.repeats = state.repeats + 1 if print_of_call == state.last else 1
    state.last = print_of_call
    if state.repeats > _REPEATS:
        raise _failed(session, f"the model made the same call of {call.name!r} {state.repeats} times in a row", "loop")
    if call.arguments is None:
        return _BAD_ARGUMENTS.format(name=call.name), False
    if state.repeats == _REPEATS:
        return load("coder_tools_repeat", count=str(_REPEATS)), True
    text, ok = session.call(call.name, call.arguments)
    if ok and call.name in ("file_write", "file_patch") and isinstance(call.arguments.get("path"), str):
        session.note(call.arguments["path"].removeprefix("./"), ok)
    if ok and call.name == "shell_exec" and _SHELL_EDIT.search(str(call.arguments.get("command", ""))):
        state.shell_edits = True
    return text, True


def _without_calls(session: Session, state: _State, answer: ChatAnswer) -> str | None:
    """What an answer without calls means: the summary when the work is done, else None after a message to the model."""
    text = clean(answer.text)
    if answer.finish_reason == "length":
        _go_on(session, state, text, "coder_tools_cut", "answers were cut off at the token limit", "truncated")
        return None
    if not session.changed:
        # Many models write the file into the answer instead of calling the tool; after a first write it may be a quote.
        parsed = read_files(text, session.brief.task.file_paths)
        if parsed.files or parsed.patches:
            problems = session.apply(parsed)
            if session.changed and not problems:
                return f"wrote {', '.join(session.changed)}"
            session.conversation.assistant(text)
            session.conversation.user("\n".join(problems) or load("coder_tools_remind"))
            return None
    if not text:
        _go_on(session, state, text, "coder_tools_empty", "answers were empty", "empty_answer")
        return None
    if session.changed or state.shell_edits:
        return text
    if state.reminded:
        raise _failed(session, "the model ended without writing a file", "no_edit")
    state.reminded = True
    session.conversation.assistant(text)
    session.conversation.user(load("coder_tools_remind"))
    return None


def _go_on(session: Session, state: _State, text: str, prompt: str, what: str, kind: str) -> None:
    _strike(session, state, what, kind)
    session.conversation.assistant(text)
    session.conversation.user(load(prompt))


def _strike(session: Session, state: _State, what: str, kind: str) -> None:
    state.strikes += 1
    if state.strikes >= _STRIKES:
        raise _failed(session, f"{what}, {state.strikes} turns in a row", kind)


def _failed(session: Session, what: str, kind: str) -> AttemptFailed:
    return AttemptFailed(f"task {session.brief.task.title!r}: {what}", kind=kind)
