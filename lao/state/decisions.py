"""Decisions about plans that are committed and not yet written to the log of decisions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from lao.core.words import Json
from lao.state.store import Store
from lao.state.tables import MetaRow

_PENDING: Final = "decision:"


def note(key: str, record: Mapping[str, Json]) -> None:
    """Inside the transaction that makes the decision: it is to be written to the log."""
    MetaRow.replace(key=f"{_PENDING}{key}", value=json.dumps(record, ensure_ascii=False)).execute()


def pending(store: Store) -> tuple[tuple[str, dict[str, Json]], ...]:
    """(key, record) of what the log may lack, in the order of the decisions."""
    with store.reading():
        rows = [
            (row.key.removeprefix(_PENDING), json.loads(row.value))
            for row in MetaRow.select().where(MetaRow.key.startswith(_PENDING))
        ]
    return tuple(sorted(rows, key=lambda row: (row[1].get("at", 0.0), row[0])))


def written(store: Store, keys: tuple[str, ...]) -> None:
    """The log has these, durably."""
    with store.write():
        MetaRow.delete().where(MetaRow.key.in_([f"{_PENDING}{key}" for key in keys])).execute()
