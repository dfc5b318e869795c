"""Schema versions of the state file, applied in order inside one transaction. Migrations are added, never edited."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lao.core.errors import Refused
from lao.state.acceptance_tables import ACCEPTANCE_TABLES
from lao.state.chat_tables import CHAT_TABLES
from lao.state.tables import (
    TABLES,
    ApprovalRow,
    AuditRow,
    EnergyRow,
    FactRow,
    InstanceRow,
    LoadRow,
    MetaRow,
    ProfileRow,
    TaskRow,
    ValidationRow,
)

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


def _facts(db: Any) -> None:
    """Learned facts."""
    db.create_tables([FactRow], safe=True)


def _approvals(db: Any) -> None:
    """Questions to a person about calls of tools."""
    db.create_tables([ApprovalRow], safe=True)


def _isolation(db: Any) -> None:
    """What surrounded each command."""
    for table in (ValidationRow._meta.table_name, AuditRow._meta.table_name):
        if "isolation" not in {column.name for column in db.get_columns(table)}:
            db.execute_sql(f'ALTER TABLE "{table}" ADD COLUMN "isolation" TEXT NOT NULL DEFAULT \'\'')


def _chats(db: Any) -> None:
    """Conversations with the Pilot."""
    db.create_tables(CHAT_TABLES, safe=True)


def _requirements(db: Any) -> None:
    """What plans demand."""
    db.create_tables(ACCEPTANCE_TABLES, safe=True)


MIGRATIONS: tuple[Migration, ...] = (
    _create_tables,
    _profiles_and_ladder,
    _recheck,
    _energy,
    _loads,
    _facts,
    _approvals,
    _isolation,
    _chats,
    _requirements,
)
"""Entry n brings a file of version n to version n + 1."""


def refuse_newer(schema: int, path: str) -> None:
    """Raise Refused for a file that was written by a newer LAO."""
    if schema > len(MIGRATIONS):
        raise Refused(
            f"state file {path!r} has schema {schema}, this LAO knows {len(MIGRATIONS)}",
            "upgrade LAO, or point paths.database to another file",
        )


def migrate(db: Any, path: str, back_up: Callable[[], object] = lambda: None) -> None:
    """Bring the file to this program's schema version.

    Args:
        back_up: called before a file of an older schema is changed, while nobody else can write; what it raises ends
            the upgrade with the file as it was.

    Raises:
        Refused: the file was written by a newer LAO; nothing is changed.
    """
    current = _version(db)
    refuse_newer(current, path)
    if current == len(MIGRATIONS):
        return
    with db.atomic("IMMEDIATE"):
        current = _version(db)  # somebody else may have been faster
        if 0 < current < len(MIGRATIONS):
            back_up()
        for migration in MIGRATIONS[current:]:
            migration(db)
        MetaRow.replace(key="schema", value=str(len(MIGRATIONS))).execute()


def _version(db: Any) -> int:
    if not db.table_exists(MetaRow._meta.table_name):
        return 0
    row = MetaRow.get_or_none(MetaRow.key == "schema")
    return int(row.value) if row else 0
