"""Messages to a person that have not gone yet, what was told already, and what became of the last ones.

One row of the state, written together with the place in the news that the messages came from, so that a crash loses
none. Sends nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Final

from lao.core.words import Json
from lao.state import news
from lao.state.news import Place
from lao.state.store import Store
from lao.state.tables import MetaRow

NAME: Final = "notify"
KEY: Final = "notify:outbox"
MOST: Final = 100
"""Messages that wait at most; the oldest goes first."""


@dataclass
class Letter:
    """A message on its way.

    Attributes:
        ways: those that it has not gone yet.
        due: when it is tried next, in seconds since the epoch.
    """

    id: str
    document: str
    ways: list[str]
    tries: int = 0
    due: float = 0.0


@dataclass
class Outbox:
    """What waits.

    Attributes:
        standing: conditions that last, by key, with when each began (``told`` has those that were told of).
        lost: messages given up since the project began.
        problem: what was wrong with a way the last time, by the way's name; gone when it works.
    """

    letters: list[Letter] = field(default_factory=list)
    standing: dict[str, float] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    sent: int = 0
    lost: int = 0
    problem: dict[str, str] = field(default_factory=dict)
    last_at: float | None = None

    def put(self, letter: Letter) -> None:
        """Add a message; one that waits already is not added again."""
        if any(known.id == letter.id for known in self.letters):
            return
        self.letters.append(letter)
        self.lost += max(0, len(self.letters) - MOST)
        self.letters = self.letters[-MOST:]


def begin(store: Store) -> None:
    """Let messages be made of what happens from now on, unless they are already."""
    news.begin(store, NAME)


def read(store: Store) -> Outbox:
    with store.reading():
        row = MetaRow.get_or_none(MetaRow.key == KEY)
        return Outbox() if row is None else _outbox(row.value)


def _outbox(text: str) -> Outbox:
    found = json.loads(text)
    return Outbox(**{**found, "letters": [Letter(**letter) for letter in found["letters"]]})


def keep(store: Store, outbox: Outbox, place: Place | None = None) -> None:
    """Replace it, and in the same transaction the place in the news."""
    with store.write():
        MetaRow.replace(key=KEY, value=json.dumps(asdict(outbox), separators=(",", ":"))).execute()
        if place is not None:
            news.keep(store, NAME, place)


def view(store: Store) -> dict[str, Json] | None:
    """For people: ``waiting``, ``sent``, ``lost``, ``problems`` by way, ``last_at``; None before the first look."""
    with store.reading():
        row = MetaRow.get_or_none(MetaRow.key == KEY)
        return None if row is None else shown(row.value)


def shown(text: str) -> dict[str, Json]:
    """``view`` of the row's text."""
    box = _outbox(text)
    return {
        "waiting": len(box.letters),
        "sent": box.sent,
        "lost": box.lost,
        "problems": dict(box.problem),
        "last_at": box.last_at,
    }
