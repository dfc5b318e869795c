"""Candidates crossed: the nearest ones with a function, or the constants, of another. Asks no model, runs no check.

Samples of a weak model are often right in different places: one in its constructor, another in its comparison.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

from lao.agents.ladder import Files
from lao.core.python_source import constants, definitions, with_constants, with_definition

_NEAR: Final = 0.05
"""Score below the best at which a candidate is worth being crossed too: the best of equals is luck."""


def offspring(pool: Sequence[tuple[float, Files]]) -> Iterator[Files]:
    """Crossings of all candidates that are near the best, in turn. ``pool``: (score, files), the best first."""
    if not pool:
        return
    everyone = [files for _, files in pool]
    near = [crossings(files, everyone) for score, files in pool if score >= pool[0][0] - _NEAR]
    seen: set[Files] = set(everyone)
    for together in zip_longest(*near):
        for files in together:
            if files is not None and files not in seen:
                seen.add(files)
                yield files


def crossings(base: Files, others: Sequence[Files]) -> Iterator[Files]:
    """``base`` with all constants, or one function or method, of one of ``others``; each different result once.

    Args:
        others: the most promising first. Only Python files that ``base`` has too, and definitions that it has too.
    """
    made: set[tuple[str, str, str]] = set()
    for other in others:
        theirs = dict(other)
        for number, (path, text) in enumerate(base):
            if not path.endswith(".py") or path not in theirs or theirs[path] == text:
                continue
            for name, shape, changed in _exchanges(text, theirs[path]):
                if changed and (path, name, shape) not in made:
                    made.add((path, name, shape))
                    yield (*base[:number], (path, changed), *base[number + 1 :])


def _exchanges(text: str, other: str) -> Iterator[tuple[str, str, str]]:
    """(what, its shape, ``text`` with it). Constants mean something together: all of them are taken, or none."""
    values = constants(other)
    yield "", "\n".join(values[name].shape for name in sorted(values)), with_constants(text, values)
    own = definitions(text)
    for name, found in definitions(other).items():
        if name in own and own[name].shape != found.shape:
            yield name, found.shape, with_definition(text, name, found.source)
