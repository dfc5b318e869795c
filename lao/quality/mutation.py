"""Small wrong versions of Python code, made by rules: what a test must notice to prove anything. Runs nothing.

Python only, by its syntax tree: where there is no such reader, a test is never called proved (``mutants`` gives none).
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from lao.core.python_source import parsed

WANTED: Final = 3
"""Mutants that a written test must notice, each of them."""

_OPPOSITES: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_KINDS: Final = ("return", "comparison", "statement", "constant")


@dataclass(frozen=True)
class Mutant:
    """One wrong version of a file. ``what`` says in words what was changed in ``line``; ``text`` is the whole file."""

    path: str
    line: int
    what: str
    text: str


@dataclass(frozen=True)
class _Place:
    kind: str
    number: int
    """Of the node among all nodes of the tree."""
    line: int


def mutants(path: str, text: str, lines: Collection[int] = (), most: int = WANTED) -> tuple[Mutant, ...]:
    """At most ``most`` wrong versions of a file, of different kinds and lines as far as there are such.

    Args:
        lines: only what begins in these lines is changed; () means all.
    """
    tree = parsed(text) if path.endswith(".py") else None
    if tree is None:
        return ()
    places = [place for place in _places(tree) if not lines or place.line in lines]
    found, seen = [], {ast.unparse(tree)}
    for place in _varied(places):
        changed, what = _changed(tree, place)
        if changed and changed not in seen:
            seen.add(changed)
            found.append(Mutant(path, place.line, what, changed))
        if len(found) == most:
            break
    return tuple(found)


def _varied(places: list[_Place]) -> list[_Place]:
    """One of each kind after the other, each kind in the order of the lines."""
    queues = [[place for place in places if place.kind == kind] for kind in _KINDS]
    longest = max((len(queue) for queue in queues), default=0)
    return [queue[n] for n in range(longest) for queue in queues if n < len(queue)]


def _places(tree: ast.Module) -> list[_Place]:
    numbers = {id(node): number for number, node in enumerate(ast.walk(tree))}
    found = [
        _Place(kind, numbers[id(node)], node.lineno)
        for statement in tree.body
        for node in _inside(statement)
        if isinstance(node, ast.stmt | ast.expr) and (kind := _kind(node))
    ]
    return sorted(found, key=lambda place: (place.line, place.number))


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    """The node and what is in it, without what does nothing: docstrings, annotations, the part for a script."""
    if isinstance(node, ast.If) and "__name__" in ast.unparse(node.test):
        return
    if isinstance(node, ast.Import | ast.ImportFrom) or _is_words(node):
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _inside(child)


def _is_words(node: ast.AST) -> bool:
    """A docstring, or a text that is put together for a person."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _kind(node: ast.AST) -> str:
    if isinstance(node, ast.Return) and node.value is not None and not _is_none(node.value):
        return "return"
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _OPPOSITES:
        return "comparison"
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        return "constant"
    called = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    return "statement" if called or isinstance(node, ast.AugAssign | ast.Raise | ast.Delete) else ""


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _changed(tree: ast.Module, place: _Place) -> tuple[str, str]:
    """The file's text with the change, and the change in words."""
    own = copy.deepcopy(tree)
    node = next(found for number, found in enumerate(ast.walk(own)) if number == place.number)
    assert isinstance(node, ast.stmt | ast.expr)
    before = ast.unparse(node)
    after: ast.AST = node
    if isinstance(node, ast.Return):
        node.value = ast.Constant(None)
    elif isinstance(node, ast.Compare):
        node.ops[0] = _OPPOSITES[type(node.ops[0])]()
    elif isinstance(node, ast.Constant):
        node.value = not node.value if isinstance(node.value, bool) else node.value + 1  # type: ignore[operator]
    elif isinstance(node, ast.stmt):
        after = ast.Pass()
        _replace(own, node, after)
    return ast.unparse(
        ast.fix_missing_locations(own)
    ) + "\n", f"`{_short(before)}` became `{_short(ast.unparse(after))}`"


def _replace(tree: ast.Module, old: ast.stmt, new: ast.stmt) -> None:
    for parent in ast.walk(tree):
        for _, value in ast.iter_fields(parent):
            if isinstance(value, list) and any(item is old for item in value):
                value[:] = [new if item is old else item for item in value]


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"
