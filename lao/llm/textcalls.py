"""Tool calls, whichever way the model wrote them: native ones mended, textual ones salvaged. Runs nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lao.core.chat import ChatAnswer, ToolCall
from lao.core.words import Json
from lao.llm.clean import clean

_TAGGED = re.compile(
    r"<(tool_call|tools|function_call)>\s*(.*?)\s*(?:</\1>|\Z)|\[TOOL_REQUEST\]\s*(.*?)\s*(?:\[END_TOOL_REQUEST\]|\Z)",
    re.DOTALL,
)
_LAST_FENCE = re.compile(r"```[\w-]*[ \t]*\n(?P<body>.*?)\n?```\s*\Z", re.DOTALL)
_XML = re.compile(r"<function=([\w.-]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
_XML_PARAMETER = re.compile(r"<parameter=([\w.-]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_NAMED = re.compile(r"[\[{\s]*\{\s*\"name\"\s*:\s*\"([^\"]+)\"")
_CALLS = re.compile(r"<tool_call>|<tools>|<function_call>|\[TOOL_REQUEST\]|<function=")


@dataclass(frozen=True)
class Calls:
    """What a turn asks for.

    Attributes:
        calls: complete calls in order; a call whose ``arguments`` is None must not be run.
        text: the prose around them.
        salvaged: they were found in the text.
    """

    calls: tuple[ToolCall, ...]
    text: str
    salvaged: bool = False


def read_calls(answer: ChatAnswer, tools: Sequence[Mapping[str, Json]]) -> Calls:
    """The tool calls of ``answer``: the native ones, else those written as text (in the reasoning as a last resort)."""
    schemas = {t["function"]["name"]: t["function"].get("parameters") or {} for t in tools}
    truncated = answer.finish_reason == "length"
    if answer.tool_calls:
        last = len(answer.tool_calls) - 1
        native = tuple(_mended(c, schemas, truncated and n == last) for n, c in enumerate(answer.tool_calls))
        return Calls(native, clean(answer.text))
    text = clean(answer.text)
    found, rest = salvage(text or clean(answer.reasoning), schemas, truncated=truncated)
    return Calls(found, rest if text else "", bool(found))


def salvage(
    text: str, schemas: Mapping[str, Mapping[str, Json]], *, truncated: bool = False
) -> tuple[tuple[ToolCall, ...], str]:
    """Calls written as text, and the text without them.

    Tags count anywhere outside a code fence; bare or fenced JSON only as the whole message or the last fence, since
    elsewhere it may be documentation. The name must be an offered tool's.
    """
    if _CALLS.search(text):
        found = _tagged(text, schemas, truncated)
        if found:
            return tuple(found), text[: _CALLS.search(text).start()].strip()  # type: ignore[union-attr]
    fence = _LAST_FENCE.search(text)
    for body, rest in ((text, ""), *(((fence["body"], text[: fence.start()].strip()),) if fence else ())):
        calls = _plain(body, schemas)
        if calls:
            return tuple(calls), rest
    return (), text


def _tagged(text: str, schemas: Mapping[str, Mapping[str, Json]], truncated: bool) -> list[ToolCall]:
    calls: list[ToolCall] = []
    for match in _TAGGED.finditer(text):
        if text[: match.start()].count("```") % 2 and text[match.end() :].strip(" \n`"):
            continue  # inside a fence, with more to follow: somebody shows how a call looks
        body = (match.group(2) or match.group(3) or "").strip()
        cut = truncated and match.end() == len(text)
        xml = _xml(body, schemas, cut)
        calls += xml or ([] if "<function=" in body else _objects(body, schemas))
    return calls or _xml(text, schemas, truncated)


def _xml(text: str, schemas: Mapping[str, Mapping[str, Json]], truncated: bool) -> list[ToolCall]:
    calls = []
    for match in _XML.finditer(text):
        name = known_name(match.group(1), schemas)
        if not name:
            continue
        cut = truncated and not match.group(0).endswith("</function>")
        raw: dict[str, Json] = dict(_XML_PARAMETER.findall(match.group(2)))
        arguments = (
            None if cut else fit_arguments({k: _typed(k, v, schemas[name]) for k, v in raw.items()}, schemas[name])
        )
        calls.append(ToolCall("", name, arguments, match.group(2)))
    return calls


def _typed(key: str, value: str, schema: Mapping[str, Json]) -> Json:
    if _type_of(key, schema) in ("", "string"):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _plain(body: str, schemas: Mapping[str, Mapping[str, Json]]) -> list[ToolCall]:
    """Calls of a text that is nothing but call objects (one, a list, or several one after another)."""
    body = body.strip()
    fence = re.fullmatch(r"```[\w-]*[ \t]*\n(.*?)\n?```", body, re.DOTALL)
    body = fence.group(1).strip() if fence else body
    if body[:1] not in ("{", "["):
        return []
    values, rest = _values(body)
    if rest:
        return _objects(body, schemas) if _NAMED.match(body) else []
    calls = [_from_value(v, schemas) for v in values]
    return [c for c in calls if c] if all(calls) else []


def _objects(body: str, schemas: Mapping[str, Mapping[str, Json]]) -> list[ToolCall]:
    values, rest = _values(body)
    calls = [c for c in (_from_value(v, schemas) for v in values) if c]
    named = _NAMED.search(rest)
    if named and (name := known_name(named.group(1), schemas)):
        calls.append(ToolCall("", name, None, rest))  # cut or broken: reported, never repaired and run
    return calls


def _values(body: str) -> tuple[list[Json], str]:
    """JSON values one after another, and the text where decoding stopped."""
    decoder = json.JSONDecoder(strict=False)  # raw line breaks in strings are a dialect, not damage
    values: list[Json] = []
    at = 0
    while True:
        at += len(body[at:]) - len(body[at:].lstrip(" \t\r\n,;"))
        try:
            value, at = decoder.raw_decode(body, at)
        except (ValueError, RecursionError):
            return values, body[at:]
        values += value if isinstance(value, list) else [value]


def _from_value(value: Json, schemas: Mapping[str, Mapping[str, Json]]) -> ToolCall | None:
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return None
    name = known_name(value["name"], schemas)
    given = next((value[k] for k in ("arguments", "parameters", "args") if k in value), None)
    if not name or given is None:
        return None
    if isinstance(given, str):
        given = decode_arguments(given)
    arguments = fit_arguments(given, schemas[name]) if isinstance(given, dict) else None
    return ToolCall("", name, arguments, json.dumps(value, ensure_ascii=False))


def known_name(name: str, schemas: Mapping[str, Json]) -> str:
    """The offered tool that ``name`` means (prefixes, harmony marks, case and underscores apart), or ""."""
    name = re.sub(r"<\|.*", "", name).strip().removeprefix("functions.")
    if name in schemas:
        return name
    folded = {re.sub(r"[_\-\s]", "", n).lower(): n for n in schemas}
    return folded.get(re.sub(r"[_\-\s]", "", name).lower(), "")


def decode_arguments(raw: str) -> dict[str, Json] | None:
    """The argument object of a call's text; "" is the empty object; None when it is not an object."""
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw, strict=False)
        if isinstance(value, str):
            value = json.loads(value, strict=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def fit_arguments(arguments: Mapping[str, Json], schema: Mapping[str, Json]) -> dict[str, Json]:
    """Arguments with strings unwrapped or coerced where the schema asks for an object, array, number or boolean."""
    return {key: _fit(value, _type_of(key, schema)) for key, value in arguments.items()}


def _fit(value: Json, wanted: str) -> Json:
    if not isinstance(value, str) or wanted not in ("object", "array", "integer", "number", "boolean"):
        return value
    try:
        decoded = json.loads(value.lower() if wanted == "boolean" else value)
    except (ValueError, RecursionError):
        return value
    types: dict[str, tuple[type, ...]] = {
        "object": (dict,),
        "array": (list,),
        "integer": (int,),
        "number": (int, float),
        "boolean": (bool,),
    }
    if isinstance(decoded, bool) and wanted != "boolean":
        return value
    return decoded if isinstance(decoded, types[wanted]) else value


def _type_of(key: str, schema: Mapping[str, Json]) -> str:
    kind = (schema.get("properties") or {}).get(key, {}).get("type", "")
    return kind if isinstance(kind, str) else ""


def _mended(call: ToolCall, schemas: Mapping[str, Mapping[str, Json]], truncated: bool) -> ToolCall:
    name = known_name(call.name, schemas) or call.name
    arguments = call.arguments
    if truncated and arguments is not None and not call.raw.rstrip().endswith("}"):
        arguments = None
    if arguments is not None and name in schemas:
        arguments = fit_arguments(arguments, schemas[name])
    return replace(call, name=name, arguments=arguments)
