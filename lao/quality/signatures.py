"""When two things are the same for the search: a failure's text without its figures, code without its looks."""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from collections.abc import Iterable, Mapping
from typing import Final

_VARYING: Final = (
    (re.compile(r"0x[0-9a-fA-F]+"), "0x"),
    (re.compile(r"(?:file://)?/(?:[^\s/:'\"()<>]+/)+"), ""),
    (re.compile(r"\d+(?:[.,]\d+)*(?:e[+-]?\d+)?\s?(?:ms|µs|ns|s|seconds?)?\b"), "N"),
    (re.compile(r"\s+"), " "),
)


def steady(text: str) -> str:
    """``text`` with addresses, folders, figures and whitespace normalised."""
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    return text.strip()


def digest_of(parts: Iterable[str]) -> str:
    """A short hash that is the same in every process."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:20]


def code_signature(files: Mapping[str, str]) -> str:
    """The same for two versions that differ in comments, docstrings, blank lines or formatting only.

    Args:
        files: text by path.
    """
    return digest_of(part for path in sorted(files) for part in (path, _essence(path, files[path])))


def _essence(path: str, text: str) -> str:
    if path.endswith((".py", ".pyi")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.dump(without_docstrings(ast.parse(text)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            pass  # compared as text then
    return " ".join(text.split())


def without_docstrings(tree: ast.Module) -> ast.Module:
    """The same tree, changed in place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
    return tree
