"""Words of text, identifiers and queries: cut at camelCase and snake_case, lower case. Opens no file, ranks nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_WORD: Final = re.compile(r"[^\W_]+")
_CAMEL: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_]+")
_ENDING: Final = re.compile(r"(?:ations?|ings?|ers?|ions?|ies|ed|es|s|y|e)$")
_LEAST_STEM: Final = 3
_LONGEST_WORD: Final = 64
_LONGEST_LINE: Final = 2_000
_SAY_NOTHING: Final = frozenset(
    """a an and are as at be by can do does for from has have how i in into is it its my of on or our so that the their
    then there these this to use used using was we what when where which who why will with you your""".split()  # noqa: SIM905
)


def words_of(text: str) -> Iterable[str]:
    """Lower-case words in order, each camelCase one followed by its parts: ``parseHTTPHeader`` gives parsehttpheader,
    parse, http, header. Words of more than 64 characters (encoded data) are left out."""
    for word in _WORD.findall(text):
        if len(word) > _LONGEST_WORD:
            continue
        yield word.lower()
        parts = _CAMEL.findall(word)
        if len(parts) > 1:
            yield from (part.lower() for part in parts)


def asked(query: str) -> tuple[str, ...]:
    """The words of a query, each once and in order; single letters are left out, and words that say nothing ("the",
    "how") where others are left."""
    found = [w for w in dict.fromkeys(words_of(query)) if len(w) > 1]
    return tuple(w for w in found if w not in _SAY_NOTHING) or tuple(found)


def stem(word: str) -> str:
    """``word`` without a usual English ending: parse, parser and parsing are the same."""
    cut = _ENDING.sub("", word)
    return cut if len(cut) >= _LEAST_STEM else word


def best_line(text: str, query: str, first: int = 1, last: int | None = None) -> tuple[int, str]:
    """Number (from 1) and text of the line with the most words of the query; (0, "") when none has any.

    Args:
        first, last: only these lines are looked at, both included; None is the end.
    """
    wanted = {stem(w) for w in asked(query)}
    best, found = 0, (0, "")
    for number, line in enumerate(text.splitlines()[first - 1 : last], first):
        if len(line) < _LONGEST_LINE and (score := len(wanted & {stem(w) for w in words_of(line)})) > best:
            best, found = score, (number, line.strip())
    return found
