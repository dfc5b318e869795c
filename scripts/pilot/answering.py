"""Answers the Pilot's turns at a given pace, in the place of a worker with a model: events into the real state."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lao.core.states import Queue, TurnState
from lao.state import chats, runs
from lao.state.chats import Turn
from lao.state.store import Store
from workflows.factory import Factory


@dataclass(frozen=True)
class Told:
    """One event of an answer: after ``wait_s`` seconds, of this kind, with this text and data."""

    kind: str
    text: str
    wait_s: float = 0.0
    data: tuple[tuple[str, object], ...] = ()


def tokens(number: int, a_second: float, batch: int = 10) -> list[Told]:
    """An answer of so many tokens, told in pieces of ``batch`` as the engine does, with an empty line now and then."""
    words = [f"w{n}" + ("\n\n" if n % 40 == 39 else " ") for n in range(number)]
    pieces = ["".join(words[n : n + batch]) for n in range(0, number, batch)]
    return [Told(chats.TEXT, piece, batch / a_second, (("call", 1),)) for piece in pieces]


class Answering:
    """Answers each queued turn by ``script(turn)``, in a thread of its own; registered as the project's gpu worker.

    Use it as a context.
    """

    def __init__(self, factory: Factory, script: Callable[[Turn], Sequence[Told]]) -> None:
        self._factory, self._script = factory, script
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="answering", daemon=True)

    def __enter__(self) -> Answering:
        owner = self._factory.owner
        runs.register_worker(self._factory.store, Queue.GPU.value, owner.to_text(), owner.pid)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._over.set()
        self._thread.join(10)

    def _run(self) -> None:
        store = self._factory.store  # this thread gets a connection of its own
        done = 0
        while not self._over.wait(0.03):
            for turn in self._queued(store, done):
                self._answer(store, turn)
                done = turn.id
        store.close()

    def _queued(self, store: Store, done: int) -> list[Turn]:
        with store.reading():
            rows = chats.ChatTurnRow.select().where(chats.ChatTurnRow.id > done).order_by(chats.ChatTurnRow.id)
            ids = [row.id for row in rows if row.state == TurnState.QUEUED.value]
        return [chats.turn(store, number) for number in ids]

    def _answer(self, store: Store, turn: Turn) -> None:
        answer = ""
        for told in self._script(turn):
            if told.wait_s:
                time.sleep(told.wait_s)
            if self._over.is_set() or chats.turn(store, turn.id).over:
                return
            chats.tell(store, turn.id, told.kind, told.text, dict(told.data))
            answer += told.text if told.kind == chats.TEXT else ""
        with store.write():
            if not chats._turn(chats._turn_row(turn.id)).over:
                chats.end(turn.id, store.now(), TurnState.DONE, answer=answer)
