"""Faults of the context and the template, F23 and F27 to F41: prompts too long, forms refused, marks left over."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

from lao.core.words import Json
from lao.servers.simulated.faults.forms import Act, Case, Doing, FaultClass, is_json, message, refusing, said
from lao.servers.simulated.scenario import Answer, Fault, SimCall
from lao.servers.simulated.wire import Form

_MISTRAL_ID = re.compile(r"[A-Za-z0-9]{9}")
_TRUNCATED_TO = 2051
_HUGE = 20_000
_OVERFLOWS = (
    "request ({prompt} tokens) exceeds the available context size ({context} tokens), try increasing it",
    "The number of tokens to keep from the initial prompt is greater than the context length (n_keep: {prompt}>= "
    "n_ctx: {context}). Try to load the model with a larger context length, or provide a shorter input.",
    "Trying to keep the first {prompt} tokens when context the overflows. However, the model is loaded with context "
    "length of only {context} tokens, which is not enough. Try to load the model with a larger context length, or "
    "provide a shorter input",
    "Cannot truncate prompt with n_keep ({prompt}) >= n_ctx ({context})",
    "Context size has been exceeded",
    "the prompt is longer than the context length currently available to the model; shorten it",
    "This model's maximum context length is {context} tokens. However, you requested {prompt} tokens. Please "
    " reduce the length of the messages.",
)


def overflow_text(number: int, prompt: int, context: int) -> str:
    """One of the texts in which servers say that a prompt is too long."""
    return _OVERFLOWS[number % len(_OVERFLOWS)].format(prompt=prompt, context=context)


def _too_long(case: Case) -> bool:
    return case.request.prompt_tokens > case.small_context


def _overflow(number: int) -> Doing:
    def act(case: Case) -> Act | None:
        text = overflow_text(number, case.request.prompt_tokens, case.small_context)
        return refusing(400, message(text, 400, "exceed_context_size_error"))(case) if _too_long(case) else None

    return act


def _silently_truncated(case: Case) -> Act | None:
    """The beginning is gone, and the tools with it: the model chats."""
    if not _too_long(case):
        return None
    answer = Answer("That is an interesting text. What would you like to know about it?", finish_reason="stop")
    return Act(answer, form=Form(prompt_tokens=min(_TRUNCATED_TO, case.small_context)))


def _nothing(case: Case) -> Act | None:
    """Status 200, usage, no text."""
    if not _too_long(case):
        return None
    form = Form(bare=True, prompt_tokens=case.small_context - 1)
    return Act(Answer(finish_reason="stop"), form=form)


def _garbage(case: Case) -> Act | None:
    """After a huge tool result; without one the model asks for one first."""
    results = [str(m.get("content") or "") for m in case.request.messages if m.get("role") == "tool"]
    if any(len(text) > _HUGE for text in results):
        return said('Bee<|"|> extraar zerod toara/? <|"|>lis ,,,, {"no')
    if not case.calls or "shell_exec" not in case.request.tools or results:
        return None
    return Act(Answer(tool_calls=(SimCall("shell_exec", '{"command": "seq 1 20000"}'),)))


def _not_alternating(case: Case) -> bool:
    roles = [m.get("role") for m in case.request.messages if m.get("role") in ("user", "assistant")]
    plain = [m for m in case.request.messages if not m.get("tool_calls") and m.get("role") != "tool"]
    spoken = [m.get("role") for m in plain if m.get("role") != "system"]
    return any(a == b == "user" for a, b in pairwise(spoken)) or roles[:1] == ["assistant"]


def _has_system(case: Case) -> bool:
    return any(m.get("role") in ("system", "developer") for m in case.request.messages)


def _odd_tool_schema(value: Json) -> bool:
    """Type lists, alternatives, and properties with the names of a template's own functions."""
    if isinstance(value, list):
        return any(map(_odd_tool_schema, value))
    if not isinstance(value, dict):
        return False
    names = value.get("properties")
    odd = isinstance(value.get("type"), list) or "anyOf" in value
    odd = odd or (isinstance(names, dict) and bool({"items", "keys", "values", "get"} & set(names)))
    return odd or any(map(_odd_tool_schema, value.values()))


def _template_crash(text: str) -> Doing:
    """Status 200 and one error event, as LM Studio does it."""

    def act(case: Case) -> Act | None:
        if not _odd_tool_schema(case.request.body.get("tools")):
            return None
        return Act(fault=Fault("error_event", body={"error": {"message": f"Error rendering prompt: {text}"}}))

    return act


