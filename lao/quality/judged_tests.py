"""How strict a test file is: its tests, their assertions, skips and early ways out. Compares two versions of one file.

Python is read by its syntax tree, other languages by lines.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lao.quality.signatures import without_docstrings

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_SKIPS: Final = re.compile(r"\b(?:skip(?:if|unless|test)?|xfail|expectedfailure|importorskip)\b", re.I)
_ASSERTING: Final = re.compile(r"^(?:assert\w*|fail(?:Unless|If)?\w*|raises|warns|deprecated_call|expect\w*)$")
_SWALLOWING: Final = frozenset({"AssertionError", "Exception", "BaseException"})
_DECLARED: Final = re.compile(
    r"\b(?:it|test|Deno\.test)(?:\.each\b.*?)?\s*\(|^\s*func\s+Test\w*\(|#\[(?:\w+::)?test\]|@(?:Parameterized)?Test\b"
    r"|^\s*(?:def|fn|void)\s+test_?\w*"
)
_ASSERTED: Final = re.compile(
    r"\bexpect\s*\(|\bassert\w*\s*[(!.]|\bt\.(?:Error|Errorf|Fatal|Fatalf|Fail|FailNow)\b|\brequire\.\w+\(|\bshould\b"
)
_SKIPPED: Final = re.compile(
    r"\b(?:it|test|describe|suite)\.(?:skip|todo|only|fails|failing)\b|\bx(?:it|test|describe)\s*\(|\bt\.Skip\w*\("
    r"|#\[ignore|#\[should_panic|@(?:Disabled|Ignore)\b|\bskip:\s*true|\btodo:\s*true"
)

_ADDED: Final = re.compile(r"(?:\w+\.)?(?:Async)?FunctionDef\(name='(test\w*)'|class \w+ |(?:Import|ImportFrom)\(")


@dataclass(frozen=True)
class Strictness:
    """What a version of a test file demands. ``tests``: assertions by test; ``code``: its text or tree by part."""

    tests: tuple[tuple[str, int], ...]
    skips: int
    hollow: int
    code: tuple[str, ...]

    @property
    def assertions(self) -> int:
        return sum(count for _, count in self.tests)


def weaker(before: str, after: str, *, python: bool, own: bool) -> tuple[str, ...]:
    """In what ``after`` demands less than ``before``, each in a few words.

    Args:
        own: the file is the task's to write: its tests may change, as long as they do not get fewer or weaker.
            In any other file what was there must stay as it is.
    """
    first = strictness(before, python=python)
    if first is None:
        return ()
    second = strictness(after, python=python)
    if second is None:
        return ("it does not parse any more",)
    found = [*_fewer(first, second, own=own)]
    if second.skips > first.skips:
        found.append("tests are skipped or expected to fail that were not before")
    if second.hollow > first.hollow:
        found.append("assertions were replaced by ones that always hold")
    if not found and not own and _altered(first, second, python=python):
        found.append("tests that were given were changed")
    return tuple(found)


def _altered(first: Strictness, second: Strictness, *, python: bool) -> bool:
    """Whether something is gone or, in Python, something was added that is more than a new test."""
    if Counter(first.code) - Counter(second.code):
        return True
    known = {name.rsplit(".", 1)[-1] for name, _ in first.tests}
    added = (Counter(second.code) - Counter(first.code)) if python else Counter[str]()
    names = [_ADDED.match(part) for part in added]
    return any(match is None or (match[1] or "") in known for match in names)


def _fewer(first: Strictness, second: Strictness, *, own: bool) -> Iterator[str]:
    now, total = dict(second.tests), second.assertions < first.assertions
    gone = [name for name, _ in first.tests if name not in now]
    if gone and (not own or (len(now) < len(first.tests) and total)):
        yield f"tests were deleted: {', '.join(gone[:5])}"
    less = [name for name, count in first.tests if now.get(name, count) < count]
    if less and (not own or total):
        yield f"assertions were removed from {', '.join(less[:5])}"


def strictness(text: str, *, python: bool) -> Strictness | None:
    """None for Python that does not parse."""
    if not python:
        return _by_lines(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = without_docstrings(ast.parse(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    tests = dict(_tests(tree, ""))
    hollow = sum(1 for node in ast.walk(tree) if _holds_always(node))
    return Strictness(tuple((n, _assertions(f.body)) for n, f in tests.items()), _skips(tree), hollow, _parts(tree))


def _tests(tree: ast.Module | ast.ClassDef, prefix: str) -> Iterator[tuple[str, _Function]]:
    for node in tree.body:
        if isinstance(node, _Function) and node.name.startswith("test"):
            yield f"{prefix}{node.name}", node
        elif isinstance(node, ast.ClassDef):
            yield from _tests(node, f"{prefix}{node.name}.")


def _parts(tree: ast.Module) -> tuple[str, ...]:
    """Statements of the module and of its classes, so that an added test changes no other part."""
    found = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found.append(f"class {node.name} {[ast.dump(b) for b in (*node.bases, *node.decorator_list)]}")
            found += [f"{node.name}.{ast.dump(inner)}" for inner in node.body if not isinstance(inner, ast.Pass)]
        else:
            found.append(ast.dump(node))
    return tuple(found)


def _assertions(body: list[ast.stmt]) -> int:
    """Assertions that can fail the test: before a return, not swallowed, not in a branch that is never taken."""
    count = 0
    for node in body:
        if isinstance(node, ast.Return):
            break
        if isinstance(node, ast.If) and isinstance(node.test, ast.Constant) and not node.test.value:
            count += _assertions(node.orelse)
        elif isinstance(node, ast.Try):
            inner = 0 if any(_swallows(h) for h in node.handlers) else _assertions(node.body)
            count += inner + sum(
                _assertions(b) for b in (node.orelse, node.finalbody, *(h.body for h in node.handlers))
            )
        else:
            count += _own_assertions(node)
            for name in ("body", "orelse"):
                count += _assertions(getattr(node, name, None) or [])
    return count


def _own_assertions(node: ast.stmt) -> int:
    if isinstance(node, ast.Assert):
        return 0 if _holds_always(node) else 1
    roots: list[ast.AST] = []
    if isinstance(node, ast.With | ast.AsyncWith):
        roots = [item.context_expr for item in node.items]
    elif isinstance(node, ast.Expr | ast.Assign | ast.AnnAssign):
        roots = [node]
    calls = [c for root in roots for c in ast.walk(root) if isinstance(c, ast.Call)]
    return sum(1 for c in calls if _ASSERTING.match(_name(c.func)) and not _holds_always(c))


def _swallows(handler: ast.ExceptHandler) -> bool:
    caught = [handler.type] if not isinstance(handler.type, ast.Tuple) else handler.type.elts
    names = {"BaseException" if c is None else _name(c) for c in caught}
    return bool(names & _SWALLOWING) and not any(isinstance(n, ast.Raise) for n in ast.walk(handler))


def _name(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _holds_always(node: ast.AST) -> bool:
    """``assert True``, ``assert x or True``, ``assertTrue(True)``, ``assertEqual(x, x)``."""
    if isinstance(node, ast.Assert):
        return _is_true(node.test)
    if not isinstance(node, ast.Call) or not node.args:
        return False
    name = _name(node.func)
    if name == "assertTrue":
        return _is_true(node.args[0])
    if name in ("assertEqual", "assertIs") and len(node.args) > 1:
        return ast.dump(node.args[0]) == ast.dump(node.args[1])
    return False


def _is_true(node: ast.expr) -> bool:
    if isinstance(node, ast.Constant | ast.Tuple):
        return bool(node.value if isinstance(node, ast.Constant) else node.elts)
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.Or):
        return any(_is_true(value) for value in node.values)
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq | ast.Is):
        return ast.dump(node.left) == ast.dump(node.comparators[0])
    return False


def _skips(tree: ast.Module) -> int:
    """Skip and expected-failure marks, as decorators, calls, raised exceptions or ``pytestmark``."""
    count = 0
    for node in ast.walk(tree):
        if isinstance(node, _Function | ast.ClassDef):
            count += sum(1 for d in node.decorator_list if _SKIPS.search(ast.unparse(d)))
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            count += bool(_SKIPS.search(ast.unparse(node.value.func)))
        elif isinstance(node, ast.Raise) and node.exc is not None:
            count += "SkipTest" in ast.unparse(node.exc)
        elif isinstance(node, ast.Assign) and any(_name(t) in ("pytestmark", "__test__") for t in node.targets):
            count += 1
    return count


def _by_lines(text: str) -> Strictness:
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    code = [line for line in lines if not line.startswith(("//", "/*", "* "))]
    names = dict.fromkeys(line for line in code if _DECLARED.search(line))
    asserted = sum(len(_ASSERTED.findall(line)) for line in code)
    skips = sum(len(_SKIPPED.findall(line)) for line in code)
    return Strictness((*((name[:60], 0) for name in names), ("the file", asserted)), skips, 0, tuple(code))
