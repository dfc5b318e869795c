"""Candidates crossed: the nearest one with a single definition taken from another. Needs no model; runs no check.

Samples of a weak model are often right in different places: one in its constructor, another in its comparison.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lao.agents.ladder import Files
from lao.core.python_source import definitions, with_definition


def crossings(base: Files, others: Sequence[Files]) -> Iterator[Files]:
    """``base`` with one function or method of one of ``others``, each different result once.

    Args:
        others: the most promising first. Only Python files that ``base`` has too, and definitions that it has too.
    """
    made: set[tuple[str, str, str]] = set()
    for other in others:
        theirs = dict(other)
        for number, (path, text) in enumerate(base):
            if not path.endswith(".py") or path not in theirs or theirs[path] == text:
                continue
            own = definitions(text)
            for name, found in definitions(theirs[path]).items():
                key = (path, name, found.shape)
                if name not in own or own[name].shape == found.shape or key in made:
                    continue
                made.add(key)
                if changed := with_definition(text, name, found.source):
                    yield (*base[:number], (path, changed), *base[number + 1 :])
