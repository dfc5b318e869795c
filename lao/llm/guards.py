"""Watches a stream of tokens for the moment when a model only repeats itself. Ends nothing; the client hangs up."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from lao.llm.failures import Failure

_BLANK_RUN = 300
"""White-space characters in a row. Files have at most a few blank lines and an indentation."""

_CHECK_EVERY = 1000
_REPEATED = 3000
"""Characters of a piece over and over. A page of zeros stays below."""

_TIMES = 5
_LONGEST = 1500
_WINDOW = 8000
_KEY = 48
_SENTENCES = 60
_DISTINCT = 8
_SENTENCE = re.compile(r"[^.!?\n]{12,}[.!?\n]")


@dataclass
class Guard:
    """One stream of text of an answer.

    Args:
        prose: thinking: there also the same few sentences in any order are a loop. In an answer they may be a table.
    """

    prose: bool = False
    _parts: list[str] = field(default_factory=list)
    _blank: int = 0
    _unchecked: int = 0

    def feed(self, piece: str) -> Failure | None:
        """Take what was generated; the class of what is wrong, or None."""
        self._parts.append(piece)
        kept = piece.rstrip()
        self._blank = len(piece) - len(kept) + (0 if kept else self._blank)
        if self._blank >= _BLANK_RUN:
            return Failure.WHITESPACE_RUNAWAY
        self._unchecked += len(piece)
        if self._unchecked < _CHECK_EVERY:
            return None
        self._unchecked = 0
        tail = "".join(self._parts)[-_WINDOW:]
        self._parts = [tail]
        return Failure.TOKEN_LOOP if repeats(tail) or (self.prose and _circles(tail)) else None


def repeats(tail: str) -> bool:
    """Whether a text ends in one piece over and over: a short one for long, or a long one many times."""
    key = tail[-_KEY:]
    at = len(tail) - len(key)
    for _ in range(8):
        at = tail.rfind(key, 0, at + len(key) - 1)
        if at < 0:
            return False
        period = len(tail) - len(key) - at
        if period > _LONGEST:
            return False
        length = max(_REPEATED, period * _TIMES)
        if len(tail) >= length and tail[-length + period :] == tail[-length:-period]:
            return True
    return False


def _circles(tail: str) -> bool:
    sentences = [s.strip().lower() for s in _SENTENCE.findall(tail)][-_SENTENCES:]
    return len(sentences) == _SENTENCES and len(Counter(sentences)) <= _DISTINCT
