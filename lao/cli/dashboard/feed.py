"""Keeps the board fresh in a thread of its own and wakes whoever waits for news. Serves nobody.

One thread looks at the state, whatever the number of pages: what they get is the same text.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from lao.cli.dashboard.board import board
from lao.core.errors import LaoError
from lao.durable.threads import Thread

if TYPE_CHECKING:
    from workflows.factory import Factory
    from workflows.progress import Happening, Snapshot, Watch

LOOK_S: Final = 0.25
"""Between two looks: at most four changes a second, each seen a quarter of a second after it is committed."""

AGAIN_S: Final = 1.0
RECENT: Final = 40


class Feed:
    """The board as JSON text, with a number that grows at each change. A context manager, to be used once."""

    def __init__(self, factory: Factory) -> None:
        self._factory = factory
        self._news = threading.Condition()
        self._over = threading.Event()
        self._version, self._text = 0, ""
        self._recent: deque[Happening] = deque(maxlen=RECENT)
        self._drawn: Snapshot | None = None
        self._thread = Thread(self._run, name="dashboard-feed")

    def __enter__(self) -> Feed:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        with self._news:
            self._news.notify_all()
        self._thread.join(5.0)

    @property
    def alive(self) -> bool:
        """False when the thread has ended by an error of the program."""
        return self._thread.is_alive()

    @property
    def over(self) -> bool:
        """Closed."""
        return self._over.is_set()

    def newer(self, than: int, timeout_s: float) -> tuple[int, str] | None:
        """The newest (number, JSON text) as soon as its number is another one; None after the time or at the end."""
        with self._news:
            self._news.wait_for(lambda: self._version != than or self.over, timeout_s)
            return None if self.over or self._version == than else (self._version, self._text)

    def _run(self) -> None:
        from workflows.progress import Watch

        try:
            while not self.over:
                try:
                    with Watch(self._factory) as watch:
                        self._watch(watch)
                except LaoError as error:  # locked, damaged, gone: said on the page, and looked at again
                    self._tell({"error": error.message, "hint": error.hint})
                    self._over.wait(AGAIN_S)
        finally:
            self._factory.store.close()

    def _watch(self, watch: Watch) -> None:
        self._drawn = None
        while not self.over:
            snapshot, found = watch.look()
            self._recent.extend(found)
            if found or self._drawn != snapshot:
                self._drawn = snapshot
                self._tell(board(self._factory, snapshot, reversed(self._recent)))
            self._over.wait(LOOK_S)

    def _tell(self, document: dict[str, Any]) -> None:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        with self._news:
            if text == self._text:
                return
            self._version, self._text = self._version + 1, text
            self._news.notify_all()
