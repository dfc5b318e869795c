"""Backups of the state: whole or not there, thinned out by rule, made before an upgrade, put back without loss."""

from __future__ import annotations

import resource
import signal
import sqlite3
from pathlib import Path

import pytest

from lao.core.clock import FakeClock
from lao.core.errors import BadInput, LaoError, StateDamaged
from lao.state import backups
from lao.state.migrations import MIGRATIONS
from lao.state.store import Store, open_store
from lao.state.tables import PlanRow
from tests.state.pipeline_steps import hand_in
from tests.state.test_migrations import UNTOUCHED, VERSION_1

DAY_S = 86_400.0


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as db:
        db.executescript(VERSION_1)
        for name in UNTOUCHED:
            db.execute(f'CREATE TABLE "lao_{name}" ("id" INTEGER NOT NULL PRIMARY KEY, "task_id" INTEGER)')
    db.close()
    return path


def test_an_upgrade_makes_a_backup_of_the_old_schema_first(old_file: Path) -> None:
    """The file as the older LAO left it can be had back; opening it again makes no second one."""
    open_store(old_file).close()
    open_store(old_file).close()
    (backup,) = backups.every(old_file)
    assert backup.schema == 1
    with backups.open_read_only(backup.path) as db:
        assert backups.schema_of(db) == 1
        assert db.execute("SELECT title FROM lao_task").fetchall() == [("write",)]
    assert [p.name for p in backup.path.parent.iterdir()] == [backup.path.name], "nothing half made is left"
    assert backup.path.stat().st_mode & 0o077 == 0


def test_an_upgrade_without_room_for_its_backup_changes_nothing(old_file: Path) -> None:
    """No backup, no upgrade: the file keeps its schema and its task."""
    backups.folder(old_file).write_text("a file where the folder should be")
    with pytest.raises(BadInput, match="backups"):
        open_store(old_file)
    with backups.open_read_only(old_file) as db:
        assert backups.schema_of(db) == 1
        assert "ladder" not in {row[1] for row in db.execute("PRAGMA table_info(lao_task)")}


def test_a_backup_has_what_is_only_in_the_log(store: Store) -> None:
    """A plain copy of the file would miss it; the backup is whole while others have the file open and write."""
    hand_in(store)
    assert Path(f"{store.path}-wal").stat().st_size > 0
    backup = store.back_up()
    hand_in(store, "# Later\n", "/plans/later.md")
    assert backups.problem_of(backup.path) is None
    with backups.open_read_only(backup.path) as db:
        assert db.execute("SELECT count(*) FROM lao_plan").fetchone() == (1,)


def test_the_last_seven_and_one_of_each_schema_stay(store: Store, clock: FakeClock) -> None:
    """Old ones go, but for the last one of an older schema."""
    hand_in(store)
    folder = backups.folder(store.path)
    folder.mkdir()
    for name in ("state-3-20200101T000000Z.db", "state-3-20200102T000000Z.db", "state-4-20200103T000000Z.db"):
        (folder / name).write_bytes(b"old")
    (folder / "mine.db").write_bytes(b"somebody's")
    made = []
    for _ in range(10):
        made.append(store.back_up().path.name)
        clock.wait(DAY_S)
    kept = {"state-3-20200102T000000Z.db", "state-4-20200103T000000Z.db", "mine.db", *made[-7:]}
    assert {p.name for p in folder.iterdir()} == kept
    assert len(set(made)) == 10


def test_a_restored_backup_is_opened_and_the_present_file_is_kept(store: Store) -> None:
    """Restore: the mark goes back with the file, and the file that was there is aside with its log."""
    hand_in(store)
    store.mark()
    backup = store.back_up()
    hand_in(store, "# Later\n", "/plans/later.md")
    store.mark()
    store.close()
    aside = backups.restore(store.path, backup.path, len(MIGRATIONS), 0.0)
    again = open_store(store.path)
    assert PlanRow.select().count() == 1
    hand_in(again, "# Other\n", "/plans/other.md")
    again.mark()
    again.close()
    open_store(store.path).close()
    assert aside is not None
    with backups.open_read_only(aside) as db:
        assert db.execute("SELECT count(*) FROM lao_plan").fetchone() == (2,)
    with backups.open_read_only(backup.path) as db:
        assert db.execute("SELECT count(*) FROM lao_plan").fetchone() == (1,), "the backup stays"


@pytest.mark.parametrize("at", range(1, 9))
def test_a_restore_that_is_broken_off_is_refused_and_can_be_repeated(
    store: Store, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill at any step leaves the old file, the new one, or a refusal: never an empty state."""
    hand_in(store)
    backup = store.back_up()
    hand_in(store, "# Later\n", "/plans/later.md")
    store.mark()
    store.close()
    state = store.path
    passed = 0

    def killed(*_: object) -> None:
        nonlocal passed
        passed += 1
        if passed == at:
            raise KeyboardInterrupt

    for name in ("rename", "replace", "chmod"):
        monkeypatch.setattr(Path, name, _then(getattr(Path, name), killed))
    for name in ("sync_file", "sync_folder"):
        monkeypatch.setattr(backups, name, _then(getattr(backups, name), killed))
    broken = False
    try:
        backups.restore(state, backup.path, len(MIGRATIONS), 0.0)
    except KeyboardInterrupt:
        broken = True
    monkeypatch.undo()
    assert broken == (passed >= at)
    try:
        opened = open_store(state)
        number = PlanRow.select().count()
        opened.close()
        assert number in (1, 2)
    except StateDamaged as error:
        assert "missing" in error.message
    backups.restore(state, backup.path, len(MIGRATIONS), 1.0)
    opened = open_store(state)
    assert PlanRow.select().count() == 1
    opened.close()


def _then(real, after):  # type: ignore[no-untyped-def]
    def call(*arguments, **named):  # type: ignore[no-untyped-def]
        result = real(*arguments, **named)
        after()
        return result

    return call


def test_what_is_no_good_backup_is_not_restored(store: Store, tmp_path: Path) -> None:
    """The present file stays in its place."""
    hand_in(store)
    newer = store.back_up()
    with sqlite3.connect(newer.path) as db:
        db.execute("UPDATE lao_meta SET value = '99' WHERE key = 'schema'")
    db.close()
    torn = tmp_path / "torn.db"
    torn.write_bytes(newer.path.read_bytes()[:9000])
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    for path, match in (
        (newer.path, "schema 99"),
        (torn, "cannot be restored"),
        (other, "no state file"),
        (tmp_path / "none.db", "no such file"),
    ):
        with pytest.raises(BadInput, match=match):
            backups.restore(store.path, path, len(MIGRATIONS), 0.0)
    assert PlanRow.select().count() == 1


def test_no_room_for_a_backup_leaves_none(store: Store) -> None:
    """Disk full: it is said, and no half of a backup is ever found under a backup's name."""
    hand_in(store, "# Big\n" + "x" * 2_000_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(LaoError):
            store.back_up()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(backups.folder(store.path).iterdir()) == []
    assert backups.problem_of(store.back_up().path) is None
