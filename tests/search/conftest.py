"""A workspace and an index for it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from lao.search.index import Refreshed, refresh
from lao.search.searcher import Searcher
from lao.search.store import IndexFile


@dataclass
class Desk:
    """A folder with files, and the index that knows it."""

    root: Path
    index: IndexFile

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def refresh(self) -> Refreshed:
        return refresh(self.index, self.root)

    def find(self, query: str) -> list[str]:
        return [hit.path for hit in Searcher(self.index).find(self.root, query)]

    def count(self, table: str) -> int:
        return int(self.rows(f"SELECT count(*) FROM {table}")[0][0])

    def rows(self, sql: str) -> list[tuple]:
        assert self.index.path is not None
        db = sqlite3.connect(self.index.path)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    root = tmp_path / "work"
    root.mkdir()
    return Desk(root, IndexFile(tmp_path / ".lao" / "index.db"))


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files written just now count as settled; else every refresh of a test would read them again."""
    monkeypatch.setattr("lao.search.index._FRESH_NS", 0)


def touch(path: Path, seconds: float) -> None:
    """Move a file's time."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + int(seconds * 1e9)))
