"""Faults of structured output, F13 to F20: a schema that is refused, ignored, answered elsewhere or half."""

from __future__ import annotations

import json
from dataclasses import replace

from lao.core.words import Json
from lao.servers.simulated.faults.forms import Act, Case, Doing, FaultClass, is_json, message, refusing, said

_FEATURES = frozenset(
    (
        "pattern", "format", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "$ref", "oneOf",
        "anyOf", "allOf", "default",
    )
)  # fmt: skip


def _has_schema(case: Case) -> bool:
    return case.request.schema is not None


def _in_prose(case: Case) -> Act | None:
    """What was to be JSON, in words."""
    if not _has_schema(case) or not is_json(case):
        return None
    titles = [str(t.get("title", "")) for t in json.loads(case.answer.text).get("tasks", [])]
    listed = "\n".join(f"{n}. **{title}**" for n, title in enumerate(titles, 1))
    return said(f"The plan has these steps:\n\n{listed}" if titles else "The change seems to do what is asked for.")


def _in_reasoning(case: Case) -> Act | None:
    return said("", reasoning=case.answer.text) if _has_schema(case) and is_json(case) else None


def _not_applied(text: str) -> Doing:
    return lambda case: said(text) if _has_schema(case) else None


def _uncompilable(case: Case) -> bool:
    """Old engines stumble over any response schema, newer ones over a feature of a schema or of a tool."""
    return _has_schema(case) or bool(_FEATURES & set(_keys(case.request.body.get("tools"))))


def _keys(value: Json) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(k for v in value.values() for k in _keys(v))]
    return [k for v in value for k in _keys(v)] if isinstance(value, list) else []


def _blank_to_the_limit(case: Case) -> Act | None:
    if not is_json(case):
        return None
    text = case.answer.text
    begun = text[: case.dice.randrange(8, max(9, min(60, len(text) - 1)))]
    return said(begun + "  \n" * (case.runaway // 3), finish="length")


def _blank_after_the_end(case: Case) -> Act | None:
    """Complete, then line breaks to the limit."""
    return said(case.answer.text + "\n" * case.runaway, finish="length") if is_json(case) else None


def _cut(finish: str, *, code: bool = False) -> Doing:
    """The answer's text breaks off; a file in plain text only with the reason "length", for nothing else tells."""

    def act(case: Case) -> Act | None:
        text = case.answer.text
        if case.calls or not (text.startswith("FILE: ") if code else is_json(case)):
            return None
        return said(text[: case.dice.randrange(len(text) // 3, len(text) - 4)], finish=finish)

    return act


def _wrapped(before: str, after: str) -> Doing:
    def act(case: Case) -> Act | None:
        if not is_json(case):
            return None
        return Act(replace(case.answer, text=f"{before}```json\n{case.answer.text}\n```{after}"))

    return act


CLASSES = (
    FaultClass("F13", "the schema is ignored", (_in_prose, _wrapped("", ""))),
    FaultClass("F14", "the JSON is in the reasoning field", (_in_reasoning,)),
    FaultClass(
        "F15",
        "the name of the format is refused",
        (refusing(400, {"error": "'response_format.type' must be 'json_schema' or 'text'"}, _has_schema),),
    ),
    FaultClass(
        "F16",
        "the schema is accepted and not applied",
        (
            _not_applied('{"type": "string", "description": "The answer to the question"}'),
            _not_applied('{"answer": "Yes, that can be done.", "confidence": 0.9}'),
        ),
    ),
    FaultClass(
        "F17",
        "no grammar can be built",
        (
            refusing(400, message("Failed to initialize samplers: failed to parse grammar", 400), _uncompilable),
            refusing(
                400,
                message(
                    "Unable to generate parser for this template. Automatic parser generation failed: JSON schema "
                    "error at #/properties/mode: cannot resolve $ref #/$defs/mode",
                    400,
                ),
                _uncompilable,
            ),
        ),
    ),
    FaultClass("F18", "blanks to the token limit", (_blank_to_the_limit, _blank_after_the_end)),
    FaultClass("F19", "the text is cut off", (_cut("length"), _cut("stop"), _cut("length", code=True))),
    FaultClass(
        "F20",
        "JSON in Markdown and chatter",
        (
            _wrapped("Here is the JSON:\n", ""),
            _wrapped("Sure! ", "\n\nLet me know if you need anything else, such as {more} or [other] things."),
        ),
    ),
)
