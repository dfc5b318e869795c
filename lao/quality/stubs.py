"""Functions that a file offers but does not fill yet, and those that vanished instead. Parses; runs nothing.

A weak model that writes a file again often gives its functions other names. Where no check would notice, this does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import dedent

from lao.core.python_source import definitions, parsed
from lao.core.words import Finding, Severity, TaskSpec

Stubs = dict[str, list[str]]
"""Names by path, as ``python_source.definitions`` gives them: ``"f"``, ``"Class.method"``."""

_GOES = re.compile(r"\b(?:remov|renam|delet|drop|inlin)", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_MAY_GO = re.compile(r"\b(?:mov|replac|split|merg)", re.IGNORECASE)


def stubs_of(files: Iterable[tuple[str, str]], task: TaskSpec) -> Stubs:
    """The unfilled public functions of the task's Python files, given as (path, text).

    Without those that the task may want to go: all when it speaks of removing or renaming, the named ones when it
    speaks of moving or replacing.
    """
    told = f"{task.title}\n{task.description}"
    if _GOES.search(told):
        return {}
    named = _WORD.findall(told) if _MAY_GO.search(told) else ()
    found = {path: _stubs(text) for path, text in files if path in task.file_paths and path.endswith(".py")}
    kept = {path: [n for n in names if n.rpartition(".")[2] not in named] for path, names in found.items()}
    return {path: names for path, names in kept.items() if names}


def lost_stub_findings(root: Path, before: Mapping[str, Iterable[str]]) -> list[Finding]:
    """One blocking finding for each file that lost functions of ``before`` under ``root``.

    A file that is gone or no Python has findings of its own.
    """
    found = []
    for path, names in before.items():
        try:
            text = (root / path).read_text("utf-8", errors="replace")
        except OSError:
            continue
        tree = parsed(text)
        lost = [name for name in names if tree is not None and not _is_there(tree, name)]
        if lost:
            listed = ", ".join(f"`{name}`" for name in lost)
            hint = f"write {listed} under exactly that name; others call it so"
            found.append(
                Finding(Severity.MAJOR, "lost_stub", f"{listed} of {path!r} is gone", path, hint, "stubs", 0.9)
            )
    return found


def _stubs(text: str) -> list[str]:
    return [
        name
        for name, item in definitions(text).items()
        if not any(part.startswith("_") for part in name.split(".")) and _is_empty(item.source)
    ]


def _is_empty(source: str) -> bool:
    """Whether an undecorated function holds nothing but ``pass``, text, ``...`` or a NotImplementedError."""
    tree = parsed(dedent(source))
    if tree is None or not isinstance(node := tree.body[0], ast.FunctionDef | ast.AsyncFunctionDef):
        return False
    return not node.decorator_list and all(map(_says_nothing, node.body))


def _says_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Raise) and node.exc is not None:
        return "NotImplemented" in ast.unparse(node.exc)
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _is_there(tree: ast.Module, name: str) -> bool:
    """Whether a module offers ``name``: defined, assigned or imported, a method perhaps inherited."""
    owner, _, own = name.rpartition(".")
    if not owner:
        return own in _bound(tree.body)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == owner]
    if not classes:
        return owner in _bound(tree.body)  # made in another way: nothing is known of its methods
    return any(node.bases or own in _bound(node.body) for node in classes)


def _bound(body: Iterable[ast.stmt]) -> set[str]:
    """What these statements give a name to, also under ``if`` and ``try``."""
    names: set[str] = set()
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(statement.name)
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names |= {alias.asname or alias.name for alias in node.names}
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
    return names