def _without_content(case: Case) -> bool:
    said_by_model = [m for m in case.request.messages if m.get("role") == "assistant"]
    return any(m.get("content") is None for m in said_by_model)


def _bad_arguments(case: Case) -> bool:
    return case.request.has_broken_arguments


def _odd_id(case: Case) -> Act | None:
    odd = next((i for i in case.request.call_ids if not _MISTRAL_ID.fullmatch(i)), None)
    if odd is None:
        return None
    text = f"Tool call id was {odd} but must be a-z, A-Z, 0-9, with a length of 9."
    return refusing(500, message(text))(case)


def _thinking(before: str, after: str = "") -> Doing:
    """Thoughts in the text. They hold a draft that must not be taken for the answer."""

    def act(case: Case) -> Act | None:
        if case.calls:
            return None
        draft = '{"verdict": "REJECTED", "tasks": [], "findings": [], "summary": "a draft"}' if is_json(case) else ""
        return Act(replace(case.answer, text=before.format(draft=draft) + case.answer.text + after))

    return act


def _half_thought_with_calls(case: Case) -> Act | None:
    return Act(replace(case.answer, text="<think>I should write the file and then")) if case.calls else None


def _ended_by(mark: str) -> Doing:
    return lambda case: Act(replace(case.answer, text=case.answer.text + mark)) if case.answer.text else None


CLASSES = (
    FaultClass(
        "F23",
        "bad arguments in the history are refused",
        (
            refusing(
                500,
                message(
                    "Failed to parse tool call arguments as JSON: [json.exception.parse_error.101] parse error at line "
                    "1, column 9: syntax error while parsing value - invalid literal"
                ),
                _bad_arguments,
            ),
        ),
    ),
    FaultClass("F27", "ids of calls are refused", (_odd_id,)),
    FaultClass("F28", "the prompt is truncated silently", (_silently_truncated,)),
    FaultClass(
        "F29", "the only user turn is dropped", (refusing(500, message("no user query found in messages"), _too_long),)
    ),
    FaultClass("F30", "the prompt is too long", tuple(_overflow(n) for n in range(len(_OVERFLOWS)))),
    FaultClass("F31", "status 200 without a word when the prompt is too long", (_nothing,)),
    FaultClass("F32", "garbage after a huge tool result", (_garbage,)),
    FaultClass("F34", "the prompt cache is thrown away", (lambda _case: Act(form=Form(cached=False)),)),
    FaultClass(
        "F35",
        "roles must alternate",
        (
            refusing(
                500,
                message(
                    "Error rendering prompt with jinja template: Jinja Exception: After the optional system message, "
                    "conversation roles must alternate user and assistant roles except for tool calls and results."
                ),
                _not_alternating,
            ),
        ),
    ),
    FaultClass(
        "F36",
        "the system role is refused",
        (
            refusing(500, message("Only user, assistant and tool roles are supported, got system!"), _has_system),
            refusing(400, message("Jinja Exception: System role not supported", 400), _has_system),
        ),
    ),
    FaultClass(
        "F37",
        "features of a tool's schema crash the template",
        (
            _template_crash('Cannot apply filter "upper" to type: UndefinedValue'),
            _template_crash("Unknown (built-in) filter 'upper' for type Array"),
            _template_crash("Cannot call something that is not a function: got ObjectValue"),
        ),
    ),
    FaultClass(
        "F38",
        "a content of null is refused",
        (
            refusing(
                400,
                {"error": "Invalid 'content': 'content' field must be a string or an array of objects."},
                _without_content,
            ),
            refusing(
                500, message("Assistant message must contain either 'content' or 'tool_calls'!"), _without_content
            ),
        ),
    ),
    FaultClass(
        "F39",
        "thoughts in broken tags",
        (
            _thinking("I'll look at it first. {draft}\n</think>\n"),
            _thinking("<think>\nFirst a draft: {draft}\n</think>\n\n"),
            _thinking("<think>half</think> more {draft}</think>\n"),
            _half_thought_with_calls,
        ),
    ),
    FaultClass(
        "F40",
        "stop tokens in the text",
        (_ended_by("<|im_end|>"), _ended_by("\n<end_of_turn>" * 3), _ended_by("<|im_end|>\n<|im_start|>" * 20)),
    ),
    FaultClass(
        "F41",
        "an internal mark of the server leaks",
        (_ended_by("__LM_STUDIO_INTERNAL_LSEP_SYNTHETIC_REASONING_END_3f9a__{}"),),
    ),
)
