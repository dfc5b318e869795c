"""State files of older versions are brought to this one with all that is in them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from lao.core.errors import Refused
from lao.state import plans, profiles, requirements
from lao.state.migrations import MIGRATIONS
from lao.state.store import Store, open_store
from lao.state.tables import MetaRow, TaskRow
from tests.state.pipeline_steps import planned, spec

VERSION_1 = """
CREATE TABLE "lao_meta" ("key" TEXT NOT NULL PRIMARY KEY, "value" TEXT NOT NULL);
INSERT INTO "lao_meta" VALUES ('schema', '1');
CREATE TABLE "lao_plan" ("id" TEXT NOT NULL PRIMARY KEY, "name" TEXT NOT NULL, "file" TEXT NOT NULL,
  "text" TEXT NOT NULL, "options" TEXT NOT NULL, "state" TEXT NOT NULL, "epoch" INTEGER NOT NULL,
  "reason" TEXT NOT NULL, "workspace" TEXT NOT NULL, "supersedes" TEXT, "base_commit" TEXT, "baseline" TEXT,
  "priority" INTEGER NOT NULL, "created_at" REAL NOT NULL, "updated_at" REAL NOT NULL);
INSERT INTO "lao_plan" VALUES
  ('p1', 'old', '/plans/old.md', '# Old', '{}', 'active', 2, '', '/w/old', NULL, NULL, NULL, 0, 1.0, 1.0);
CREATE TABLE "lao_task" ("id" INTEGER NOT NULL PRIMARY KEY, "plan_id" TEXT NOT NULL, "seq" INTEGER NOT NULL,
  "title" TEXT NOT NULL, "description" TEXT NOT NULL, "file_paths" TEXT NOT NULL, "commands" TEXT NOT NULL,
  "state" TEXT NOT NULL, "epoch" INTEGER NOT NULL, "attempts" INTEGER NOT NULL, "coder_failures" INTEGER NOT NULL,
  "verify_failures" INTEGER NOT NULL, "rejections" INTEGER NOT NULL, "reason" TEXT NOT NULL, "feedback" TEXT NOT NULL,
  "files" TEXT NOT NULL, "commit" TEXT, "updated_at" REAL NOT NULL,
  FOREIGN KEY ("plan_id") REFERENCES "lao_plan" ("id") ON DELETE CASCADE);
INSERT INTO "lao_task" VALUES (7, 'p1', 1, 'write', 'Write it.', '["a.py"]', '[]', 'ready', 3, 1, 1, 0, 0, 'once',
  '["mend it"]', '["a.py"]', 'abc', 1.0);
"""
"""A file as LAO 4.0's first schema left it, as far as the later migrations touch it."""

UNTOUCHED = ("audit", "chunk", "dependency", "finding", "modelevent", "step", "todo", "validation", "run")


@pytest.fixture
def old_file(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as db:
        db.executescript(VERSION_1)
        for name in UNTOUCHED:
            db.execute(f'CREATE TABLE "lao_{name}" ("id" INTEGER NOT NULL PRIMARY KEY, "task_id" INTEGER)')
    db.close()
    return path


def test_a_version_1_file_keeps_its_data_and_gets_what_is_new(old_file: Path) -> None:
    """K: a task of an old file has an empty ladder and all else that it had; profiles can be kept."""
    store = open_store(old_file)
    try:
        assert MetaRow.get_by_id("schema").value == str(len(MIGRATIONS))
        row = TaskRow.get_by_id(7)
        assert row.ladder == {}
        assert (row.title, row.feedback, row.files, row.commit, row.epoch) == (
            "write",
            ["mend it"],
            ["a.py"],
            "abc",
            3,
        )
        assert plans.get(store, "p1").name == "old"
        assert profiles.every(store) == ()
        assert requirements.of_plan(store, "p1") == ()
    finally:
        store.close()


def test_an_upgrade_is_done_once(old_file: Path) -> None:
    """K: opening an upgraded file again changes nothing, and notes written meanwhile stay."""
    store = open_store(old_file)
    with store.write():
        TaskRow.update(ladder={"rung": 2}).where(TaskRow.id == 7).execute()
    store.close()
    again = open_store(old_file)
    try:
        assert TaskRow.get_by_id(7).ladder == {"rung": 2}
    finally:
        again.close()


def test_an_upgrade_that_was_broken_off_is_begun_again(old_file: Path) -> None:
    """K: the column is there and the version is not yet: the same migration goes through."""
    with sqlite3.connect(old_file) as db:
        db.execute("""ALTER TABLE lao_task ADD COLUMN "ladder" TEXT NOT NULL DEFAULT '{}'""")
    db.close()
    store = open_store(old_file)
    try:
        assert TaskRow.get_by_id(7).ladder == {}
    finally:
        store.close()


def test_old_records_do_not_know_what_surrounded_a_command(old_file: Path) -> None:
    """K: commands that an older LAO ran have no isolation, not a guessed one; new ones keep theirs."""
    with sqlite3.connect(old_file) as db:
        db.execute("INSERT INTO lao_validation (id) VALUES (3)")
        db.execute("INSERT INTO lao_audit (id) VALUES (4)")
    db.close()
    store = open_store(old_file)
    try:
        for table in ("lao_validation", "lao_audit"):
            assert store.db.execute_sql(f"SELECT isolation FROM {table}").fetchall() == [("",)]
    finally:
        store.close()


def test_a_new_file_has_the_ladder_and_the_newest_version(store: Store) -> None:
    """K: a new task begins with an empty ladder."""
    planned(store, spec("one"))
    assert [row.ladder for row in TaskRow.select()] == [{}]
    assert MetaRow.get_by_id("schema").value == str(len(MIGRATIONS))


def test_a_file_of_a_newer_lao_is_refused(old_file: Path) -> None:
    """K: nothing is changed in a file that this LAO does not understand."""
    with sqlite3.connect(old_file) as db:
        db.execute("UPDATE lao_meta SET value = '99'")
    db.close()
    with pytest.raises(Refused, match="schema 99"):
        open_store(old_file)
