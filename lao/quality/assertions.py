"""A failed assertion in plain words: what was expected of which expression, and what it was. Python only."""

from __future__ import annotations

import ast
import re
from textwrap import dedent
from typing import Final

from lao.quality.reports import one_line

_OPERATORS: Final = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Is: "is", ast.IsNot: "is not", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">",
    ast.GtE: ">=",
}  # fmt: skip
_EQUAL: Final = frozenset(
    {"assertEqual", "assertEquals", "assertListEqual", "assertDictEqual", "assertTupleEqual", "assertSequenceEqual",
     "assertMultiLineEqual", "assertAlmostEqual", "assertSetEqual", "assertIs"}
)  # fmt: skip
_DIFFER: Final = re.compile(r"^(?:\w+ )?\w+ differ: ")


def plain(statement: str, message: str) -> str:
    """``statement`` failed with ``message``: ``score("dirty") == 9 but was 8``; "" when it cannot be put so."""
    lines = [line for line in message.splitlines() if line.strip()]
    if not statement or not lines:
        return ""
    tree = _parsed(dedent(statement))
    said = lines[0].strip()
    if isinstance(tree, ast.Assert):
        return _of_assert(tree, statement, said, message)
    if isinstance(tree, ast.With):
        return _of_with(tree, statement, said)
    if isinstance(tree, ast.Expr) and isinstance(tree.value, ast.Call):
        return _of_call(tree.value, statement, said)
    return ""


def _parsed(statement: str) -> ast.stmt | None:
    for text in (statement, f"{statement} pass", f"{statement.rstrip(':')}: pass"):
        try:
            return ast.parse(text).body[0]
        except (SyntaxError, ValueError, IndexError, RecursionError, MemoryError):
            continue
    return None


def _of_assert(tree: ast.Assert, statement: str, said: str, message: str) -> str:
    said = said.removeprefix("assert ")
    test = tree.test
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or type(test.ops[0]) not in _OPERATORS:
        where = re.search(r"\+ +where (.+)", message)
        return f"{_source(statement, test)} must be true but was {said}" if not where else ""
    operator = _OPERATORS[type(test.ops[0])]
    return _compared(statement, test.left, test.comparators[0], said, f" {operator} ", operator)


def _compared(statement: str, left: ast.expr, right: ast.expr, said: str, splitter: str, operator: str) -> str:
    """The literal side is what was expected; the other side's value is what it was."""
    values = _halves(said, right, splitter)
    if values is None:
        return ""
    a, b = _source(statement, left), _source(statement, right)
    if _is_literal(right) or not _is_literal(left):
        if not _is_literal(right):
            wanted = "" if values[1].endswith(b) else f", not {values[1]}"
            return f"{a} {operator} {b} but was {values[0]}{wanted}" if operator in ("==", "is") else ""
        return f"{a} {operator} {b} but was {values[0]}"
    return f"{b} {operator} {a} but was {values[1]}" if operator in ("==", "!=", "is", "is not") else ""


def _halves(said: str, right: ast.expr, splitter: str) -> tuple[str, str] | None:
    """Both values of ``A == B``, when there is only one way to cut it."""
    if _is_literal(right):
        end = splitter + repr(ast.literal_eval(right))
        if said.endswith(end):
            return said[: -len(end)], end[len(splitter) :]
    parts = said.split(splitter)
    return (parts[0], parts[1]) if len(parts) == 2 and all(p.strip() for p in parts) else None


def _of_call(call: ast.Call, statement: str, said: str) -> str:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    arguments = call.args
    if name in _EQUAL and len(arguments) >= 2:
        said = re.sub(r" within \S+ (?:places|delta).*$", "", _DIFFER.sub("", said))
        splitter, operator = (" is not ", "is") if name == "assertIs" else (" != ", "==")
        messages = [ast.literal_eval(a) for a in (*arguments[2:], *(k.value for k in call.keywords)) if _is_literal(a)]
        for extra in messages:
            said = said.removesuffix(f" : {extra}")
        return _compared(statement, arguments[0], arguments[1], said, splitter, operator)
    if name in ("assertTrue", "assertFalse") and arguments and " is not " in said:
        wanted = name[6:].lower()
        return f"{_source(statement, arguments[0])} must be {wanted} but was {said.rsplit(' is not ', 1)[0]}"
    return ""


def _of_with(tree: ast.With, statement: str, said: str) -> str:
    call = tree.items[0].context_expr
    if not isinstance(call, ast.Call) or not call.args or "raise" not in said.lower():
        return ""
    where = ", ".join(_source(statement, s) for s in tree.body if not isinstance(s, ast.Pass))
    return f"{where or 'the call'} must raise {_source(statement, call.args[0])} but did not"


def _source(statement: str, node: ast.AST) -> str:
    return one_line(ast.get_source_segment(dedent(statement), node) or ast.unparse(node))


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True
