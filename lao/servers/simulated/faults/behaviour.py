"""Faults of behaviour, F42 to F48: the model thinks, talks, repeats itself or lies where it should act."""

from __future__ import annotations

import json
from dataclasses import replace

from lao.servers.simulated.faults.forms import Act, Case, Doing, FaultClass, arguments, recalled, said
from lao.servers.simulated.scenario import Answer, SimCall

_TALK = (
    "To do this task one should think about the structure of the module. It needs two functions with type hints. "
    "The first one returns a value, and the second one returns the end. Both are short. I would write them one below "
    "the other and give each of them a docstring. Would you like me to go on?"
)
_CLAIM = "I have written the file with both functions, ran the command, and it passed. The task is complete."
_INVENTED = "Calling the tool now.\n\nTool result: 1 file written, exit status 0.\n\nEverything works as asked."
_STUB = "raise NotImplementedError\n"


def _only_thinks(finish: str) -> Doing:
    return lambda _case: said("", reasoning="I need to look at this carefully before I act. " * 4, finish=finish)


def _instead_of_work(text: str) -> Doing:
    """Words where a file was due."""

    def act(case: Case) -> Act | None:
        return said(text) if case.calls or case.answer.text.startswith("FILE: ") else None

    return act


def _same_again(case: Case) -> Act | None:
    made = case.request.calls_made
    if not made or not case.request.tools:
        return None
    name, given = made[-1]
    return Act(Answer(tool_calls=(SimCall(name, json.dumps(given, ensure_ascii=False)),)))


def _to_and_fro(*others: SimCall) -> Doing:
    """Calls that lead nowhere, one after the other."""

    def act(case: Case) -> Act | None:
        if not case.request.tools or not {c.name for c in others} <= case.request.tools:
            return None
        return Act(Answer(tool_calls=(others[len(case.request.calls_made) % len(others)],)))

    return act


def _token_loop(piece: str, *, thinking: bool = False) -> Doing:
    def act(case: Case) -> Act:
        text = piece * (case.runaway // len(piece))
        return said("", reasoning=text, finish="length") if thinking else said(text, finish="length")

    return act


def _stub_and_claim(case: Case) -> Act | None:
    """A file that does nothing; the claim follows with the next turn."""

    def change(call: SimCall) -> SimCall:
        return replace(call, arguments=json.dumps({**arguments(call), "content": _STUB}))

    if case.answer.text.startswith("FILE: "):
        path = case.answer.text.splitlines()[0]
        return said(f"{path}\n```python\n{_STUB}```\n\n{_CLAIM}")
    return recalled(case, change) if all(c.name == "file_write" for c in case.calls) else None


def _edit_of_nothing(case: Case) -> Act | None:
    """An edit whose old lines are not in the file."""
    if case.answer.text.startswith("FILE: "):
        path = case.answer.text.splitlines()[0]
        block = (
            "<<<<<<< SEARCH\ndef nowhere(self):\n    pass\n=======\ndef nowhere(self):\n    return 1\n>>>>>>> REPLACE"
        )
        return said(f"{path}\n{block}")
    if not case.calls or "file_patch" not in case.request.tools:
        return None

    def change(call: SimCall) -> SimCall:
        edit = {"path": arguments(call).get("path", "a.py"), "search": "def nowhere(self):", "replace": "def here():"}
        return SimCall("file_patch", json.dumps(edit))

    return recalled(case, change)


def _rest_unchanged(case: Case) -> Act | None:
    """The file with a placeholder in the place of its second half."""
    if case.answer.text.startswith("FILE: "):
        lines = case.answer.text.splitlines()
        return said("\n".join([*lines[: len(lines) // 2 + 1], "# ... rest of the code unchanged ...", lines[-1]]))

    def change(call: SimCall) -> SimCall:
        given = arguments(call)
        lines = str(given.get("content", "")).splitlines()
        kept = [*lines[: len(lines) // 2], "# ... rest of the code unchanged ..."]
        return replace(call, arguments=json.dumps({**given, "content": "\n".join(kept) + "\n"}))

    return recalled(case, change) if all(c.name == "file_write" for c in case.calls) else None


CLASSES = (
    FaultClass("F42", "reasoning and nothing else", (_only_thinks("stop"), _only_thinks("length"))),
    FaultClass("F43", "text instead of an action", (_instead_of_work(_TALK),)),
    FaultClass(
        "F44",
        "the same call again and again",
        (_same_again, _to_and_fro(SimCall("list_dir", '{"path": "."}'), SimCall("task_todo_get", "{}"))),
    ),
    FaultClass(
        "F45",
        "the same tokens again and again",
        (
            _token_loop("the next step is to "),
            _token_loop("I should check the file once more. Let me see what it says.\n"),
            _token_loop("Wait, let me think about that again. ", thinking=True),
        ),
    ),
    FaultClass(
        "F46",
        "success is claimed without the work",
        (_instead_of_work(_CLAIM), _instead_of_work(_INVENTED), _stub_and_claim),
    ),
    FaultClass("F47", "an edit that does not match, or a placeholder", (_edit_of_nothing, _rest_unchanged)),
    FaultClass("F48", "the result of a tool is not understood", (_same_again,)),
)
