"""Ranks the files of an indexed workspace for a query: by words in text and names, by meaning where vectors are there.

Reads the index only; refreshing it and asking the embedder are elsewhere.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from lao.search.words import asked

_NAMES_WEIGHT: Final = 2.0
_PATH_WEIGHT: Final = 1.0
_FURTHER: Final = 0.5
"""What the next best part of a file adds to its score; the one after it the square of that, and so on."""

_MOST_CHUNKS: Final = 600
_MOST_PATHS: Final = 300
_ENOUGH: Final = 50
_FUSE: Final = 60
"""The constant of reciprocal rank fusion (Cormack and others, SIGIR 2009)."""

_DEPTH: Final = 10
"""Ranks below this are noise: a file that has one common word of the query has a rank as well."""


@dataclass(frozen=True)
class Hit:
    """A file, and the lines of its best part; both 0 when only its name fits."""

    path: str
    first: int
    last: int


def by_words(db: sqlite3.Connection, folder: int, query: str) -> list[Hit]:
    """Files that have a word of the query in text or name, best first, ties by path. Raises sqlite3.Error."""
    match = " OR ".join(f'"{word}"' for word in asked(query))
    if not match:
        return []
    parts: dict[str, list[tuple[float, int, int]]] = defaultdict(list)
    for path, first, last, score in _chunks(db, folder, match):
        parts[path].append((-score, first, last))
    scores = {path: _sum(score for score, _, _ in found) for path, found in parts.items()}
    for path, score in _paths(db, folder, match):
        scores[path] = scores.get(path, 0.0) - _PATH_WEIGHT * score
    ranked = sorted(scores, key=lambda path: (-scores[path], path))
    return [Hit(path, *max(parts.get(path, [(0.0, 0, 0)]))[1:]) for path in ranked]


def by_nearness(db: sqlite3.Connection, folder: int, chunks: Sequence[int]) -> list[Hit]:
    """The files of chunks that are given best first; each file once, with its best part. Raises sqlite3.Error."""
    found: dict[str, Hit] = {}
    for chunk in chunks:
        rows = db.execute(
            "SELECT p.path, c.first, c.last FROM chunks c JOIN files f ON f.content=c.content AND f.folder=? "
            "JOIN paths p ON p.id=f.path WHERE c.id=? ORDER BY p.path",
            (folder, chunk),
        )
        for path, first, last in rows:
            found.setdefault(path, Hit(path, first, last))
    return list(found.values())


def fused(rankings: Sequence[Sequence[Hit]]) -> list[Hit]:
    """One ranking of several: each gives its first ten files 1 / (60 + rank); the others follow in their order.

    The best part is that of the first ranking that has one.
    """
    scores: dict[str, float] = defaultdict(float)
    hits: dict[str, Hit] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking, 1):
            scores[hit.path] += 1 / (_FUSE + rank) if rank <= _DEPTH else 0.0
            if hit.path not in hits or not hits[hit.path].first:
                hits[hit.path] = hit
    return [hits[path] for path in sorted(scores, key=lambda path: -scores[path])]


def _chunks(db: sqlite3.Connection, folder: int, match: str) -> list[tuple[str, int, int, float]]:
    """The best parts; all of them when those of other workspaces took most of the places."""
    found = _best_chunks(db, folder, match, _MOST_CHUNKS)
    return found if len(found) > _ENOUGH else _best_chunks(db, folder, match, -1)


def _best_chunks(db: sqlite3.Connection, folder: int, match: str, most: int) -> list[tuple[str, int, int, float]]:
    return db.execute(
        "SELECT p.path, c.first, c.last, m.score FROM (SELECT rowid AS chunk, bm25(chunk_words, ?, 1.0) AS score "
        "FROM chunk_words WHERE chunk_words MATCH ? ORDER BY score LIMIT ?) m JOIN chunks c ON c.id=m.chunk "
        "JOIN files f ON f.content=c.content AND f.folder=? JOIN paths p ON p.id=f.path",
        (_NAMES_WEIGHT, match, most, folder),
    ).fetchall()


def _paths(db: sqlite3.Connection, folder: int, match: str) -> list[tuple[str, float]]:
    found = _best_paths(db, folder, match, _MOST_PATHS)
    return found if len(found) > _ENOUGH else _best_paths(db, folder, match, -1)


def _best_paths(db: sqlite3.Connection, folder: int, match: str, most: int) -> list[tuple[str, float]]:
    return db.execute(
        "SELECT p.path, m.score FROM (SELECT rowid AS path, bm25(path_words) AS score FROM path_words "
        "WHERE path_words MATCH ? ORDER BY score LIMIT ?) m JOIN files f ON f.path=m.path AND f.folder=? "
        "JOIN paths p ON p.id=m.path",
        (match, most, folder),
    ).fetchall()


def _sum(scores: Iterable[float]) -> float:
    return sum(score * _FURTHER**place for place, score in enumerate(sorted(scores, reverse=True)))
