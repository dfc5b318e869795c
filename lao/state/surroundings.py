"""What surrounds the commands of models in this project, as the last worker found it when it began."""

from __future__ import annotations

import json
from typing import Final

from lao.core.words import Json
from lao.state.store import Store
from lao.state.tables import MetaRow

_KEY: Final = "sandbox"


def note(store: Store, backend: str, text: str, *, holds: bool) -> None:
    """Replace what was known.

    Args:
        text: what surrounds them and what they reach, in a few words.
        holds: whether all that the settings ask for is held.
    """
    value = {"backend": backend, "text": text, "holds": holds, "at": store.now()}
    with store.write():
        MetaRow.replace(key=_KEY, value=json.dumps(value)).execute()


def last(store: Store) -> dict[str, Json] | None:
    """``backend``, ``text``, ``holds`` and ``at`` (Unix time); None before the first worker."""
    with store.reading():
        row = MetaRow.get_or_none(MetaRow.key == _KEY)
        return json.loads(row.value) if row is not None else None
