"""Keyword ranking: BM25 over identifiers cut into words, file names counting more. Pure; opens no file."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_K1: Final = 1.2
_B: Final = 0.75
_NAME_WEIGHT: Final = 5
_WORD: Final = re.compile(r"[^\W_]+")
_CAMEL: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_]+")


@dataclass(frozen=True)
class Document:
    """A file: its workspace-relative path and its text ("" when only the name counts)."""

    path: str
    text: str


def terms(text: str) -> Counter[str]:
    """Lower-case words, and the parts of camelCase ones: ``parseHTTPHeader`` → parsehttpheader, parse, http, header."""
    counts: Counter[str] = Counter()
    for word, number in Counter(_WORD.findall(text)).items():
        counts[word.lower()] += number
        parts = _CAMEL.findall(word)
        if len(parts) > 1:
            for part in parts:
                counts[part.lower()] += number
    return counts


def words(query: str) -> frozenset[str]:
    """The words of a query, those of one letter left out."""
    return frozenset(w for w in terms(query) if len(w) > 1)


def rank(documents: Sequence[Document], query: str) -> list[Document]:
    """The documents that have a word of the query, best first, ties by path."""
    wanted = words(query)
    counted: list[tuple[Document, Counter[str], int]] = []
    for document in documents:
        counts = terms(document.text)
        for term, number in terms(document.path).items():
            counts[term] += number * _NAME_WEIGHT
        counted.append((document, counts, sum(counts.values())))
    average = sum(length for _, _, length in counted) / max(len(counted), 1) or 1.0
    frequency = {w: sum(1 for _, counts, _ in counted if counts[w]) for w in wanted}
    scored = []
    for document, counts, length in counted:
        score = 0.0
        for word in wanted:
            if number := counts[word]:
                rarity = math.log(1 + (len(counted) - frequency[word] + 0.5) / (frequency[word] + 0.5))
                score += rarity * number * (_K1 + 1) / (number + _K1 * (1 - _B + _B * length / average))
        if score > 0:
            scored.append((-score, document.path, document))
    return [document for _, _, document in sorted(scored, key=lambda s: s[:2])]


def best_line(text: str, query: str) -> tuple[int, str]:
    """Number (from 1) and text of the line with the most words of the query; (0, "") when none has any."""
    wanted = words(query)
    best, found = 0, (0, "")
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) < 2_000 and (score := len(wanted & terms(line).keys())) > best:
            best, found = score, (number, line.strip())
    return found
