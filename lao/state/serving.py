"""At which address a model server, and a model, have answered this project: what is said there later is no sign of a
wrong address."""

from __future__ import annotations

from typing import Final

from lao.state.store import Store
from lao.state.tables import MetaRow

SERVER: Final = "served"
"""The server has told of its models."""

MODEL: Final = "chatted"
"""A model has answered."""


def note(store: Store, what: str, url: str) -> None:
    """``SERVER`` or ``MODEL`` answers there; replaces the address known before."""
    with store.write():
        MetaRow.replace(key=what, value=url).execute()


def has_answered(store: Store, what: str, url: str) -> bool:
    """Whether the last address that was noted is this one."""
    with store.reading():
        row = MetaRow.get_or_none(MetaRow.key == what)
        return row is not None and row.value == url
