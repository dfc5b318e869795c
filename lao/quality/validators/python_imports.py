"""Imports of the project's own Python modules that are not there, or that offer no such name. Imports nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from lao.core.python_source import Function
from lao.core.words import Finding, Severity
from lao.quality.validators.change import Change, Smell, text_in
from lao.quality.validators.trees import nodes_of, tree_of

ID: Final = "python_imports"
CONFIDENCE: Final = 0.9
_ROOTS: Final = ("", "src")
_MADE_LATER: Final = re.compile(r"_version|version|_pb2(?:_grpc)?$|^_?generated|^_build|^_meta")
_MAKES_NAMES: Final = re.compile(
    r"\b(?:globals|vars|locals)\s*\(|\bexec\s*\(|\bsetattr\s*\(|\bsys\.modules\b|__getattr__|import\s+\*|__path__"
)
Offers = dict[PurePosixPath, set[str] | None]
"""Names by module, as far as they were looked up."""

_BINARY: Final = (".so", ".pyd", ".pyx", ".pyi", ".c")


def look(change: Change) -> Iterator[Finding]:
    """Major, as the import raises; a note where the plan still speaks of the module, so that it may come later."""
    offers: Offers = {}
    for path, text in change.changed(".py"):
        tree = tree_of(text)
        if tree is None:
            continue
        old = {smell.key for smell in _smells(change, path, tree_of(change.before.get(path, "")), offers)}
        for smell in _smells(change, path, tree, offers):
            if smell.key in old:
                continue
            coming = _is_planned(change, smell.key)
            severity = Severity.MINOR if coming else Severity.MAJOR
            message = f"{path!r} line {smell.line}: {smell.shown}"
            hint = "import what is there, or write what is missing"
            yield Finding(severity, "missing_import", message, path, hint, ID, CONFIDENCE)


def _is_planned(change: Change, key: str) -> bool:
    """Whether the plan names the missing file or the missing name; another task may still make it."""
    words = [word for word in re.split(r"[\s./]+", key) if len(word) > 1]
    return any(re.search(rf"\b{re.escape(word)}\b", change.plan) for word in words[-1:])


def _smells(change: Change, path: str, tree: ast.Module | None, offers: Offers) -> Iterator[Smell]:
    if tree is None or path.startswith(("test_data/", "fixtures/")) or "/fixtures/" in path or "/data/" in path:
        return
    for node in _plain_imports(tree.body):
        if isinstance(node, ast.ImportFrom):
            yield from _of_from(change, path, node, offers)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield from _of_module(change, node.lineno, alias.name)


def _plain_imports(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Imports that run for sure and are not guarded: not under ``try``, ``if`` or ``with``."""
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, Function | ast.ClassDef):
            yield from _plain_imports(node.body)


def _of_module(change: Change, line: int, dotted: str) -> Iterator[Smell]:
    """``import package.module`` of a package that is the project's own."""
    for base in _ROOTS:
        top = PurePosixPath(base, dotted.split(".", maxsplit=1)[0])
        if not (change.root / top / "__init__.py").is_file():
            continue
        target = PurePosixPath(base, *dotted.split("."))
        if not _is_module(change, target) and not _is_special(change, top / "__init__.py"):
            yield Smell(line, target.as_posix(), f"there is no module {dotted!r}", grave=True)
        return


def _of_from(change: Change, path: str, node: ast.ImportFrom, offers: Offers) -> Iterator[Smell]:
    target = _target(change, path, node)
    if target is None:
        return
    shown = "." * node.level + (node.module or "")
    own = PurePosixPath(path).parent
    if not _is_module(change, target):
        known = (own / "__init__.py") if node.level else target.parent / "__init__.py"
        if not _is_special(change, known):
            yield Smell(node.lineno, target.as_posix(), f"there is no module {shown!r}", grave=True)
        return
    if target not in offers:
        offers[target] = _offered(change, target)
    offered = offers[target]
    if offered is None:
        return
    for alias in node.names:
        if alias.name != "*" and alias.name not in offered and not _is_module(change, target / alias.name):
            key = f"{target.as_posix()} {alias.name}"
            yield Smell(node.lineno, key, f"{shown!r} offers no {alias.name!r}", grave=True)


def _target(change: Change, path: str, node: ast.ImportFrom) -> PurePosixPath | None:
    """The path without suffix of the module that is imported from; None for what is not the project's own."""
    if node.level:
        folder = PurePosixPath(path).parent
        if node.level > len(folder.parts) or not (change.root / folder / "__init__.py").is_file():
            return None  # beyond the root, or run as a script: where it would lead is not known
        for _ in range(node.level - 1):
            folder = folder.parent
        return folder.joinpath(*(node.module or "").split(".")) if node.module else folder
    parts = (node.module or "").split(".")
    for base in _ROOTS:
        if (change.root / base / parts[0] / "__init__.py").is_file():
            return PurePosixPath(base, *parts)
    return None


def _is_module(change: Change, target: PurePosixPath) -> bool:
    if _MADE_LATER.search(target.name):
        return True
    place = change.root / target
    if place.with_name(f"{place.name}.py").is_file() or place.is_dir():
        return True
    beside = place.parent.iterdir() if place.parent.is_dir() else ()
    return any(entry.name.split(".")[0] == target.name and entry.suffix in _BINARY for entry in beside)


def _is_special(change: Change, path: PurePosixPath) -> bool:
    """Whether a package's ``__init__`` makes modules or names by other means than definitions."""
    text = text_in(change.root, path.as_posix())
    return text is not None and bool(_MAKES_NAMES.search(text))


def _offered(change: Change, target: PurePosixPath) -> set[str] | None:
    """Names that a module binds; None where that cannot be told from its text."""
    for name in (f"{target.as_posix()}.py", f"{target.as_posix()}/__init__.py"):
        text = text_in(change.root, name)
        if text is not None:
            return None if tree_of(text) is None or _MAKES_NAMES.search(text) else _bound(text) | _MODULE
    return None  # a package without a text of its own, or a binary module


_MODULE: Final = {"__name__", "__file__", "__doc__", "__path__", "__package__", "__spec__", "__loader__", "__dict__"}


def _bound(text: str) -> set[str]:
    """Every name that some statement of the module may bind at its top level, ``global`` in functions included."""
    names: set[str] = set()
    for node in nodes_of(text):
        if isinstance(node, Function | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Global):
            names |= set(node.names)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            names.add(node.name)
    return names
