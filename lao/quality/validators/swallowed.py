"""Errors that are caught and dropped: Python, JavaScript, TypeScript, Swift, Go, Rust. Notes, since some are meant."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Final

from lao.core.words import Finding, Severity
from lao.quality.protection import is_test
from lao.quality.validators.change import Change, Smell, lines_of
from lao.quality.validators.masking import SCRIPTS, line_at, line_text, masked
from lao.quality.validators.trees import nodes_of

ID: Final = "swallowed_errors"
CONFIDENCE: Final = 0.8
_BROAD: Final = frozenset({"Exception", "BaseException"})
_SCRIPT: Final = re.compile(r"\bcatch\s*(?:\([^(){}\n]*\))?\s*\{\s*\}|\.catch\(\s*(?:\(\w*\)|\w+)\s*=>\s*\{\s*\}\s*\)")
_PATTERNS: Final = {
    ".swift": re.compile(r"\bcatch\b[^{}\n]*\{\s*\}"),
    ".go": re.compile(r"^[ \t]*_ = err\b|\bif err != nil \{\s*\}", re.M),
    ".rs": re.compile(r"\bErr\(_\w*\)\s*=>\s*(?:\{\s*\}|\(\))"),
    **dict.fromkeys(SCRIPTS, _SCRIPT),
}  # fmt: skip


def look(change: Change) -> Iterator[Finding]:
    """A note for each file; an empty catch with a comment in it says why, and is left alone."""
    for path, smells in change.fresh(_smells, ".py", *_PATTERNS):
        if is_test(path):
            continue
        message = f"{path!r} catches errors and drops them at {lines_of(smells)}: {smells[0].shown}"
        hint = "handle it, log it, or let it go on; where dropping is right, name the one class of error"
        yield Finding(Severity.MINOR, "swallowed_error", message, path, hint, ID, CONFIDENCE)


def _smells(path: str, text: str) -> Iterator[Smell]:
    if path.endswith(".py"):
        yield from _python(text)
        return
    code = masked(text, comment="~")
    for match in _PATTERNS[PurePosixPath(path).suffix.lower()].finditer(code):
        number = line_at(text, match.start())
        shown = line_text(text, number)
        yield Smell(number, shown, shown[:120])


def _python(text: str) -> Iterator[Smell]:
    lines = text.split("\n")
    for node in nodes_of(text):
        if not isinstance(node, ast.ExceptHandler) or not _is_broad(node.type) or not all(map(_is_empty, node.body)):
            continue
        commented = any("#" in line for line in lines[node.lineno - 1 : node.body[-1].end_lineno])
        if not commented:
            shown = lines[node.lineno - 1].strip()
            yield Smell(node.lineno, f"{shown} {ast.dump(node)}", shown)


def _is_broad(caught: ast.expr | None) -> bool:
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(name is None or (isinstance(name, ast.Name) and name.id in _BROAD) for name in names)


def _is_empty(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass | ast.Continue) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )
