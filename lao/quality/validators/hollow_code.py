"""Python functions that promise a value and hold nothing, and answers that are only those which the tests expect."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from lao.core.python_source import Function
from lao.core.words import Finding, Severity
from lao.quality.protection import is_test
from lao.quality.validators.change import Change, Smell, lines_of
from lao.quality.validators.trees import nodes_of, tree_of

ID: Final = "hollow_code"
CONFIDENCE: Final = 0.85
CANNED_ID: Final = "canned_answers"
CANNED_CONFIDENCE: Final = 0.6
_VALUES: Final = frozenset(
    {"int", "str", "float", "bytes", "list", "dict", "tuple", "set", "frozenset", "List", "Dict", "Tuple", "Set"}
)
_PATTERN_BASES: Final = ("ABC", "Protocol", "Base", "Abstract", "Interface", "Mixin", "TypedDict")
_FEWEST: Final = 3


def look(change: Change) -> Iterator[Finding]:
    """Major in a file that the task is to write: the signature says a value, the body gives none."""
    for path, smells in change.fresh(_smells, ".py"):
        if is_test(path):
            continue
        names = ", ".join(smell.shown for smell in smells[:5])
        severity = Severity.MAJOR if path in change.claimed else Severity.MINOR
        message = f"{path!r} has functions that promise a value and hold nothing, at {lines_of(smells)}: {names}"
        yield Finding(severity, "hollow_function", message, path, "implement it", ID, CONFIDENCE)


def look_canned(change: Change) -> Iterator[Finding]:
    """A note where all that a function knows are the very cases of its tests; a small table may be right."""
    tests = "\n".join(t for texts in (change.before, change.after) for path, t in texts.items() if is_test(path))
    wanted = _expected(f"{tests}\n{change.plan}")
    if not wanted:
        return
    for path, smells in change.fresh(_tables, ".py"):
        for smell in smells:
            name, _, pairs = smell.key.partition(":")
            given = set(pairs.split("\n"))
            if not is_test(path) and given <= wanted.get(name, set()):
                message = f"{path!r} line {smell.line}: {name} answers only the {len(given)} cases of its tests"
                hint = "compute the answer for every input"
                yield Finding(Severity.MINOR, "canned_answers", message, path, hint, CANNED_ID, CANNED_CONFIDENCE)


def _smells(_path: str, text: str) -> Iterator[Smell]:
    tree = tree_of(text)
    if tree is None:
        return
    based = {ast.unparse(b) for n in nodes_of(text) if isinstance(n, ast.ClassDef) for b in n.bases}
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.ClassDef) and _is_pattern(node, based):
            continue
        if isinstance(node, Function) and _is_hollow(node):
            yield Smell(node.lineno, node.name, node.name, grave=True)
        stack.extend(ast.iter_child_nodes(node))


def _is_pattern(node: ast.ClassDef, based: set[str]) -> bool:
    """A class that others fill in; of one with a base it is not known what its methods override."""
    return bool(node.bases or node.keywords) or node.name in based or any(n in node.name for n in _PATTERN_BASES)


def _is_hollow(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    if node.decorator_list or node.returns is None:
        return False
    returned = node.returns.value if isinstance(node.returns, ast.Subscript) else node.returns
    if ast.unparse(returned) not in _VALUES:
        return False
    body = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    return not body or (len(body) == 1 and _gives_none(body[0]))


def _gives_none(node: ast.stmt) -> bool:
    if isinstance(node, ast.Return):
        return node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None)
    return isinstance(node, ast.Pass)


def _expected(text: str) -> dict[str, set[str]]:
    """``literal=literal`` by function, out of ``f(1) == 2`` and ``assertEqual(f(1), 2)``."""
    found: dict[str, set[str]] = {}
    for match in re.finditer(r"\b(\w+)\(([^()\n]{1,60})\)\s*(?:==|,)\s*([^\n#]{1,60})", text):
        given, answer = _literal(match[2]), _literal(match[3].rstrip(" )"))
        if given and answer:
            found.setdefault(match[1], set()).add(f"{given}={answer}")
    return found


def _literal(text: str) -> str:
    try:
        return repr(ast.literal_eval(text.strip()))
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return ""


def _tables(_path: str, text: str) -> Iterator[Smell]:
    """Functions of one parameter whose every return is a literal behind ``if parameter == literal``."""
    for node in nodes_of(text):
        if not isinstance(node, Function) or len([a for a in node.args.args if a.arg != "self"]) != 1:
            continue
        pairs = _pairs(node)
        if len(pairs) >= _FEWEST:
            yield Smell(node.lineno, f"{node.name}:" + "\n".join(sorted(pairs)), node.name)


def _pairs(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    parameter = node.args.args[-1].arg
    found: set[str] = set()
    statements = list(node.body)
    while statements:
        inner = statements.pop(0)
        if isinstance(inner, ast.If) and len(inner.body) == 1 and isinstance(inner.body[0], ast.Return):
            test, answer = inner.test, inner.body[0].value
            simple = isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq)
            if not (simple and isinstance(test, ast.Compare) and ast.unparse(test.left) == parameter and answer):
                return set()
            pair = (_literal(ast.unparse(test.comparators[0])), _literal(ast.unparse(answer)))
            if not all(pair):
                return set()
            found.add("=".join(pair))
            statements += inner.orelse
        elif isinstance(inner, ast.Return) and (inner.value is None or isinstance(inner.value, ast.Constant)):
            continue
        elif not (
            isinstance(inner, ast.Raise) or (isinstance(inner, ast.Expr) and isinstance(inner.value, ast.Constant))
        ):
            return set()
    return found
