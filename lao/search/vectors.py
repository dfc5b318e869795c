"""Vectors of chunks by an embedding model: made in batches, kept in the index, the nearest ones to a query found.

No numpy: the signs of all vectors, one bit a dimension, choose two hundred, which are then compared exactly.
Measured in docs/benchmarks.md.
"""

from __future__ import annotations

import math
import sqlite3
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import mul
from pathlib import Path
from typing import Final, Protocol

from lao.core.errors import Terminal
from lao.search.index import folder_of
from lao.search.listing import content_of
from lao.search.store import IndexFile, transaction

BATCH: Final = 16
_COMPARED: Final = 200


class Embedder(Protocol):
    """Turns texts into vectors of one length.

    Attributes:
        model: its name; vectors of another one are not compared with its own.
    """

    model: str

    def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text, in order. Raises Transient, Terminal, ConfigError."""
        ...


@dataclass(frozen=True)
class Embedded:
    """What ``embed_missing`` did: chunks that got a vector, those still without one, batches, seconds."""

    done: int
    left: int
    batches: int
    seconds: float

    @property
    def rate(self) -> float:
        """Chunks a second."""
        return self.done / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class _Missing:
    chunk: int
    path: str
    first: int
    last: int


def embed_missing(
    index: IndexFile,
    root: Path,
    embedder: Embedder,
    *,
    batch: int = BATCH,
    within_s: float | None = None,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> Embedded:
    """Give the chunks of a refreshed workspace their vectors. What is done is kept, however it ends.

    Args:
        batch: texts in one request.
        within_s: no further request after so many seconds; None: until all is done.
        tell: called with the chunks done and to be done.

    Raises:
        Transient, Terminal, ConfigError: the embedder's; batches before are kept.
    """
    begun = time.monotonic()
    missing = index.use(lambda db: _missing(db, root, embedder.model))
    done = batches = 0
    while done < len(missing):
        if within_s is not None and time.monotonic() - begun > within_s:
            break
        some = missing[done : done + batch]
        vectors = _unit(embedder.embed([_text(root, part) for part in some]), len(some), embedder.model)
        index.use(lambda db, some=some, vectors=vectors: _keep(db, embedder.model, some, vectors))  # type: ignore[misc]
        done, batches = done + len(some), batches + 1
        tell(done, len(missing))
    return Embedded(done, len(missing) - done, batches, time.monotonic() - begun)


def nearest(db: sqlite3.Connection, folder: int, model: str, vector: Sequence[float], limit: int = 50) -> list[int]:
    """The chunks of a workspace that are nearest to a vector, best first. Raises sqlite3.Error."""
    wanted = _unit([vector], 1, model)[0]
    bits, size = int.from_bytes(_signs(wanted), "big"), 2 * len(wanted)
    rows = db.execute(
        "SELECT v.chunk, v.signs FROM files f JOIN chunks c ON c.content=f.content "
        "JOIN vectors v ON v.chunk=c.id AND v.model=? WHERE f.folder=?",
        (model, folder),
    ).fetchall()
    near = sorted({(int.bit_count(bits ^ int.from_bytes(signs, "big")), chunk) for chunk, signs in rows})[:_COMPARED]
    scored = []
    for _, chunk in near:
        (blob,) = db.execute("SELECT vector FROM vectors WHERE model=? AND chunk=?", (model, chunk)).fetchone()
        if len(blob) == size:  # the model's vectors may have had another length once
            scored.append((-sum(map(mul, wanted, struct.unpack(f"<{len(wanted)}e", blob))), chunk))
    return [chunk for _, chunk in sorted(scored)[:limit]]


def _missing(db: sqlite3.Connection, root: Path, model: str) -> list[_Missing]:
    rows = db.execute(
        "SELECT c.id, min(p.path), c.first, c.last FROM files f JOIN paths p ON p.id=f.path "
        "JOIN chunks c ON c.content=f.content WHERE f.folder=? "
        "AND NOT EXISTS (SELECT 1 FROM vectors v WHERE v.model=? AND v.chunk=c.id) GROUP BY c.id ORDER BY c.id",
        (folder_of(db, root), model),
    )
    return [_Missing(*row) for row in rows]


def _text(root: Path, part: _Missing) -> str:
    """The chunk with its path, which says much of what it is about."""
    raw, _ = content_of(root, part.path)
    lines = raw.decode("utf-8", "replace").splitlines()[part.first - 1 : part.last]
    return "\n".join([part.path, *(line[:400] for line in lines)])


def _keep(db: sqlite3.Connection, model: str, some: Sequence[_Missing], vectors: Sequence[Sequence[float]]) -> None:
    with transaction(db):
        for part, vector in zip(some, vectors, strict=True):
            if db.execute("SELECT 1 FROM chunks WHERE id=?", (part.chunk,)).fetchone():
                row = (model, part.chunk, _signs(vector), struct.pack(f"<{len(vector)}e", *vector))
                db.execute("INSERT OR REPLACE INTO vectors VALUES(?, ?, ?, ?)", row)


def _signs(vector: Sequence[float]) -> bytes:
    text = "".join("1" if value > 0 else "0" for value in vector)
    return int(text, 2).to_bytes((len(text) + 7) // 8, "big")


def _unit(vectors: Sequence[Sequence[float]], wanted: int, model: str) -> list[list[float]]:
    """Vectors of length 1.

    Raises:
        Terminal: they are not what was asked for.
    """
    if len(vectors) != wanted or len({len(v) for v in vectors}) != 1 or not vectors[0]:
        raise Terminal(f"the embedder {model!r} gave {len(vectors)} vectors for {wanted} texts, or uneven ones")
    found = []
    for vector in vectors:
        length = math.sqrt(sum(map(mul, vector, vector)))
        if not math.isfinite(length):
            raise Terminal(f"the embedder {model!r} gave a vector that is no number")
        found.append([value / (length or 1.0) for value in vector])
    return found
