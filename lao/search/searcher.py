"""Search as the tools use it: the index is brought up to date, then asked; with vectors where an embedder answers."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from lao.core.errors import ConfigError, Terminal, Transient
from lao.search.index import folder_of, refresh_in
from lao.search.ranking import Hit, by_nearness, by_words, fused
from lao.search.store import IndexFile
from lao.search.vectors import Embedder, embed_missing, nearest

log = logging.getLogger("lao")

READING_S: Final = 20.0
"""Of one search, for files that the index does not know; the next search goes on."""

EMBEDDING_S: Final = 5.0


class Searcher:
    """Finds files of any workspace of a project. May be used by several threads.

    Args:
        index: where what was read is kept.
        embedder: gives the embedder that is resident now, or None; asked until it fails once.
    """

    def __init__(self, index: IndexFile, embedder: Callable[[], Embedder | None] = lambda: None) -> None:
        self.index = index
        self._embedder = embedder
        self._failed = False
        self._lock = threading.Lock()

    def find(self, root: Path, query: str, marker: str = "") -> list[Hit]:
        """The files that fit the query, best first. Never fails for want of the index or the embedder."""
        meaning = self._meaning(root, query, marker)

        def look(db: sqlite3.Connection) -> list[Hit]:
            refresh_in(db, root, marker=marker, within_s=READING_S)
            folder = folder_of(db, root)
            words = by_words(db, folder, query)
            if meaning is None:
                return words
            model, vector = meaning
            return fused([words, by_nearness(db, folder, nearest(db, folder, model, vector))])

        return self.index.use(look)

    def _meaning(self, root: Path, query: str, marker: str) -> tuple[str, list[float]] | None:
        """The embedder's model and the query's vector; None without an embedder, which is said once."""
        with self._lock:
            if self._failed or self.index.path is None or not query.strip():
                return None
            try:
                embedder = self._embedder()
                if embedder is None:
                    return None
                self.index.use(lambda db: refresh_in(db, root, marker=marker, within_s=READING_S))
                embed_missing(self.index, root, embedder, within_s=EMBEDDING_S)
                return embedder.model, embedder.embed([query])[0]
            except (Transient, Terminal, ConfigError) as error:
                self._failed = True
                log.warning("searching by keywords alone: %s", error)
                return None
