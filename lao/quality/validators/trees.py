"""Parsed Python for the validators: each text is parsed and walked once, however many look at it."""

from __future__ import annotations

import ast
from functools import lru_cache
from typing import Final

from lao.core.python_source import parsed

_LARGEST: Final = 300_000
"""Characters; a larger file was written by a program."""


@lru_cache(maxsize=64)
def tree_of(text: str) -> ast.Module | None:
    """The tree; None for what does not parse or is too large. It is shared: nobody may change it."""
    return parsed(text) if len(text) <= _LARGEST else None


@lru_cache(maxsize=64)
def nodes_of(text: str) -> tuple[ast.AST, ...]:
    """All nodes of the tree, the outer before the inner; () for what does not parse."""
    tree = tree_of(text)
    return tuple(ast.walk(tree)) if tree is not None else ()
