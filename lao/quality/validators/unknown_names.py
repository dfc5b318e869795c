"""Names that nothing defines and imports that nothing uses. Python by its own symbol tables; scripts' imports by words.

No linter is run: what is said must not depend on what is installed, and a project's own linter is one of its commands.
"""

from __future__ import annotations

import ast
import builtins
import re
import symtable
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from lao.core.words import Finding, Severity
from lao.quality.validators.change import Change, Smell, lines_of
from lao.quality.validators.masking import SCRIPTS, line_at
from lao.quality.validators.trees import nodes_of, tree_of

ID: Final = "undefined_names"
CONFIDENCE: Final = 0.95
IMPORTS_ID: Final = "dead_imports"
IMPORTS_CONFIDENCE: Final = 0.7
_GIVEN: Final = frozenset(dir(builtins)) | {
    "__file__", "__path__", "__annotations__", "__module__", "__qualname__", "__class__", "__dict__", "__builtins__",
    "__conditional_annotations__", "ExceptionGroup", "BaseExceptionGroup", "EncodingWarning",
    "PythonFinalizationError", "aiter", "anext", "WindowsError", "_", "__", "get_ipython", "display",
    "reveal_type", "reveal_locals", "exit", "quit", "copyright", "credits", "license", "help",
}  # fmt: skip
_WRITES_NAMES: Final = re.compile(
    r"\bglobals\s*\(|\bexec\s*\(|\b__builtins__\b|\bbuiltins\b|\bNameError\b|import\s*\*"
    r"|\bglobal_enum\b|\b_simple_enum\b|\b_convert_\b|\bsys\.modules\b|\bmodule_globals\b"
)
"""A module that makes names at run time, or is prepared for missing ones: nothing certain can be said."""

_IMPORT_LINE: Final = re.compile(r"""^import\s+(?:type\s+)?(?P<what>[\w$,{}\s*]+?)\s+from\s*(['"])[^'"\n]+\2""", re.M)
_WORD: Final = re.compile(r"[\w$]+")


def look(change: Change) -> Iterator[Finding]:
    """A name that is no local, global or builtin is a NameError as soon as the line is reached."""
    for path, smells in change.fresh(_undefined, ".py"):
        names = ", ".join(dict.fromkeys(repr(smell.key) for smell in smells[:5]))
        message = f"{path!r} uses {names} at {lines_of(smells)}, which nothing defines or imports"
        yield Finding(Severity.MAJOR, "undefined_name", message, path, "define or import it", ID, CONFIDENCE)


def look_imports(change: Change) -> Iterator[Finding]:
    """A note on imports whose name occurs nowhere else in the file, not even in a text or a comment."""
    for path, smells in change.fresh(_unused, ".py", *SCRIPTS):
        names = ", ".join(repr(smell.shown) for smell in smells[:5])
        message = f"{path!r} imports {names} at {lines_of(smells)} and uses none of it"
        yield Finding(Severity.MINOR, "dead_import", message, path, "remove it", IMPORTS_ID, IMPORTS_CONFIDENCE)


def _undefined(_path: str, text: str) -> Iterator[Smell]:
    if _WRITES_NAMES.search(text):
        return
    tree = tree_of(text)
    table = _table(text) if tree is not None else None
    if tree is None or table is None:
        return
    module = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported() or s.is_namespace()}
    missing = _missing(table, module)
    if not missing:
        return
    bound = {n.target.id for n in nodes_of(text) if isinstance(n, ast.NamedExpr) and isinstance(n.target, ast.Name)}
    guarded = bound | _only_noted(tree, text)  # := in a comprehension binds outside of it
    lines: dict[str, int] = {}
    for node in nodes_of(text):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in missing:
            lines.setdefault(node.id, node.lineno)
    for name in sorted(missing - guarded):
        if name in lines:
            yield Smell(lines[name], name, name, grave=True)


def _table(text: str) -> symtable.SymbolTable | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return symtable.symtable(text, "<file>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _missing(table: symtable.SymbolTable, module: set[str]) -> set[str]:
    """Names that some scope looks up in the module and that are not there."""
    tables = [table]
    declared = set(module)
    asked: set[str] = set()
    while tables:
        scope = tables.pop()
        tables += scope.get_children()
        for symbol in scope.get_symbols():
            name = symbol.get_name()
            if symbol.is_declared_global() and (symbol.is_assigned() or symbol.is_imported()):
                declared.add(name)
            outer = (
                symbol.is_global() and not symbol.is_local()
            )  # both in a function of the name "top": a slip of CPython
            if symbol.is_referenced() and (outer or scope is table):
                asked.add(name)
    return {name for name in asked - declared - _GIVEN if not name.startswith(".")}


def _only_noted(tree: ast.Module, text: str) -> set[str]:
    """Names in annotations that are never looked at, when annotations are only kept as text."""
    later = any(isinstance(n, ast.ImportFrom) and n.module == "__future__" for n in tree.body)
    if not later:
        return set()
    notes: set[str] = set()
    for node in nodes_of(text):
        for value in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(value, ast.expr):
                notes |= {n.id for n in ast.walk(value) if isinstance(n, ast.Name)}
    return notes


def _unused(path: str, text: str) -> Iterator[Smell]:
    if PurePosixPath(path).name == "__init__.py":
        return  # imports are what it offers
    python = path.endswith(".py")
    names = list(_python_imports(text) if python else _script_imports(text))
    if not names:
        return
    count = Counter(_WORD.findall(text if python else _IMPORT_LINE.sub("", text)))
    for line, name in names:
        if count[name] == int(python):  # Python's own import counts as one
            yield Smell(line, f"import {name}", name)


def _python_imports(text: str) -> Iterator[tuple[int, str]]:
    tree = tree_of(text)
    lines = text.split("\n")
    for node in tree.body if tree is not None else ():
        if not isinstance(node, ast.Import | ast.ImportFrom) or getattr(node, "module", "") == "__future__":
            continue
        if any("#" in line for line in lines[node.lineno - 1 : node.end_lineno]):
            continue  # a re-export, a side effect: somebody has thought about it
        for alias in node.names:
            if alias.asname or "." not in alias.name:
                yield node.lineno, alias.asname or alias.name


def _script_imports(text: str) -> Iterator[tuple[int, str]]:
    for match in _IMPORT_LINE.finditer(text):
        for part in re.split(r"[,{}]", match["what"]):
            words = part.split()
            if words and words[-1] not in ("React", "h", "type", "*"):
                yield line_at(text, match.start()), words[-1]
