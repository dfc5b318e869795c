"""The grammars of tree-sitter that are installed (extra ``grammars``): names that a text defines and refers to."""

from __future__ import annotations

import functools
from collections import Counter
from importlib import import_module, util
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tree_sitter import Language, Query

_PACKAGES: Final = {
    "javascript": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "tsx": ("tree_sitter_typescript", "language_tsx"),
    "go": ("tree_sitter_go", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "java": ("tree_sitter_java", "language"),
    "c": ("tree_sitter_c", "language"),
    "cpp": ("tree_sitter_cpp", "language"),
}
_MORE: Final = {"typescript": "tree_sitter_javascript", "tsx": "tree_sitter_javascript"}
"""TypeScript's own query has only what JavaScript lacks."""


@functools.cache
def has(language: str) -> bool:
    """Whether the language's grammar and tree-sitter are installed."""
    package = _PACKAGES.get(language, ("",))[0]
    return bool(package) and all(util.find_spec(name) is not None for name in ("tree_sitter", package))


def tags(language: str, text: str) -> tuple[list[tuple[str, int]], Counter[str]] | None:
    """(name, line from 1) of each definition, and how often names are referred to; None without a grammar."""
    loaded = _load(language)
    if loaded is None:
        return None
    from tree_sitter import Parser, QueryCursor

    grammar, query = loaded
    raw = text.encode("utf-8", "replace")
    defined: list[tuple[str, int]] = []
    references: Counter[str] = Counter()
    for _, captures in QueryCursor(query).matches(Parser(grammar).parse(raw).root_node):
        is_definition = any(name.startswith("definition.") for name in captures)
        is_reference = any(name.startswith("reference.") for name in captures)
        for node in captures.get("name", ()):
            name = raw[node.start_byte : node.end_byte].decode("utf-8", "replace")
            if is_definition:
                defined.append((name, node.start_point[0] + 1))
            elif is_reference:
                references[name] += 1
    return defined, references


@functools.cache
def _load(language: str) -> tuple[Language, Query] | None:
    """The grammar with its query; None where it is not installed or made for another version of tree-sitter."""
    if not has(language):
        return None
    from tree_sitter import Language, Query, QueryError

    package, function = _PACKAGES[language]
    module = import_module(package)
    texts = [module.TAGS_QUERY]
    if language in _MORE and util.find_spec(_MORE[language]) is not None:
        texts.append(import_module(_MORE[language]).TAGS_QUERY)
    try:
        grammar = Language(getattr(module, function)())
        return grammar, Query(grammar, "\n".join(texts))
    except (ValueError, QueryError):
        return None
