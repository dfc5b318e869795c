"""Python source as text with structure: parsed without noise, cut into definitions, one of them exchanged.

Knows no task; what is worth exchanging is decided by the callers.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from textwrap import dedent, indent

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Definition:
    """A function of a module, a method of one of its classes, or a constant.

    Attributes:
        name: ``"f"``, or ``"Class.method"``.
        source: its lines as they are, decorators included, with a final line break.
        shape: equal for definitions that differ in layout and comments only.
    """

    name: str
    source: str
    shape: str


def parsed(text: str) -> ast.Module | None:
    """The tree of ``text``; None when it is no Python. Warnings about odd literals are nobody's business here."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def definitions(text: str) -> dict[str, Definition]:
    """The functions and methods of a file by name, in their order; of several with one name the last, as in Python."""
    tree = parsed(text)
    if tree is None:
        return {}
    lines = text.split("\n")  # as the parser counts them: a form feed ends no line
    found = {}
    for name, node in _functions(tree):
        first, last = _lines(node)
        source = "\n".join(lines[first:last]) + "\n"
        found[name] = Definition(name, source, ast.dump(node))
    return found


def with_definition(text: str, name: str, source: str) -> str:
    """``text`` with its definition ``name`` replaced by ``source``, whose indentation may differ.

    Returns "" when there is none of that name, or when the result would be no Python.
    """
    tree = parsed(text)
    node = dict(_functions(tree)).get(name) if tree is not None else None
    if node is None:
        return ""
    lines = text.split("\n")
    first, last = _lines(node)
    own = source if _margin(source) == node.col_offset else indent(dedent(source), " " * node.col_offset)
    changed = "\n".join([*lines[:first], own.rstrip("\n"), *lines[last:]])
    return changed if parsed(changed) is not None else ""


def constants(text: str) -> dict[str, Definition]:
    """The names that a module assigns exactly once, by a statement of their own at the top level, in their order."""
    tree = parsed(text)
    lines = text.split("\n")
    found: dict[str, Definition] = {}
    again: set[str] = set()
    for name, node in _assignments(tree) if tree is not None else ():
        again |= {name} & found.keys()
        source = "\n".join(lines[node.lineno - 1 : node.end_lineno]) + "\n"
        found[name] = Definition(name, source, ast.dump(node))
    return {name: item for name, item in found.items() if name not in again}


def with_constants(text: str, others: Mapping[str, Definition]) -> str:
    """``text`` with those of its constants that ``others`` has too as they are there; "" when nothing changes."""
    tree, own = parsed(text), constants(text)
    lines = text.split("\n")
    wanted = {n: d for n, d in others.items() if n in own and own[n].shape != d.shape}
    for name, node in reversed(list(_assignments(tree))) if tree is not None and wanted else ():
        if name in wanted:
            lines[node.lineno - 1 : node.end_lineno] = wanted[name].source.rstrip("\n").split("\n")
    changed = "\n".join(lines)
    return changed if wanted and parsed(changed) is not None else ""


def _assignments(tree: ast.Module) -> Iterator[tuple[str, ast.Assign | ast.AnnAssign]]:
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node


def _functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    for node in tree.body:
        if isinstance(node, Function):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{inner.name}", inner) for inner in node.body if isinstance(inner, Function))


def _lines(node: Function) -> tuple[int, int]:
    """First line, counted from zero, and the line after the last."""
    first = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
    return first, node.end_lineno or node.lineno


def _margin(source: str) -> int:
    first = next((line for line in source.splitlines() if line.strip()), "")
    return len(first) - len(first.lstrip(" "))
