"""JSON out of a model's answer: extraction, validation, one corrective round. Builds no prompts of its own roles."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

from lao.core.chat import ChatAnswer, ChatRequest, Model
from lao.core.errors import AttemptFailed
from lao.core.words import Json
from lao.llm.clean import clean
from lao.llm.failures import Failure

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n(.*?)^[ \t]*\1[ \t]*$", re.DOTALL | re.MULTILINE)
_REFUSALS = frozenset({Failure.GRAMMAR_REFUSED.value, Failure.FORMAT_REFUSED.value})
_QUOTED = 1500
_LONGEST_SCHEMA = 2000
_CORRECTION = """Your last answer cannot be used: {problem}
Answer again with the corrected JSON only. No explanation, no Markdown."""


class NotJsonError(ValueError):
    """The text holds no complete JSON value; the message says where it breaks."""


def parse_json(text: str, *, truncated: bool = False) -> Json:
    """The JSON value in ``text``: the whole text, a fenced block, or the longest object or array in prose.

    Args:
        truncated: the answer was cut at the token limit; nothing is repaired then.

    Raises:
        NotJsonError: there is none.
    """
    text = clean(text)
    if not text:
        raise NotJsonError("the answer is empty")
    for candidate in (text, *(m.group(2) for m in _FENCE.finditer(text))):
        value = _loads(candidate)
        if isinstance(value, (dict, list)):
            return value
    found = _outermost(text)
    if found is not None:
        return found
    if truncated:
        raise NotJsonError("the answer was cut off at the token limit before the JSON was complete")
    return _repaired(text)


def _loads(text: str) -> Json:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return _loads(value) if isinstance(value, str) and value.lstrip()[:1] in ("{", "[") else value


def _outermost(text: str) -> Json | None:
    decoder = json.JSONDecoder()
    best: tuple[int, Json] = (0, None)
    at = 0
    for start in re.finditer(r"[{\[]", text):
        if start.start() < at:
            continue
        try:
            value, end = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            if text[start.start()] == "{" and re.match(r"\{\s*\"", text[start.start() :]):
                break  # an object begins here and is broken: its inner parts are not the answer
            continue
        at = end
        if isinstance(value, list) and not any(isinstance(v, dict) for v in value):
            continue  # "[1]" in prose is a footnote
        if value not in ({}, []) and end - start.start() > best[0]:
            best = (end - start.start(), value)
    return best[1]


def _repaired(text: str) -> Json:
    import json_repair

    begin = re.search(r"\{\s*[\"'\w]|\[\s*[\[{\"']", text)
    end = max(text.rfind("}"), text.rfind("]"))
    if begin is None or end < begin.start():
        raise NotJsonError("there is no JSON object in the answer")
    value = json_repair.repair_json(text[begin.start() : end + 1], return_objects=True)
    if not isinstance(value, (dict, list)) or not value:
        raise NotJsonError(_where(text[begin.start() :]))
    return value


def _where(text: str) -> str:
    try:
        json.loads(text)
    except ValueError as error:
        return f"it is not valid JSON ({error})"
    return "there is no JSON object in the answer"


def schema_problem(value: Json, schema: dict[str, Json]) -> str:
    """The most telling violation of ``schema`` as one sentence, or ""."""
    import jsonschema
    from jsonschema.exceptions import best_match

    error = best_match(jsonschema.Draft202012Validator(schema).iter_errors(value))
    if error is None:
        return ""
    where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path)
    return f"at {where.lstrip('.') or 'the top level'}: {error.message[:300]}"


def complete_json(
    model: Model,
    request: ChatRequest,
    schema: dict[str, Json],
    *,
    supports_schema: bool,
    check: Callable[[Json], str] | None = None,
    report: Callable[[Failure, str], None] | None = None,
) -> tuple[Json, ChatAnswer]:
    """Ask for JSON; one corrective message that names the exact problem, then give up.

    Args:
        schema: sent as ``response_format`` when ``supports_schema``; a server that refuses it is asked without.
        check: returns what is wrong with a value ("" when good); without it ``schema`` itself decides.
        report: told of each unusable answer; the model's own ``fault`` when None and it has one.

    Raises:
        AttemptFailed: kind "bad_json"; or what ``model`` raises.
    """
    report = report or getattr(model, "fault", None)
    decide = check or (lambda value: schema_problem(value, schema))
    ask = replace(request, schema=schema if supports_schema else None)
    for last in (False, True):
        answer, ask = _complete(model, ask)
        value, problem = _judge(answer, decide)
        if not problem:
            return value, answer
        ignored = ask.schema is not None and value is None and answer.finish_reason != "length"
        failure = Failure.SCHEMA_IGNORED if ignored else Failure.BAD_JSON
        if report is not None:
            report(failure, f"model {request.model!r}: {problem}")
        if last:
            raise AttemptFailed(
                f"model {request.model!r} gave no usable JSON after one correction: {problem}",
                "Try a larger model, or set supports_json_schema for this role if its server can do it.",
                kind=Failure.BAD_JSON.value,
            )
        message = _CORRECTION.format(problem=problem)
        if ignored:
            message += _form_of(schema)
        ask = replace(ask, messages=(*ask.messages, *correction(answer.text, message)))
    raise AssertionError("unreachable")


def _complete(model: Model, request: ChatRequest) -> tuple[ChatAnswer, ChatRequest]:
    try:
        return model.complete(request), request
    except AttemptFailed as error:
        if error.kind not in _REFUSALS or request.schema is None:
            raise
        plain = replace(request, schema=None)
        return model.complete(plain), plain


def _form_of(schema: dict[str, Json]) -> str:
    """The schema in words, for a server that takes it and does not apply it."""
    text = json.dumps(schema, ensure_ascii=False)
    return f"\nIt must satisfy this JSON Schema: {text}" if len(text) <= _LONGEST_SCHEMA else ""


def _judge(answer: ChatAnswer, check: Callable[[Json], str]) -> tuple[Json, str]:
    # Servers that split off thinking put the JSON of a schema request into the reasoning field now and then.
    text = answer.text if clean(answer.text) else answer.reasoning
    try:
        value = parse_json(text, truncated=answer.finish_reason == "length")
    except NotJsonError as error:
        return None, str(error)
    return value, check(value)


def correction(answer: str, message: str) -> tuple[dict[str, Json], dict[str, Json]]:
    """The two messages that continue a conversation after a bad answer; a long answer is quoted by its beginning."""
    quoted = clean(answer)[:_QUOTED] or "(empty answer)"
    return {"role": "assistant", "content": quoted}, {"role": "user", "content": message}
