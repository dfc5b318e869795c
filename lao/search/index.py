"""Keeps the index of a workspace up to date: what changed is read, what is known by its content is not read twice.

Answers no question (``lao.search.ranking``); vectors are made in ``lao.search.vectors``.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lao.search.cutting import Chunk, cut
from lao.search.listing import MAX_FILES, Listed, content_of, files_of
from lao.search.store import IndexFile, transaction
from lao.search.tags import Tags, language_of, reader_of, tags_of
from lao.search.words import words_of

_BATCH: Final = 64
_GONE_KEPT: Final = 8
"""Folders that are gone and whose contents stay: the next desk has nearly the same files."""

_FRESH_NS: Final = 100_000_000
"""A file that changed this recently may change again without another stamp (clocks of file systems are coarse)."""


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did.

    Attributes:
        files: of the workspace that are in the index now, those by name only included.
        read: files that were opened, since their stamp was new.
        added: contents that the index did not know yet, and ``added_bytes`` of them.
        removed: files that are gone.
        by_name: why files are known by name only ("big", "binary", "link", "unreadable"), and how many.
        left: changed files that were not read for lack of time.
        beyond: files beyond the most that are indexed.
        seconds: wall time.
    """

    files: int = 0
    read: int = 0
    added: int = 0
    added_bytes: int = 0
    removed: int = 0
    by_name: Mapping[str, int] = field(default_factory=dict)
    left: int = 0
    beyond: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class _Prepared:
    """A content that is ready to be stored."""

    tags: Tags
    chunks: tuple[Chunk, ...]
    rows: tuple[tuple[str, str], ...]


