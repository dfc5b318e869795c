"""Promises of the index's file: killed, damaged, deleted, shared or forbidden, search goes on and is right again."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from lao.search.index import folder_of, refresh, refresh_in
from lao.search.ranking import Hit, by_words
from lao.search.store import IndexFile, transaction
from tests.search.conftest import Desk

ROOT = Path(__file__).resolve().parents[2]


def word(number: int) -> str:
    """A word that no other number's shares a part with."""
    return "q" + "".join("abcdefghij"[int(digit)] for digit in f"{number:03}") + "q"


FILES = {f"part_{n:03}.py": f"def {word(n)}():\n    return {n}\n" for n in range(300)}

INDEX = """
import os, sys
from pathlib import Path
from lao.search.index import refresh
from lao.search.store import IndexFile
index, root, kill_at = IndexFile(Path(sys.argv[1])), Path(sys.argv[2]), int(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
statements = 0
def work(db):
    from lao.search.index import refresh_in
    def count(_sql):
        global statements
        statements += 1
        if statements == kill_at:
            os.kill(os.getpid(), 9)
    db.set_trace_callback(count)
    return refresh_in(db, root)
print(index.use(work).added)
"""


def start(desk: Desk, kill_at: int = 0) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", INDEX, str(desk.index.path), str(desk.root), str(kill_at)]
    process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def assert_right(desk: Desk) -> None:
    """Every file is found by its word, and nothing is there twice."""
    desk.refresh()
    for number in (0, 64, 128, 299):
        assert desk.find(word(number)) == [f"part_{number:03}.py"]
    assert desk.count("files") == desk.count("contents") == desk.count("chunk_words") == len(FILES)
    assert desk.rows("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize("kill_at", [1, 3, 8, 60, 400, 1_000, 1_800])
def test_kill_9_while_indexing(desk: Desk, kill_at: int) -> None:
    """A kill at any statement leaves an index that the next refresh completes."""
    desk.write(FILES)
    process = start(desk, kill_at)
    process.communicate("go\n")
    assert process.returncode == -signal.SIGKILL
    assert_right(desk)


@pytest.mark.usefixtures("settled")
def test_two_processes_at_once(desk: Desk) -> None:
    """Two that index the same folder at once both end well, and what they stored is there once."""
    desk.write(FILES)
    both = [start(desk), start(desk)]
    for process in both:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.wait() for process in both] == [0, 0]
    for process in both:
        process.communicate()
    assert_right(desk)


@pytest.mark.parametrize("damage", ["garbage", "torn", "page", "empty", "other schema", "not an index", "no table"])
def test_a_damaged_index_is_made_anew(desk: Desk, damage: str) -> None:
    """Damage is no error: the answer is right, and the file is sound afterwards."""
    desk.write(FILES)
    desk.refresh()
    path = desk.index.path
    assert path is not None
    raw = path.read_bytes()
    if damage == "garbage":
        path.write_bytes(os.urandom(len(raw)))
    elif damage == "torn":
        path.write_bytes(raw[: len(raw) // 2])
    elif damage == "page":
        middle = len(raw) // 3
        path.write_bytes(raw[:4096] + b"\xff" * middle + raw[4096 + middle :])
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        if damage == "not an index":
            path.unlink()
        db = sqlite3.connect(path)
        sql = {"other schema": "PRAGMA user_version=99", "no table": "DROP TABLE chunk_words"}
        db.execute(sql.get(damage, "CREATE TABLE mine(x)"))
        db.close()
    assert desk.find(word(17)) == ["part_017.py"]
    assert_right(desk)


def test_an_index_that_is_deleted_is_made_again(desk: Desk) -> None:
    """The index is a cache: with or without its log beside it, it may go at any time."""
    desk.write(FILES)
    desk.refresh()
    assert desk.index.path is not None
    desk.index.path.unlink()
    assert_right(desk)
    desk.index.forget()
    assert not desk.index.path.exists()
    assert_right(desk)


def test_where_no_file_can_be_used_memory_stands_in(
    tmp_path: Path, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder that cannot be made is said in the log; the search works."""
    (tmp_path / "blocked").write_text("a file")
    desk.write(FILES)
    blocked = Desk(desk.root, IndexFile(tmp_path / "blocked" / "index.db"))

    def look(db: sqlite3.Connection) -> list[Hit]:
        refresh_in(db, desk.root)
        return by_words(db, folder_of(db, desk.root), word(7))

    found = blocked.index.use(look)
    assert [hit.path for hit in found] == ["part_007.py"]
    assert "cannot be used, searching without it" in caplog.text


def test_a_busy_index_is_not_thrown_away(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that holds the index for long delays nobody for ever, and its work stays."""
    desk.write(FILES)
    desk.refresh()
    monkeypatch.setattr("lao.search.store._WAIT_S", 0.05)
    assert desk.index.path is not None
    holder = sqlite3.connect(desk.index.path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        assert refresh(desk.index, desk.root).files == len(FILES)
    finally:
        holder.close()
    assert desk.count("files") == len(FILES)


def test_a_transaction_is_all_or_nothing(desk: Desk) -> None:
    """What was written before an error is not there afterwards."""

    def fail(db: sqlite3.Connection) -> None:
        with transaction(db):
            db.execute("INSERT INTO folders(path) VALUES('x')")
            raise ValueError("half-way")

    with pytest.raises(ValueError, match="half-way"):
        desk.index.use(fail)
    assert desk.count("folders") == 0
