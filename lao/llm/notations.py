"""One call at one place of a text, in each notation: JSON, XML-like marks, Python, a name before an object."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lao.core.words import Json
from lao.llm.offered import unique_keys


@dataclass(frozen=True)
class Written:
    """A call as it stands in a text.

    Attributes:
        arguments: an object, the text of one, or None when the call is cut or broken and must not be run.
        form: "tagged" (marks say that it is a call), "fenced" or "bare".
        loose: the object has no part of its own for the arguments; plain data may look like this.
    """

    name: str
    arguments: Json
    start: int
    end: int
    form: str = ""
    loose: bool = False


@dataclass(frozen=True)
class Cut:
    """A call begins here and is cut off or broken; ``name`` is "" when that much cannot be read."""

    name: str = ""


CUT: Final = Cut()

_NAMES: Final = ("name", "tool", "tool_name", "function", "function_name", "action")
_ARGUMENTS: Final = ("arguments", "parameters", "args", "input", "tool_input", "action_input", "params", "kwargs")
_ENVELOPE: Final = frozenset({"id", "type", "index", "call_id", "tool_call_id"})
_NAMED = re.compile(
    r"[\[{\s]*(?:\"(?:type|id|function|tool_calls)\"\s*:\s*(?:\"[^\"]*\"\s*,\s*|[\[{\s]+))*"
    r"\"(?:name|tool|tool_name|function|action)\"\s*:\s*\"([^\"]+)\""
)
_FUNCTION = re.compile(r"<function(?:=|\s+name=)[\"']?([\w.:-]+)[\"']?\s*>")
_INVOKE = re.compile(r"<invoke\s+name=[\"']?([\w.:-]+)[\"']?\s*>")
_PARAMETER = re.compile(r"\s*<parameter(?:=|\s+name=)[\"']?([\w.:-]+)[\"']?[^>\n]*>(.*?)</parameter>", re.DOTALL)
_INNER = re.compile(
    r"<parameter(?:=|\s+name=)|<function(?:=|\s+name=)|<invoke\s+name=|</?tool_call>|</function>|</invoke>"
)
_PAIR = re.compile(r"\s*<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)
_PREFIXED = re.compile(
    r"(?:function<｜tool▁sep｜>)?(?:functions\.)?([A-Za-z_][\w.-]*)(?::\d+)?\s*"
    r"(?:\[CALL_ID\]\w+|\[ARGS\]|<\|tool_call_argument_begin\|>|<｜tool▁sep｜>|```(?:json)?\s)*\s*(?=\{)"
)
_CLOSING_FENCE = re.compile(r"\s*```")
_CALLED = re.compile(r"\[?\s*([A-Za-z_][\w.]*)\(")


def json_unit(text: str, at: int, name: str) -> list[Written] | Cut | None:
    """The call object, or list of them, at ``at``; with ``name`` given the object is the arguments.

    None when a whole JSON value stands there that is no call.
    """
    decoder = json.JSONDecoder(strict=False, object_pairs_hook=unique_keys)
    try:
        value, end = decoder.raw_decode(text, at)
    except (ValueError, RecursionError):
        named = _NAMED.match(text, at)
        return Cut(name or (named.group(1) if named else ""))
    if name:
        return [Written(name, value, at, end)]
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        value = value["tool_calls"]
    calls = [_from_value(v, at, end) for v in (value if isinstance(value, list) else [value])]
    return [c for c in calls if c] if calls and all(calls) else None


def _from_value(value: Json, start: int, end: int) -> Written | None:
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict):
        return None
    key = next((k for k in _NAMES if isinstance(value.get(k), str)), "")
    if not key:
        return _keyed(value, start, end)
    given = next((value[k] for k in _ARGUMENTS if k in value), None)
    if given is None:
        flat = {k: v for k, v in value.items() if k != key and k not in _ENVELOPE}
        return Written(value[key], flat, start, end, loose=True)
    if isinstance(given, Mapping) and given.get("type") == "object" and "properties" in given:
        return None  # the description of a tool
    return Written(value[key], given, start, end)


def _keyed(value: Mapping[str, Json], start: int, end: int) -> Written | None:
    """``{"file_read": {"path": …}}``."""
    if len(value) != 1:
        return None
    ((name, given),) = value.items()
    return Written(name, given, start, end, loose=True) if isinstance(given, dict) and given else None


def marked_unit(text: str, at: int) -> list[Written] | Cut | None:
    """``<function=f><parameter=p>v</parameter></function>``, the same with ``<invoke name="f">``, or JSON inside."""
    for opening, close in ((_FUNCTION, "</function>"), (_INVOKE, "</invoke>")):
        match = opening.match(text, at)
        if match:
            return _parameters(text, match, close, at)
    return None


def _parameters(text: str, opening: re.Match[str], close: str, start: int) -> list[Written] | Cut:
    at = opening.end()
    name = opening.group(1)
    body = re.compile(r"\s*").match(text, at)
    given: dict[str, Json] | None = {}
    if body and text.startswith("{", body.end()):
        unit = json_unit(text, body.end(), name)
        if not isinstance(unit, list):
            return Cut(name)
        given, at = unit[0].arguments, unit[0].end
    else:
        while parameter := _PARAMETER.match(text, at):
            key, value = parameter.group(1), parameter.group(2)
            if _INNER.search(value) or (given is not None and key in given):
                return Cut(name)  # where it ends cannot be known
            if given is not None:
                given[key] = value[1:].removesuffix("\n") if value.startswith("\n") else value
            at = parameter.end()
    ending = re.compile(rf"\s*(?:{re.escape(close)}|(?=</tool_call>))").match(text, at)
    return [Written(name, given, start, ending.end())] if ending else Cut(name)


def named_unit(text: str, at: int) -> list[Written] | Cut | None:
    """A name before its arguments, as some families have it inside their marks."""
    if match := _PREFIXED.match(text, at):
        unit = json_unit(text, match.end(), match.group(1))
        if isinstance(unit, list) and "```" in match.group(0):
            closing = _CLOSING_FENCE.match(text, unit[0].end)
            return [Written(unit[0].name, unit[0].arguments, at, closing.end())] if closing else CUT
        return unit
    head = re.compile(r"([A-Za-z_][\w.-]*)\s*(?=<arg_key>|</tool_call>)").match(text, at)
    if head is None:
        return None
    given: dict[str, Json] = {}
    end = head.end()
    while pair := _PAIR.match(text, end):
        given[pair.group(1).strip()] = pair.group(2)
        end = pair.end()
    closed = re.compile(r"\s*(?=</tool_call>)").match(text, end)
    return [Written(head.group(1), given, at, closed.end())] if closed else Cut(head.group(1))


def pythonic_unit(text: str, at: int) -> list[Written] | Cut | None:
    """``f(a="b")`` or ``[f(a="b"), g(x=1)]`` with literals only."""
    begin = _CALLED.match(text, at)
    if begin is None:
        return None
    end = _balanced(text, at)
    if not end:
        return Cut(begin.group(1))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "\\d" in a model's string is no concern of the user's
            tree = ast.parse(text[at:end].strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Cut(begin.group(1))
    nodes = tree.elts if isinstance(tree, ast.List) else [tree]
    calls = [_from_node(node, at, end) for node in nodes]
    return [c for c in calls if c] if calls and all(calls) else None


def _from_node(node: ast.expr, start: int, end: int) -> Written | None:
    if not isinstance(node, ast.Call) or not isinstance(node.func, (ast.Name, ast.Attribute)):
        return None
    name = ast.unparse(node.func)
    if node.args or any(k.arg is None for k in node.keywords):
        return Written(name, None, start, end)  # which argument is meant is a guess
    try:
        given = {str(k.arg): ast.literal_eval(k.value) for k in node.keywords}
        json.dumps(given)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return Written(name, None, start, end)
    return Written(name, given, start, end)


def _balanced(text: str, at: int) -> int:
    """Behind the bracket that closes the first one from ``at`` on, strings apart; 0 when none does."""
    depth, n = 0, at
    while n < len(text):
        char = text[n]
        if char in "\"'":
            n = _string_end(text, n)
            if not n:
                return 0
            continue
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
            if depth <= 0:
                return n + 1 if depth == 0 else 0
        n += 1
    return 0


def _string_end(text: str, at: int) -> int:
    quote = text[at : at + 3] if text[at : at + 3] in ('"""', "'''") else text[at]
    n = at + len(quote)
    while n < len(text):
        if text[n] == "\\":
            n += 2
        elif text.startswith(quote, n):
            return n + len(quote)
        elif text[n] == "\n" and len(quote) == 1:
            return 0
        else:
            n += 1
    return 0
