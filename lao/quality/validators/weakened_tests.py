"""Tests that a change deletes, weakens or hollows out, where no given judge guards them (``quality.protection``)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from lao.core.python_source import Function
from lao.core.words import Finding, Severity
from lao.quality.judged_tests import weaker
from lao.quality.protection import is_test
from lao.quality.validators.change import Change, Smell, lines_of
from lao.quality.validators.trees import nodes_of

ID: Final = "weakened_tests"
CONFIDENCE: Final = 0.7
_CERTAIN: Final = 0.9
_TOLERANCES: Final = (
    (re.compile(r"\b(?:rel|abs|rel_tol|abs_tol|rtol|atol|delta|epsilon|tolerance)\s*=\s*(\d[\d.]*(?:e-?\d+)?)"), 1),
    (re.compile(r"\bplaces\s*=\s*(\d+)"), -1),
    (re.compile(r"\btoBeCloseTo\([^()\n]*,\s*(\d+)\s*\)"), -1),
)
_HINT: Final = "tests that are replaced must demand as much as the earlier ones"


def look(change: Change) -> Iterator[Finding]:
    """Notes on what got less; major only for a new test that cannot fail."""
    for path, text in change.before.items():
        if is_test(path) and change.after.get(path) != text:
            yield from _less(change, path, text)
    for path, smells in change.fresh(_hollow, ".py"):
        names = ", ".join(smell.shown for smell in smells[:5])
        message = f"{path!r} has tests that cannot fail, at {lines_of(smells)}: {names}"
        yield Finding(Severity.MAJOR, "hollow_test", message, path, "assert what is promised", ID, _CERTAIN)


def _less(change: Change, path: str, text: str) -> Iterator[Finding]:
    if path not in change.after:
        if not (change.root / path).exists() and not _moved(change, text):
            yield _note(path, "the test file was deleted")
        return
    after = change.after[path]
    for reason in weaker(text, after, python=path.endswith(".py"), own=True):
        yield _note(path, reason)
    for pattern, sign in _TOLERANCES:
        before, now = (sum(sign * float(n) for n in _numbers(pattern, t)) for t in (text, after))
        same = len(_numbers(pattern, text)) == len(_numbers(pattern, after))
        if same and now > before:
            yield _note(path, "a tolerance was widened")


def _numbers(pattern: re.Pattern[str], text: str) -> list[str]:
    return [n.rstrip(".") for n in pattern.findall(text) if n.count(".") < 2]


def _moved(change: Change, text: str) -> bool:
    """Whether half of its lines are in new or changed tests."""
    lines = {line.strip() for line in text.splitlines() if len(line.strip()) > 8}
    there = {line.strip() for path, t in change.after.items() if is_test(path) for line in t.splitlines()}
    return len(lines & there) * 2 >= len(lines)


def _note(path: str, reason: str) -> Finding:
    return Finding(Severity.MINOR, "tests_weakened", f"{path!r}: {reason}", path, _HINT, ID, CONFIDENCE)


def _hollow(path: str, text: str) -> Iterator[Smell]:
    for node in nodes_of(text) if is_test(path) else ():
        if isinstance(node, Function) and node.name.startswith("test") and not node.decorator_list:
            body = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
            if body and all(_is_nothing(s) for s in body) and any(isinstance(s, ast.Assert | ast.Expr) for s in body):
                yield Smell(node.lineno, node.name, node.name, grave=True)


def _is_nothing(node: ast.stmt) -> bool:
    """``assert True``, ``self.assertTrue(True)``, ``pass``."""
    if isinstance(node, ast.Assert):
        return isinstance(node.test, ast.Constant) and bool(node.test.value)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        call = node.value
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        given = call.args[0] if call.args else None
        return name == "assertTrue" and isinstance(given, ast.Constant) and bool(given.value)
    return isinstance(node, ast.Pass)
