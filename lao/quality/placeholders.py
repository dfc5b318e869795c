"""Unfinished work in a file: text left out, stubs, TODO comments. Major where a model plainly left its work undone."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from lao.core.words import Finding, Severity

_CODE: Final = frozenset(
    {
        ".py", ".pyi", ".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".go", ".rs", ".java", ".kt", ".swift", ".c", ".h",
        ".cc", ".cpp", ".hpp", ".cs", ".rb", ".php", ".sh", ".sql", ".scala", ".lua", ".html", ".css", ".vue", ".dart",
    }
)  # fmt: skip
_COMMENT: Final = r"(?:\#|//|/\*|\*|--|<!--)"
_ELLIPSIS: Final = r"(?:\.\.\.|…)"
_LEFT_OUT: Final = re.compile(
    rf"""(?ix) {_COMMENT} \s* (?:
      {_ELLIPSIS} \s* \(? \s* (?:the\ )?(?:rest|remaining|existing|other|same|unchanged|previous|more|code|keep)\b
    | (?:the\ )?(?:rest|remainder)\ of\ (?:the|your|this)\ (?:\w+\ )?
      (?:code|file|function|class|method|module|implementation)\b
    | (?:existing|remaining|previous|other)\ (?:code|methods|functions|implementation)\ ?
      (?:{_ELLIPSIS}|here|unchanged|remains?|stays?|goes\ here)
    | (?:code|everything\ else|file|function)\ (?:remains|stays|is)\ (?:unchanged|the\ same)
    | (?:your|actual|real)\ (?:\w+\ )?(?:code|implementation|logic)\ (?:goes\ )?here\b
    | (?:implementation|implement|code|logic)\ (?:goes|would\ go)\ here\b
    | (?:same|unchanged)\ as\ (?:before|above)\b
    )"""
)
_STUB: Final = re.compile(
    rf"""(?ix)
      {_COMMENT} \s* (?:TODO|FIXME)\b \s* (?:\([^)]*\))? \s* [:\-]? \s* implement
    | {_COMMENT} \s* (?:this\ is\ )?(?:a\ |just\ a\ )?
      (?:placeholder|stub|dummy)\ (?:implementation|for|function|method|logic)\b
    | {_COMMENT} .* \bin\ a\ real\ (?:implementation|application|app|world|system|scenario)\b
    | \b(?:todo|unimplemented)!\s*\(
    | \bpanic\(\s*"(?:not\ (?:yet\ )?implemented|todo|implement\ me)
    | \bthrow\s+new\s+\w*(?:Error|Exception)\(\s*["'](?:not\ (?:yet\ )?implemented|todo|method\ not\ implemented)
    | \bNotImplementedException\s*\(
    | \bfatalError\(\s*"(?:not\ (?:yet\ )?implemented|todo)
    """
)
_MARKER: Final = re.compile(rf"{_COMMENT}.*?\b(TODO|FIXME|XXX|HACK)\b")
_MIN_MARKERS: Final = 3
"""Fewer say nothing about density: one TODO in a short file would exceed any rate."""
_ABSTRACT_NAMES: Final = ("Base", "Abstract", "Interface", "Protocol", "Mixin")


@dataclass(frozen=True)
class PlaceholderLimits:
    """``orchestration.placeholder_*``: TODO comments per 1,000 lines, and as a share of the lines that have text."""

    markers_per_kloc: float = 3.0
    ratio: float = 0.02


def placeholder_findings(
    name: str, text: str, *, claimed: bool, limits: PlaceholderLimits, before: str = ""
) -> list[Finding]:
    """What looks unfinished in a code file; prose and data have none.

    Args:
        claimed: the task is to write this file; in other files the same is only minor.
        before: the file's earlier text; comments that it had already are minor. Stubs count all the same: a task that
            writes the file is there to fill them.
    """
    if PurePosixPath(name).suffix.lower() not in _CODE:
        return []
    grave = Severity.MAJOR if claimed else Severity.MINOR
    lines = text.splitlines()
    found = []
    markers: list[int] = []
    known = {line.strip() for line in before.splitlines()}
    for number, line in enumerate(lines, 1):
        if _LEFT_OUT.search(line):
            severity = Severity.MINOR if line.strip() in known else grave
            found.append(_finding(severity, "elision", name, number, line, "text was left out: write it in full"))
        elif _STUB.search(line):
            found.append(_finding(grave, "placeholder", name, number, line, "implement it"))
        elif _MARKER.search(line):
            markers.append(number)
    if name.endswith(".py"):
        for number, function in _python_stubs(text):
            shown = f"{function} only raises NotImplementedError"
            found.append(_finding(grave, "placeholder", name, number, shown, "implement it"))
    fresh = any(lines[number - 1].strip() not in known for number in markers)
    return [*found, *_marker_findings(name, lines, markers, grave if fresh else Severity.MINOR, limits)]


def _finding(severity: Severity, kind: str, name: str, number: int, line: str, hint: str) -> Finding:
    message = f"{name!r} line {number} is a placeholder: {line.strip()[:160]}"
    return Finding(severity, kind, message, name, hint, "placeholders", 0.9)


def _marker_findings(
    name: str, lines: list[str], markers: list[int], grave: Severity, limits: PlaceholderLimits
) -> list[Finding]:
    if not markers:
        return []
    filled = max(sum(1 for line in lines if line.strip()), 1)
    dense = len(markers) * 1_000 / len(lines) > limits.markers_per_kloc and len(markers) / filled > limits.ratio
    where = ", ".join(str(n) for n in markers[:10])
    message = f"{name!r} has {len(markers)} TODO comments, at lines {where}"
    if dense and len(markers) >= _MIN_MARKERS:
        return [Finding(grave, "placeholder_density", message, name, "finish what they ask for", "placeholders", 0.8)]
    return [Finding(Severity.MINOR, "todo_comment", message, name, "finish them or say why not", "placeholders", 0.6)]


def _python_stubs(text: str) -> list[tuple[int, str]]:
    """Line and name of functions whose whole body is ``raise NotImplementedError``, abstract ones left out."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []  # the parser's own finding says so
    based = {ast.unparse(b) for n in ast.walk(tree) if isinstance(n, ast.ClassDef) for b in n.bases}
    found: list[tuple[int, str]] = []
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.ClassDef) and _is_abstract(node, based):
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _is_stub(node):
            found.append((node.lineno, node.name))
        stack.extend(ast.iter_child_nodes(node))
    return sorted(found)


def _is_abstract(node: ast.ClassDef, based: set[str]) -> bool:
    """A class that others are meant to fill in: by its bases, its name, or a subclass in the same file."""
    words = " ".join(ast.unparse(b) for b in [*node.bases, *(k.value for k in node.keywords)])
    return "ABC" in words or "Protocol" in words or node.name in based or any(n in node.name for n in _ABSTRACT_NAMES)


def _is_stub(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    if any("abstract" in ast.unparse(d) or "overload" in ast.unparse(d) for d in node.decorator_list):
        return False
    body = [s for s in node.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    if len(body) != 1 or not isinstance(body[0], ast.Raise) or body[0].exc is None:
        return False
    raised = body[0].exc
    return ast.unparse(raised.func if isinstance(raised, ast.Call) else raised) == "NotImplementedError"
