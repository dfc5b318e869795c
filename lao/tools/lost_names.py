"""Names that a rewritten Python file lost: imports and constants of its earlier version, and names of one meaning only.

Weak models rewrite a file without its head, or use ``math`` without importing it. Nothing is added where a name could
mean two things; the code itself is never touched.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Collection, Iterator, Sequence
from typing import Final

from lao.core.python_source import constants, parsed

_HOMES: Final = {
    "collections": ("Counter", "OrderedDict", "defaultdict", "deque", "namedtuple"),
    "dataclasses": ("asdict", "dataclass", "field"),
    "datetime": ("datetime", "timedelta"),
    "decimal": ("Decimal",),
    "enum": ("Enum", "IntEnum"),
    "fractions": ("Fraction",),
    "functools": ("cached_property", "lru_cache", "partial", "reduce", "total_ordering", "wraps"),
    "itertools": ("accumulate", "chain", "combinations", "groupby", "permutations", "product", "zip_longest"),
    "abc": ("ABC", "abstractmethod"),
    "pathlib": ("Path",),
    "typing": (
        "Any", "Callable", "Dict", "Iterable", "Iterator", "List", "Optional", "Sequence", "Set", "Tuple", "Union",
    ),
}  # fmt: skip
_HOME_OF: Final = {name: module for module, names in _HOMES.items() for name in names}
_OWN: Final = frozenset({"__file__", "__name__", "__doc__", "__path__", "__spec__", "__annotations__", "__builtins__"})


def with_lost_names(after: str, before: str = "") -> tuple[str, tuple[str, ...]]:
    """``after`` with the imports and constants that it uses and lacks, and their lines; unchanged when it is no Python.

    Args:
        before: the file's earlier text, "" when there is none.
    """
    tree = parsed(after)
    if tree is None or _has_star(tree):
        return after, ()
    known = _bound(tree) | set(dir(builtins)) | _OWN
    lost = _lost_constants(_used(tree) - known, before)
    used = _used(tree).union(*(_used(part) for item in lost if (part := parsed(item)) is not None))
    missing = sorted(used - known - constants(before).keys())
    had = dict(_imports(parsed(before)))
    lines = tuple(dict.fromkeys(line for name in missing if (line := had.get(name) or _known(name, tree))))
    text = _inserted(after, lines, _place(tree)) if lines else after
    again = parsed(text) if lost else None
    return (_inserted(text, lost, _place(again, imports=True)) if again else text), (*lines, *lost)


def _lost_constants(missing: Collection[str], before: str) -> tuple[str, ...]:
    """Assignments of the earlier text for missing names, and for the names that these use, in their order there."""
    had = constants(before)
    wanted: set[str] = set()
    more = set(missing) & had.keys()
    while more - wanted:
        wanted |= more
        trees = [parsed(had[name].source) for name in wanted]
        more = set().union(*(_used(tree) for tree in trees if tree is not None)) & had.keys()
    return tuple(item.source.rstrip("\n") for name, item in had.items() if name in wanted)


def _inserted(text: str, added: Sequence[str], at: int) -> str:
    lines = text.splitlines(keepends=True)
    head, rest = lines[:at], lines[at:]
    if head and not head[-1].endswith("\n"):
        head[-1] += "\n"
    gap = ["\n"] if rest and rest[0].strip() and not rest[0].startswith(("import ", "from ")) else []
    return "".join([*head, *(f"{line}\n" for line in added), *gap, *rest])


def _has_star(tree: ast.Module) -> bool:
    return any(isinstance(n, ast.ImportFrom) and any(a.name == "*" for a in n.names) for n in ast.walk(tree))


def _used(tree: ast.Module) -> set[str]:
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _bound(tree: ast.Module) -> set[str]:
    """Every name that is given a meaning anywhere in the file, in whatever scope: missing means missing everywhere."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(a.asname or a.name).partition(".")[0] for a in node.names}
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            names.add(node.rest)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            names |= set(node.names)
    return names


def _imports(tree: ast.Module | None) -> Iterator[tuple[str, str]]:
    """(name, line that gives it) of the imports at the top level of a file."""
    for node in tree.body if tree is not None else ():
        if isinstance(node, ast.Import):
            for alias in node.names:
                line = f"import {alias.name}" + (f" as {alias.asname}" if alias.asname else "")
                yield (alias.asname or alias.name).partition(".")[0], line
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            for alias in node.names:
                name = alias.name + (f" as {alias.asname}" if alias.asname else "")
                yield alias.asname or alias.name, f"from {'.' * node.level}{node.module or ''} import {name}"


def _known(name: str, tree: ast.Module) -> str:
    """The import of a name of the standard library, when only one can be meant."""
    attributes = {
        n.attr
        for n in ast.walk(tree)
        if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == name
    }
    bare = any(
        isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id == name for n in ast.walk(tree)
    ) or (name in _annotations(tree))
    if name in _HOME_OF:
        home = _HOME_OF[name]
        as_module = home == name and attributes & {*_HOMES[home], "date", "time", "timezone"}
        if as_module:
            return "" if bare else f"import {name}"
        return f"from {home} import {name}"
    if name in sys.stdlib_module_names and attributes and not bare:
        return f"import {name}"
    return ""


def _annotations(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        for part in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            found |= {part.id} if isinstance(part, ast.Name) else set()
    return found


def _place(tree: ast.Module, *, imports: bool = False) -> int:
    """The line after the docstring and the ``__future__`` imports, or after all ``imports`` of the head."""
    at = 0
    for number, node in enumerate(tree.body):
        docstring = number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        other = imports and isinstance(node, ast.Import | ast.ImportFrom)
        if not (docstring or future or other):
            break
        at = node.end_lineno or at
    return at