def refresh(
    index: IndexFile,
    root: Path,
    *,
    marker: str = "",
    within_s: float | None = None,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> Refreshed:
    """Bring the index of a workspace up to date.

    Args:
        marker: put on the git that lists the files.
        within_s: no further file is read after so many seconds; None: all are read.
        tell: called with the files read and to be read.
    """
    return index.use(lambda db: refresh_in(db, root, marker=marker, within_s=within_s, tell=tell))


def refresh_in(
    db: sqlite3.Connection,
    root: Path,
    *,
    marker: str = "",
    within_s: float | None = None,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> Refreshed:
    """``refresh`` on an open index. Raises sqlite3.Error."""
    begun = time.monotonic()
    real = Path(os.path.realpath(root))
    listed, beyond = files_of(real, marker, MAX_FILES)
    folder, known = _known(db, real)
    changed = [file for file in listed if known.get(file.path, "") != _stamp(file)]
    gone = sorted(known.keys() - {file.path for file in listed})
    added, added_bytes, done = 0, 0, 0
    while done < len(changed):
        if within_s is not None and done and time.monotonic() - begun > within_s:
            break
        some = changed[done : done + _BATCH]
        count, size = _take_in(db, real, folder, some)
        added, added_bytes, done = added + count, added_bytes + size, done + len(some)
        tell(done, len(changed))
    if done < len(changed):
        with transaction(db):
            _note(db, folder, [(file, None, file.note, "") for file in changed[done:] if file.path not in known])
    if gone or changed:
        with transaction(db):
            _remove(db, folder, gone)
            _forget_unused(db)
    return Refreshed(
        len(listed), done, added, added_bytes, len(gone), _notes(db, folder), len(changed) - done, beyond,
        time.monotonic() - begun,
    )  # fmt: skip


def folder_of(db: sqlite3.Connection, root: Path) -> int:
    """The workspace's number in the index, 0 when it was never indexed. Raises sqlite3.Error."""
    row = db.execute("SELECT id FROM folders WHERE path=?", (os.path.realpath(root),)).fetchone()
    return int(row[0]) if row else 0


def _known(db: sqlite3.Connection, root: Path) -> tuple[int, dict[str, str]]:
    """The folder's number, and the stamp of each file of it."""
    with transaction(db):
        db.execute("INSERT OR IGNORE INTO folders(path) VALUES(?)", (str(root),))
    folder = folder_of(db, root)
    rows = db.execute("SELECT p.path, f.stamp FROM files f JOIN paths p ON p.id=f.path WHERE f.folder=?", (folder,))
    return folder, dict(rows)


def _stamp(file: Listed) -> str:
    language = language_of(file.path)
    return ":".join([*map(str, file.stamp), reader_of(language)])


def _take_in(db: sqlite3.Connection, root: Path, folder: int, files: Sequence[Listed]) -> tuple[int, int]:
    """Read files and store them, all or none; how many contents were new, and their bytes."""
    now = time.time_ns()
    read: list[tuple[Listed, str, str, bytes]] = []
    for file in files:
        raw, note = (b"", file.note) if file.note else content_of(root, file.path)
        read.append((file, _key(file.path, raw) if not note else "", note, raw))
    there = _ids(db, {key for _, key, _, _ in read if key})
    prepared = {key: _prepare(file.path, raw) for file, key, _, raw in read if key and key not in there}
    sizes = {key: len(raw) for _, key, _, raw in read if key in prepared}
    with transaction(db):
        there = _ids(db, {key for _, key, _, _ in read if key})  # others may have stored or forgotten some meanwhile
        for file, key, _, raw in read:
            if key and key not in there:
                there[key] = _store(db, key, prepared.get(key) or _prepare(file.path, raw))
        stamps = ["" if now - file.stamp[2] < _FRESH_NS else _stamp(file) for file, _, _, _ in read]
        rows = [(f, there.get(key), note, stamp) for (f, key, note, _), stamp in zip(read, stamps, strict=True)]
        _note(db, folder, rows)
    return len(sizes), sum(sizes.values())


def _key(path: str, raw: bytes) -> str:
    language = language_of(path)
    return f"{hashlib.sha256(raw).hexdigest()}.{language}.{reader_of(language)}"


def _prepare(path: str, raw: bytes) -> _Prepared:
    text = raw.decode("utf-8", "replace")
    tags = tags_of(language_of(path), text)
    chunks = cut(text)
    rows = []
    for chunk in chunks:
        names = " ".join(d.name for d in tags.definitions if chunk.first <= d.line <= chunk.last)
        rows.append((" ".join(words_of(names)), " ".join(words_of(chunk.text))))
    return _Prepared(tags, chunks, tuple(rows))


def _ids(db: sqlite3.Connection, keys: Iterable[str]) -> dict[str, int]:
    wanted = tuple(keys)
    marks = ",".join("?" * len(wanted))
    return dict(db.execute(f"SELECT key, id FROM contents WHERE key IN ({marks})", wanted))


def _store(db: sqlite3.Connection, key: str, made: _Prepared) -> int:
    text = made.tags.to_text().encode("utf-8", "replace").decode("utf-8")
    content = db.execute("INSERT INTO contents(key, tags) VALUES(?, ?)", (key, text)).lastrowid
    for chunk, (names, words) in zip(made.chunks, made.rows, strict=True):
        row = (content, chunk.first, chunk.last)
        number = db.execute("INSERT INTO chunks(content, first, last) VALUES(?, ?, ?)", row).lastrowid
        db.execute("INSERT INTO chunk_words(rowid, names, words) VALUES(?, ?, ?)", (number, names, words))
    return int(content or 0)


def _note(db: sqlite3.Connection, folder: int, rows: Sequence[tuple[Listed, int | None, str, str]]) -> None:
    """The rows of files: (file, content, note, stamp)."""
    for file, content, note, stamp in rows:
        found = db.execute("SELECT id FROM paths WHERE path=?", (file.path,)).fetchone()
        if found is None:
            path = db.execute("INSERT INTO paths(path) VALUES(?)", (file.path,)).lastrowid
            words = " ".join(words_of(file.path))
            db.execute("INSERT INTO path_words(rowid, words) VALUES(?, ?)", (path, words))
        else:
            path = found[0]
        db.execute("INSERT OR REPLACE INTO files VALUES(?, ?, ?, ?, ?)", (folder, path, content, stamp, note))


def _remove(db: sqlite3.Connection, folder: int, paths: Sequence[str]) -> None:
    for path in paths:
        db.execute(
            "DELETE FROM files WHERE folder=? AND path=(SELECT id FROM paths WHERE path=?)",
            (folder, path),
        )


def _forget_unused(db: sqlite3.Connection) -> None:
    """Folders that are gone but for the last ones; contents and paths that no folder has."""
    gone = [n for n, path in db.execute("SELECT id, path FROM folders ORDER BY id DESC") if not Path(path).is_dir()]
    for folder in gone[_GONE_KEPT:]:
        db.execute("DELETE FROM files WHERE folder=?", (folder,))
        db.execute("DELETE FROM folders WHERE id=?", (folder,))
    contents = db.execute(
        "SELECT id FROM contents WHERE id NOT IN (SELECT content FROM files WHERE content IS NOT NULL)"
    ).fetchall()
    for (content,) in contents:
        for (chunk,) in db.execute("SELECT id FROM chunks WHERE content=?", (content,)).fetchall():
            db.execute("DELETE FROM chunk_words WHERE rowid=?", (chunk,))
            db.execute("DELETE FROM vectors WHERE chunk=?", (chunk,))
        db.execute("DELETE FROM chunks WHERE content=?", (content,))
        db.execute("DELETE FROM contents WHERE id=?", (content,))
    for (path,) in db.execute("SELECT id FROM paths WHERE id NOT IN (SELECT path FROM files)").fetchall():
        db.execute("DELETE FROM path_words WHERE rowid=?", (path,))
        db.execute("DELETE FROM paths WHERE id=?", (path,))


def _notes(db: sqlite3.Connection, folder: int) -> dict[str, int]:
    found = db.execute("SELECT note FROM files WHERE folder=? AND note<>''", (folder,))
    return dict(sorted(Counter(note for (note,) in found).items()))
