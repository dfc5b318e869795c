"""Faults of tool calls and their arguments, F1 to F12 and F21 to F26: calls that do not arrive as the model meant."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from lao.servers.simulated import scripted_roles
from lao.servers.simulated.faults.forms import (
    Act,
    Case,
    Doing,
    FaultClass,
    arguments,
    message,
    named,
    recalled,
    refusing,
    said,
)
from lao.servers.simulated.request import tokens
from lao.servers.simulated.scenario import Answer, SimCall
from lao.servers.simulated.wire import Form


def xml(call: SimCall) -> str:
    """Qwen's form."""
    given = "".join(f"<parameter={k}>\n{v}\n</parameter>\n" for k, v in arguments(call).items())
    return f"<tool_call>\n<function={call.name}>\n{given}</function>\n</tool_call>"


def hermes(call: SimCall) -> str:
    return f"<tool_call>\n{named(call)}\n</tool_call>"


def pythonic(call: SimCall) -> str:
    given = ", ".join(f"{k}={v!r}" for k, v in arguments(call).items())
    return f"<|tool_call_start|>[{call.name}({given})]<|tool_call_end|>"


def minimax(call: SimCall) -> str:
    given = "".join(f'<parameter name="{k}">{v}</parameter>\n' for k, v in arguments(call).items())
    return f'<minimax:tool_call>\n<invoke name="{call.name}">\n{given}</invoke>\n</minimax:tool_call>'


def fenced(call: SimCall) -> str:
    return f"```json\n{named(call, 2)}\n```"


def harmony(call: SimCall) -> str:
    return f"commentary to=functions.{call.name} json{call.arguments}"


def _written(render: Callable[[SimCall], str]) -> Doing:
    """The calls as text, and none as calls."""

    def act(case: Case) -> Act | None:
        return said("\n".join(map(render, case.calls))) if case.calls else None

    return act


def _if_streamed(doing: Doing) -> Doing:
    return lambda case: doing(case) if case.request.stream else None


def _in_reasoning(case: Case) -> Act | None:
    calls = "\n".join(map(xml, case.calls))
    return said("", reasoning=f"Let me write the file now.\n{calls}") if case.calls else None


def _pair(case: Case) -> tuple[SimCall, ...]:
    """Both calls of a turn in which the model ignores that it should make one only; () when there is one to make."""
    calls = scripted_roles.answer(case.request.with_parallel_calls()).tool_calls if case.calls else ()
    return calls if len(calls) > 1 else ()


def _second_lost(case: Case) -> Act | None:
    pair = _pair(case)
    return Act(Answer(tool_calls=pair[:1])) if pair else None


def _second_in_text(case: Case) -> Act | None:
    pair = _pair(case)
    return Act(Answer("\n".join(map(hermes, pair[1:])), pair[:1])) if pair else None


def _pair_unparsed(case: Case) -> Act | None:
    text = "; ".join(map(named, _pair(case)))
    return refusing(500, message(f"Failed to parse input at pos 94: ; {text}"))(case) if text else None


def _same_index(index: str) -> Doing:
    def act(case: Case) -> Act | None:
        pair = _pair(case)
        return Act(Answer(tool_calls=pair), form=Form(index=index)) if pair and case.request.stream else None

    return act


def _other_reason(case: Case) -> Act:
    return Act(replace(case.answer, finish_reason="stop" if case.calls else "tool_calls"))


def _unparsed(text: str) -> Doing:
    return refusing(500, message(text), lambda case: bool(case.calls))


def _name_with_mark(case: Case) -> Act | None:
    return recalled(case, lambda c: replace(c, name=f"{c.name}<|channel|>commentary"))


def _about_calls(shown: str) -> Doing:
    """Words about a call in the place of the closing words; run, it would spoil the first file."""

    def act(case: Case) -> Act | None:
        made = [a for name, a in case.request.calls_made if name == "file_write" and a.get("path")]
        if case.calls or not made or not case.request.tools:
            return None
        spoilt = {"path": made[0]["path"], "content": "This is an example.\n"}
        example = hermes(SimCall("file_write", json.dumps(spoilt)))
        return said(shown.format(example=example))

    return act


def _no_tools(case: Case) -> Act | None:
    text = f"registry.ollama.ai/library/{case.request.model} does not support tools"
    return refusing(400, {"error": {"message": text, "type": "api_error"}})(case) if case.request.tools else None


def _tools_not_shown(case: Case) -> Act | None:
    text = "The file seems to contain a short module with two functions. Both look right to me, so nothing is left."
    return said(text) if case.request.tools and case.calls else None


def _twice_encoded(case: Case) -> Act | None:
    return recalled(case, lambda c: replace(c, arguments=json.dumps(c.arguments)))


