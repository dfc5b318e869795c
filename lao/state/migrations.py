"""Schema versions of the state file, applied in order inside one transaction. Migrations are added, never edited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lao.core.errors import Refused
from lao.state.tables import TABLES, EnergyRow, InstanceRow, LoadRow, MetaRow, ProfileRow, TaskRow

Migration = Callable[[Any], None]


def _create_tables(db: Any) -> None:
    db.create_tables(TABLES, safe=True)


def _profiles_and_ladder(db: Any) -> None:
    """Profiles of models, and the notes of a task's attempts."""
    db.create_tables([ProfileRow], safe=True)
    table = TaskRow._meta.table_name
    if "ladder" not in {column.name for column in db.get_columns(table)}:
        db.execute_sql(f'ALTER TABLE "{table}" ADD COLUMN "ladder" TEXT NOT NULL DEFAULT \'{{}}\'')


def _recheck(db: Any) -> None:
    """Tasks that are verified once more after what they were built on was changed."""
    table = TaskRow._meta.table_name
    if "recheck" not in {column.name for column in db.get_columns(table)}:
        db.execute_sql(f'ALTER TABLE "{table}" ADD COLUMN "recheck" TEXT NOT NULL DEFAULT \'\'')


def _energy(db: Any) -> None:
    """Joules of runs."""
    db.create_tables([EnergyRow], safe=True)


def _loads(db: Any) -> None:
    """What loads took, and which instances LAO loaded."""
    db.create_tables([LoadRow, InstanceRow], safe=True)


MIGRATIONS: tuple[Migration, ...] = (_create_tables, _profiles_and_ladder, _recheck, _energy, _loads)
"""Entry n brings a file of version n to version n + 1."""


def migrate(db: Any, path: str) -> None:
    """Bring the file to this program's schema version.

    Raises:
        Refused: the file was written by a newer LAO; nothing is changed.
    """
    current = _version(db)
    if current > len(MIGRATIONS):
        raise Refused(
            f"state file {path!r} has schema {current}, this LAO knows {len(MIGRATIONS)}",
            "upgrade LAO, or point paths.database to another file",
        )
    if current == len(MIGRATIONS):
        return
    with db.atomic("IMMEDIATE"):
        for migration in MIGRATIONS[_version(db) :]:
            migration(db)
        MetaRow.replace(key="schema", value=str(len(MIGRATIONS))).execute()


def _version(db: Any) -> int:
    if not db.table_exists(MetaRow._meta.table_name):
        return 0
    row = MetaRow.get_or_none(MetaRow.key == "schema")
    return int(row.value) if row else 0
