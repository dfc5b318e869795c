"""Who may use the model now: several phases are under way, ``gpu.parallel`` of them generate, all with one model.

A phase is under way from the moment that its message is taken from the queue until its worker takes the next one. It
holds a slot while it asks its model, and gives it up while it runs checks or commits. The model changes only when no
phase that is under way wants the present one any more, or when those that do have left the GPU alone for a while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from lao.core.errors import Interrupted

_LOOK_S: Final = 0.5
"""How often one that waits asks whether the worker stops; everything else wakes it."""


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
        self._waiting: dict[int, tuple[str, float]] = {}
        self._turning = False
        self._quiet_since = clock()
        self.model = ""
        """The model whose turn it is."""
        self.ready = False
        """Whether it was seen resident since its turn began."""
        self.capacity = 1
        """How many may hold a slot at once."""

    def begin(self, model: str) -> bool:
        """Begin a phase of this model ("" for none) on this thread, whose earlier one is over; False: not now."""
        me = threading.get_ident()
        with self._condition:
            self._forget(me)
            if model and model != self.model:
                if any(wanted != self.model for wanted, _ in self._waiting.values()) or not self._may_turn(me):
                    return False
                self._turn_to(model)
            if model:
                self._under_way[me] = model
            return True

    def waited_s(self) -> float:
        """For how long the longest waiter for another model than the present one has waited."""
        with self._condition:
            since = [at for model, at in self._waiting.values() if model != self.model]
            return self._clock() - min(since) if since else 0.0

    def end(self) -> None:
        """What this thread began is over."""
        with self._condition:
            self._forget(threading.get_ident())

    @contextmanager
    def turn(self, model: str) -> Iterator[bool]:
        """Wait for the model's turn; the block makes it resident and sets ``ready``. Yields whether it may be relied on
        already; if not, nobody else uses the GPU during the block.

        Raises:
            Interrupted: the worker is stopping.
        """
        me = threading.get_ident()
        with self._condition:
            self._under_way.setdefault(me, model)
            self._await(model, lambda: not self._turning and (self.model == model or self._may_turn(me)))
            self._turn_to(model)
            ready = self.ready
            self._turning = not ready
        try:
            yield ready
        finally:
            with self._condition:
                if not ready:
                    self._turning = False
                self._condition.notify_all()

    def take(self, model: str) -> bool:
        """Wait for a slot and hold it; False when it is not the model's turn or the model is not ready (``turn``)."""
        me = threading.get_ident()
        with self._condition:
            if me in self._holders:
                return True
            self._under_way.setdefault(me, model)
            self._await(model, lambda: self.model != model or not self.ready or self._taken(me) < self.capacity)
            if self.model != model or not self.ready:
                return False
            self._kept.pop(me, None)
            self._holders.add(me)
            self._changed(frozenset(self._holders))
            return True

    def note(self, *, ready: bool, capacity: int) -> None:
        """What making the present model resident came to; for the block of ``turn``."""
        with self._condition:
            self.ready, self.capacity = ready, max(1, capacity)

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

    def _taken(self, me: int) -> int:
        """Slots that this thread cannot have now."""
        now = self._clock()
        return len(self._holders | {thread for thread, until in self._kept.items() if until > now and thread != me})

    def _leave(self, thread: int) -> None:
        if thread in self._holders:
            self._holders.remove(thread)
            self._quiet_since = self._clock()
            self._changed(frozenset(self._holders))
            self._condition.notify_all()

    def _forget(self, thread: int) -> None:
        self._leave(thread)
        if self._kept.pop(thread, None) is not None:
            self._condition.notify_all()
        if self._under_way.pop(thread, None) is not None:
            self._condition.notify_all()

    def _turn_to(self, model: str) -> None:
        if model != self.model:
            self.model, self.ready = model, False
            self._quiet_since = self._clock()

    def _may_turn(self, me: int) -> bool:
        """Whether the present model may give way. Never while somebody generates."""
        if self._holders or self._turning:
            return False
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