def _cut_text(case: Case, text: str) -> str:
    """A beginning of ``text``, not less than a third of it."""
    return text[: case.dice.randrange(max(1, len(text) // 3), max(2, len(text) - 2))]


def _cut_arguments(finish: str) -> Doing:
    def act(case: Case) -> Act | None:
        found = recalled(case, lambda c: replace(c, arguments=_cut_text(case, c.arguments)))
        return found and replace(found, answer=replace(found.answer or case.answer, finish_reason=finish))

    return act


def _cut_and_closed(finish: str) -> Doing:
    """The longest argument is cut and the server closes the JSON: it decodes, and is not what the model meant."""

    def shorten(case: Case, call: SimCall) -> SimCall:
        given = arguments(call)
        longest = max((k for k, v in given.items() if isinstance(v, str)), key=lambda k: len(given[k]))
        return replace(call, arguments=json.dumps({**given, longest: _cut_text(case, given[longest])}))

    def act(case: Case) -> Act | None:
        found = recalled(case, lambda c: shorten(case, c))
        if found is None:
            return None
        answer = replace(found.answer or case.answer, finish_reason=finish)
        return Act(answer, form=Form(completion_tokens=case.request.max_tokens or tokens(case.calls[0].arguments)))

    return act


def _renamed(*names: str) -> Doing:
    return lambda case: recalled(case, lambda c: replace(c, name=case.dice.choice(names).format(name=c.name)))


def _camel(case: Case) -> Act | None:
    return recalled(case, lambda c: replace(c, name="".join(w.title() for w in c.name.split("_"))))


def _without_first(case: Case) -> Act | None:
    return recalled(case, lambda c: replace(c, arguments=json.dumps(dict(list(arguments(c).items())[1:]))))


def _wrong_type(case: Case) -> Act | None:
    """The last argument as an object where a text is asked for."""

    def change(call: SimCall) -> SimCall:
        given = arguments(call)
        return replace(call, arguments=json.dumps({**given, list(given)[-1]: {"value": 1}})) if given else call

    return recalled(case, change)


def _empty_arguments(case: Case) -> Act | None:
    return recalled(case, lambda c: replace(c, arguments=""))


def _needless(case: Case) -> Act | None:
    """A call without need, with a boolean and a number as texts and nothing that is required."""
    if "list_dir" not in case.request.tools or not case.calls:
        return None
    return Act(Answer(tool_calls=(SimCall("list_dir", '{"path": ".", "recursive": "true", "depth": "2"}'),)))


def _marked(pattern: str) -> Doing:
    return lambda case: recalled(case, lambda c: replace(c, arguments=pattern.format(arguments=c.arguments)))


def _marked_id(case: Case) -> Act | None:
    return Act(form=Form(call_id="call_<|channel|>analysis<|end|>")) if case.calls else None


CLASSES = (
    FaultClass("F1", "a call as fenced JSON in the content", (_written(fenced), _written(named))),
    FaultClass(
        "F2",
        "a call as text of the model's family in the content",
        (
            _written(xml),
            _written(hermes),
            _written(lambda c: f"<tools>\n{named(c)}\n</tools>"),
            _written(lambda c: f"[TOOL_CALL]\n{named(c)}\n[/TOOL_CALL]"),
            _written(lambda c: f"[TOOL_REQUEST]\n{named(c)}\n[END_TOOL_REQUEST]"),
            _written(lambda c: f"[TOOL_CALLS][{named(c)}]"),
            _written(pythonic),
            _written(minimax),
        ),
    ),
    FaultClass("F3", "streamed, a call arrives as text; not streamed, as a call", (_if_streamed(_written(xml)),)),
    FaultClass("F4", "prose around the call", (_written(lambda c: f"I will write the file.\n{hermes(c)}"),)),
    FaultClass("F5", "the call inside the reasoning", (_in_reasoning,)),
    FaultClass("F6", "the second call of a pair lost", (_second_lost, _second_in_text, _pair_unparsed)),
    FaultClass("F7", "all streamed calls have index 0, or none", (_same_index("zero"), _same_index("none"))),
    FaultClass("F8", "the finish reason contradicts the content", (_other_reason,)),
    FaultClass(
        "F9",
        "status 500 for what the server could not parse",
        (
            _unparsed("Failed to parse input at pos 1360: <tool_call>\n <function=write>..."),
            _unparsed("The model produced output that does not match the expected peg-native format"),
        ),
    ),
    FaultClass("F10", "harmony leaks", (_written(harmony), _name_with_mark)),
    FaultClass(
        "F11",
        "text that only talks about a call",
        (
            _about_calls("The work is done. A tool is called like this:\n\n```\n{example}\n```\n\nNothing is left."),
            _about_calls("Models of this kind write {example} into their answers. The work itself is done."),
        ),
    ),
    FaultClass("F12", "no tool support", (_no_tools, _tools_not_shown)),
    FaultClass("F21", "arguments encoded twice", (_twice_encoded,)),
    FaultClass(
        "F22",
        "arguments cut off",
        (
            _cut_arguments("length"),
            _cut_arguments("tool_calls"),
            _cut_and_closed("length"),
            _cut_and_closed("tool_calls"),
        ),
    ),
    FaultClass(
        "F24",
        "a wrong tool name",
        (_camel, _renamed("functions.{name}"), _renamed("write_file", "create_file"), _renamed("ProxyWrite", "act")),
    ),
    FaultClass("F25", "wrong types or missing arguments", (_without_first, _wrong_type, _empty_arguments, _needless)),
    FaultClass(
        "F26",
        "control tokens in arguments or ids",
        (_marked("<|message|>{arguments}<|call|>"), _marked("{arguments}<|im_end|>\n<|im_start|>"), _marked_id),
    ),
)
