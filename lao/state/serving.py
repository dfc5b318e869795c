"""At which address a model server has answered this project: what it says later is no sign of a wrong address."""

from __future__ import annotations

from typing import Final

from lao.state.store import Store
from lao.state.tables import MetaRow

_KEY: Final = "served"


def note(store: Store, url: str) -> None:
    """A model server answers there; replaces the address known before."""
    with store.write():
        MetaRow.replace(key=_KEY, value=url).execute()


def has_answered(store: Store, url: str) -> bool:
    """Whether the last address that was noted is this one."""
    with store.reading():
        row = MetaRow.get_or_none(MetaRow.key == _KEY)
        return row is not None and row.value == url
