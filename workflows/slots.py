"""Who may use the model now: several phases are under way, ``gpu.parallel`` of them generate, all with one model.

A phase is under way from the moment that its message is taken from the queue until its worker takes the next one. It
holds a slot while it asks its model, and gives it up while it runs checks or commits. The model changes only when no
phase that is under way wants the present one any more, or when those that do have left the GPU alone for a while.
An urgent phase, for which a person waits, goes before all: those who hold a slot give it up at their next model call.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from lao.core.errors import Interrupted, LaoError

_LOOK_S: Final = 0.5
"""How often one that waits asks whether the worker stops; everything else wakes it."""


@dataclass(frozen=True)
class Prepared:
    """What the memory gate said: a model name to use and its real context, or why not."""

    model_name: str = ""
    context_length: int | None = None
    problem: LaoError | None = None


class Slots:
    """The slots of one worker process. A phase is known by the thread that it runs on.

    Args:
        patience_s: gives the seconds that the GPU may idle for phases of the present model that do something else.
        stopping: asked by those who wait.
        changed: told the threads that hold a slot, whenever that changes; under the lock, so it must be quick.
        clock: seconds that never go back.
    """

    def __init__(
        self,
        patience_s: Callable[[], float] = lambda: 20.0,
        stopping: Callable[[], bool] = lambda: False,
        changed: Callable[[frozenset[int]], None] = lambda _threads: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._patience_s, self._stopping, self._changed, self._clock = patience_s, stopping, changed, clock
        self._condition = threading.Condition()
        self._under_way: dict[int, str] = {}
        self._holders: set[int] = set()
        self._kept: dict[int, float] = {}
        self._urgent: set[int] = set()
        self._begun: set[int] = set()
        self._waiting: dict[int, tuple[str, float]] = {}
        self._turning = False
        self._quiet_since = clock()
        self.model = ""
        """The model whose turn it is."""
        self.prepared: Prepared | None = None
        """What the memory gate found, last seen since the model's turn began."""
        self.capacity = 1
        """How many may hold a slot at once."""

    def begin(self, model: str, *, urgent: bool = False) -> bool:
        """Begin a phase of this model ("" for none) on this thread, whose earlier one is over; False: not now.

        Args:
            urgent: it begins in any case, and waits for nobody but those who generate just now.
        """
        me = threading.get_ident()
        with self._condition:
            self._forget(me)
            if urgent:
                self._urgent.add(me)
                self._begun.add(me)
                self._under_way[me] = model
                return True
            if model and model != self.model:
                if any(wanted != self.model for wanted, _ in self._waiting.values()) or not self._may_turn(me):
                    return False
                self._turn_to(model)
            if model:
                self._under_way[me] = model
            self._begun.add(me)
            return True

    def at_work(self) -> tuple[int, int]:
        """How many phases, and how many urgent ones beside them, were begun on living threads and are not over."""
        with self._condition:
            living = {thread.ident for thread in threading.enumerate()}
            for gone in self._begun - living:
                self._forget(gone)
            urgent = len(self._begun & self._urgent)
            return len(self._begun) - urgent, urgent

    def waited_s(self) -> float:
        """For how long the longest waiter for another model than the present one has waited."""
        with self._condition:
            since = [at for model, at in self._waiting.values() if model != self.model]
            return self._clock() - min(since) if since else 0.0

    def end(self) -> None:
        """What this thread began is over."""
        with self._condition:
            self._forget(threading.get_ident())

    @property
    def ready(self) -> bool:
        """Whether the present model was seen resident since its turn began."""
        return self.prepared is not None

    @contextmanager
    def turn(self, model: str) -> Iterator[Prepared | None]:
        """Wait for the model's turn. Yields what is known while others generate with it; None: nobody does, nobody will
        during the block, and the block has to make the model resident (``note``).

        A look while others generate could load a second instance beside one that the server has just loaded for them.

        Raises:
            Interrupted: the worker is stopping.
        """
        me = threading.get_ident()
        with self._condition:
            self._under_way.setdefault(me, model)
            self._await(model, lambda: self._is_in_use(model) or self._may_be_changed(model, me))
            self._turn_to(model)
            known = self.prepared if self._holders else None
            self._turning = known is None
        try:
            yield known
        finally:
            with self._condition:
                if known is None:
                    self._turning = False
                self._condition.notify_all()

    def _is_in_use(self, model: str) -> bool:
        return self.model == model and self.ready and bool(self._holders)

    def _may_be_changed(self, model: str, me: int) -> bool:
        idle = not self._holders and not self._turning and not self._gives_way(me)
        return idle and (self.model == model or self._may_turn(me))

    def take(self, model: str) -> bool:
        """Wait for a slot and hold it; False when it is not the model's turn or the model is not ready (``turn``)."""
        me = threading.get_ident()
        with self._condition:
            if me in self._holders:
                if not self._gives_way(me):
                    return True
                self._leave(me)
            self._under_way.setdefault(me, model)
            self._await(model, lambda: self._must_turn(model) or self._is_free(me))
            if self._must_turn(model):
                return False
            self._kept.pop(me, None)
            self._holders.add(me)
            self._changed(frozenset(self._holders))
            return True

    def note(self, prepared: Prepared, capacity: int) -> None:
        """What making the present model resident came to; for the block of ``turn``."""
        with self._condition:
            self.prepared = prepared if prepared.problem is None else None
            self.capacity = max(1, capacity)

    def lost(self, model: str) -> None:
        """The server does not have this model in memory any more; this thread's slot is given up."""
        with self._condition:
            self._leave(threading.get_ident())
            if model == self.model:
                self.prepared = None

    def leave(self, keep_s: float = 0.0) -> None:
        """Give the slot up, if this thread holds one.

        Args:
            keep_s: nobody else gets it before; for a thread that is soon back and finds its prompt in the cache then.
        """
        with self._condition:
            me = threading.get_ident()
            if keep_s > 0 and me in self._holders:
                self._kept[me] = self._clock() + keep_s
            self._leave(me)

    def _must_turn(self, model: str) -> bool:
        return self.model != model or not self.ready

    def _gives_way(self, me: int) -> bool:
        """Whether an urgent phase waits, and this thread's is none."""
        return me not in self._urgent and bool(self._urgent & self._waiting.keys())

    def _is_free(self, me: int) -> bool:
        """Whether there is a slot for this thread, and nobody looks at what is resident just now."""
        now = self._clock()
        kept = {thread for thread, until in self._kept.items() if until > now and thread != me}
        if me in self._urgent:
            kept = set()
        if self._turning or self._gives_way(me):
            return False
        return len(self._holders | kept) < self.capacity

    def _leave(self, thread: int) -> None:
        if thread in self._holders:
            self._holders.remove(thread)
            self._quiet_since = self._clock()
            self._changed(frozenset(self._holders))
            self._condition.notify_all()

    def _forget(self, thread: int) -> None:
        self._leave(thread)
        self._urgent.discard(thread)
        self._begun.discard(thread)
        if self._kept.pop(thread, None) is not None:
            self._condition.notify_all()
        if self._under_way.pop(thread, None) is not None:
            self._condition.notify_all()

    def _turn_to(self, model: str) -> None:
        if model != self.model:
            self.model, self.prepared = model, None
            self._quiet_since = self._clock()

    def _may_turn(self, me: int) -> bool:
        """Whether the present model may give way. Never while somebody generates."""
        if self._holders or self._turning or self._gives_way(me):
            return False
        if me in self._urgent:
            return True
        waiting = {thread for thread, (model, _) in self._waiting.items() if model != self.model}
        home = [t for t, m in self._under_way.items() if m == self.model and t != me and t not in waiting]
        return not home or self._clock() - self._quiet_since >= self._patience_s()

    def _await(self, model: str, true: Callable[[], bool]) -> None:
        me = threading.get_ident()
        try:
            while not true():
                if self._stopping():
                    raise Interrupted("the worker is stopping")
                self._waiting.setdefault(me, (model, self._clock()))
                now = self._clock()
                self._condition.wait(min([_LOOK_S, *(until - now for until in self._kept.values() if until > now)]))
        finally:
            self._waiting.pop(me, None)
            if me in self._urgent:
                self._condition.notify_all()
