"""K1: a state file that cannot be trusted is refused untouched; real files, left behind by a process killed with -9."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lao.core.errors import BadInput, LaoError, StateDamaged
from lao.state import backups, guard
from lao.state.store import open_store
from lao.state.tables import PlanRow
from tests.state.pipeline_steps import hand_in

WRITER = """
import os, signal, sys
from pathlib import Path
from lao.state.store import open_store
from tests.state.pipeline_steps import hand_in
store = open_store(Path(sys.argv[1]))
for number in range(int(sys.argv[2])):
    hand_in(store, f"# Plan {number}\\n", f"/plans/{number}.md")
store.mark()
for number in range(int(sys.argv[3])):
    hand_in(store, f"# Later {number}\\n", f"/plans/later{number}.md")
os.kill(os.getpid(), signal.SIGKILL)
"""

BROKEN_OFF = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA cache_size = 2")
db.execute("BEGIN IMMEDIATE")
db.execute("CREATE TABLE lao_meta (key, value)")
db.execute("INSERT INTO lao_meta VALUES ('filler', randomblob(100000))")
os._exit(0)
"""


def killed(path: Path, before: int = 5, after: int = 0) -> None:
    """A state whose writer was killed: its work is in the write-ahead log, witnessed after ``before`` plans."""
    done = subprocess.run(
        [sys.executable, "-c", WRITER, str(path), str(before), str(after)], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert log_of(path).stat().st_size > 0


def log_of(path: Path) -> Path:
    return Path(f"{path}-wal")


def contents(path: Path) -> dict[str, bytes]:
    """The files that matter; the -shm holds nothing of its own and an empty -wal nothing at all."""
    there = {p.name: p.read_bytes() for p in path.parent.glob(f"{path.name}*") if not p.name.endswith("-shm")}
    return {name: data for name, data in there.items() if data or not name.endswith("-wal")}


def refused(path: Path, kind: type[LaoError], match: str) -> LaoError:
    """Opening is refused by one message that says how to go on, and every file stays as it was."""
    before = contents(path)
    with pytest.raises(kind, match=match) as caught:
        open_store(path)
    assert contents(path) == before
    assert caught.value.exit_code == 42
    assert str(path) in caught.value.message
    assert caught.value.hint
    return caught.value


def count(path: Path) -> int:
    store = open_store(path)
    try:
        store.check()
        return int(PlanRow.select().count())
    finally:
        store.close()


def flip(path: Path, at: int, length: int = 1) -> None:
    data = bytearray(path.read_bytes())
    for place in range(at, at + length):
        data[place] ^= 0xFF
    path.write_bytes(data)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / ".lao" / "state.db"
    path.parent.mkdir()
    return path


def test_what_a_killed_writer_acknowledged_is_there(state: Path) -> None:
    """Nothing is refused that can be recovered: the log is read, also without its index."""
    killed(state, 5, 3)
    Path(f"{state}-shm").unlink()
    assert count(state) == 8


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda log: log.unlink(), id="deleted"),
        pytest.param(lambda log: os.truncate(log, 0), id="emptied"),
        pytest.param(lambda log: os.truncate(log, log.stat().st_size // 2), id="half"),
        pytest.param(lambda log: os.truncate(log, log.stat().st_size - 1), id="last byte"),
        pytest.param(lambda log: flip(log, log.stat().st_size // 2), id="flipped"),
        pytest.param(lambda log: flip(log, 0, 32), id="head"),
    ],
)
def test_a_log_that_lost_acknowledged_work_is_refused(state: Path, harm: Callable[[Path], object]) -> None:
    """SQLite alone would go on with what is left and fold it in; the -wal stays as it is for a repair."""
    killed(state)
    harm(log_of(state))
    error = refused(state, StateDamaged, "older than this project's work")
    assert "-mark" in error.hint
    backups.mark_file(state).unlink()
    assert count(state) <= 5, "the way out that the message names"


def test_a_torn_end_of_what_nobody_witnessed_is_a_prefix(state: Path) -> None:
    """A torn tail after the last mark cannot be told from a power cut: what is left is a whole prefix."""
    killed(state, 5, 4)
    os.truncate(log_of(state), log_of(state).stat().st_size - 100)
    assert count(state) == 8


@pytest.mark.parametrize(
    ("content", "match"),
    [(b"", "is empty"), (b"SQLite format 3\0" + bytes(500), "not a"), (b"a text, and not a short one\n" * 99, "not a")],
)
def test_a_file_that_is_no_database_is_refused(state: Path, content: bytes, match: str) -> None:
    """An empty file is one that lost its content where the project has had a state."""
    open_store(state).close()
    backups.write_mark(state, 1)
    state.write_bytes(content)
    refused(state, StateDamaged, match)


def test_a_missing_file_is_not_begun_anew_in_silence(state: Path) -> None:
    """Beginning anew would do every plan of the folder a second time."""
    killed(state)
    log = log_of(state).rename(state.with_name("kept"))
    state.unlink()
    refused(state, StateDamaged, "is missing, though")
    log.rename(log_of(state))
    refused(state, StateDamaged, "is missing, but its write-ahead log holds")


def test_torn_pages_are_refused_at_the_first_look_or_by_the_check(state: Path) -> None:
    """``check`` reads the whole file: a page that no query touches stops the worker, too."""
    store = open_store(state)
    for number in range(200):
        hand_in(store, f"# Plan {number}\n" + "x" * 3000, f"/plans/{number}.md")
    store.close()
    whole = state.read_bytes()
    pages = len(whole) // 4096
    found = 0
    chosen = random.Random(5).sample(range(1, pages), 40)
    for page in chosen:
        state.write_bytes(whole[: page * 4096] + os.urandom(4096) + whole[(page + 1) * 4096 :])
        before = state.read_bytes()
        with pytest.raises(StateDamaged, match=r"state\.db") as caught:
            guard.examine(state)
            guard.check(state)
        found += 1
        assert "no good backup" in caught.value.hint
        assert state.read_bytes() == before
    assert found == 40
    for size in random.Random(6).sample(range(1, len(whole)), 40):
        state.write_bytes(whole[:size])
        with pytest.raises(StateDamaged, match=r"state\.db"):
            guard.examine(state)
            guard.check(state)


def test_a_database_of_another_program_is_left_alone(state: Path) -> None:
    """A wrong ``--db`` must not put tables into somebody's file, nor change its journal mode."""
    with sqlite3.connect(state) as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    refused(state, BadInput, "not a state file of LAO")


def test_the_message_names_the_newest_good_backup(state: Path) -> None:
    """What to do next: a damaged backup is not recommended."""
    store = open_store(state)
    hand_in(store)
    good = store.back_up()
    store.close()
    bad = good.path.with_name("state-5-29990101T000000Z.db")
    bad.write_bytes(good.path.read_bytes()[:5000])
    state.write_bytes(b"gone" * 2000)
    error = refused(state, StateDamaged, "not a database")
    assert str(good.path) in error.hint
    assert "lao restore" in error.hint


def test_an_older_copy_in_its_place_is_noticed(state: Path) -> None:
    """A copy of yesterday would do yesterday's work again."""
    store = open_store(state)
    hand_in(store)
    store.mark()
    store.close()
    shutil.copy(state, state.with_name("yesterday"))
    store = open_store(state)
    hand_in(store, "# Today\n", "/plans/today.md")
    store.mark()
    store.close()
    state.with_name("yesterday").replace(state)
    refused(state, StateDamaged, "an older copy")


def test_reading_and_folding_in_by_others_is_no_damage(state: Path) -> None:
    """``sqlite3 state.db`` after a kill folds the log in and removes it: nothing is lost, so nothing is refused."""
    killed(state)
    other = sqlite3.connect(state)
    other.execute("SELECT count(*) FROM lao_plan").fetchone()
    other.close()
    assert not log_of(state).exists()
    assert count(state) == 5


@pytest.mark.parametrize("whole", [False, True])
def test_a_first_opening_that_was_broken_off_is_undone(state: Path, whole: bool) -> None:
    """Killed before the switch to WAL, a hot rollback journal lies beside the file: nobody can read it read-only, and
    that is no refusal."""
    state.parent.mkdir(exist_ok=True)
    subprocess.run([sys.executable, "-c", BROKEN_OFF, str(state)], check=True)
    assert state.stat().st_size > 4096
    assert Path(f"{state}-journal").stat().st_size > 0
    store = open_store(state, whole=whole)
    hand_in(store, "# First\n", "/plans/first.md")
    store.close()
    assert count(state) == 1


def test_a_folder_that_cannot_be_written_is_one_message(state: Path) -> None:
    """A read-only disk: exit code 42 and the folder's name, for a new file and for an old one."""
    if os.geteuid() == 0:
        probe = ["unshare", "-Urm", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
        if not shutil.which("unshare") or subprocess.run(probe, capture_output=True, check=False).returncode:
            pytest.skip("root may write anywhere, and no disk can be mounted here")
    open_store(state).close()
    script = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && exec "$2" -c "$3" "$1"'
    code = """
import sys
from pathlib import Path
from lao.core.errors import LaoError
from lao.state.store import open_store
for name in ("state.db", "new.db"):
    try:
        open_store(Path(sys.argv[1]) / name)
    except LaoError as error:
        print(type(error).__name__, error.exit_code, name in error.message, error.hint)
"""
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", script, "sh", str(state.parent), sys.executable, code],
        capture_output=True,
        text=True,
        check=False,
    )
    if "permission denied" in done.stderr or "must be superuser" in done.stderr:
        pytest.skip("no disk can be mounted here")
    lines = done.stdout.splitlines()
    assert [line.split()[:3] for line in lines] == [["BadInput", "42", "True"]] * 2, done.stdout + done.stderr
    assert all("permissions" in line for line in lines)


def test_a_mark_is_made_in_its_own_file(tmp_path: Path) -> None:
    """Tables belong to the store that was opened last; a mark in another file would have this one refused as older."""
    first = open_store(tmp_path / "one" / "state.db")
    second = open_store(tmp_path / "two" / "state.db")
    second.close()
    first.mark()
    assert (first.marked(), guard.witness(first.path)) == (1, 1)
    first.close()
    open_store(first.path).close()
    again = open_store(second.path)
    assert (again.marked(), guard.witness(second.path)) == (0, None)
    again.close()
