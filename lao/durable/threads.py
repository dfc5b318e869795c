"""Threads whose start ends, also where the system has no memory for them. Owns no thread.

``threading.Thread.start`` waits until the new thread says that it runs. One that dies of want of memory before never
does, and whoever started it would wait for ever (https://github.com/python/cpython/issues/87185): with the GPU's slot
in its hand that is the whole night.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Final, TypeVar

BORN_S: Final = 30.0
"""A machine that is very busy may take seconds to let a new thread run."""

T = TypeVar("T")


class _Born(threading.Event):
    def __init__(self, patience_s: float) -> None:
        super().__init__()
        self._patience_s = patience_s

    def wait(self, timeout: float | None = None) -> bool:
        born = super().wait(self._patience_s if timeout is None else timeout)
        if not born and timeout is None:
            raise RuntimeError("can't start new thread: it did not begin to run")
        return born


class Thread(threading.Thread):
    """A daemon thread.

    Raises (from ``start``):
        RuntimeError: the system refuses a thread, or it does not begin to run within ``patience_s`` seconds
            (``lao.durable.limits.told`` knows it).
    """

    def __init__(
        self, target: Callable[..., object], *, name: str, args: Sequence[Any] = (), patience_s: float = BORN_S
    ) -> None:
        super().__init__(target=target, name=name, args=tuple(args), daemon=True)
        self.__dict__["_started"] = _Born(patience_s)  # what ``start`` waits for, in every Python so far


class Crew:
    """``size`` threads that carry out jobs in their order. To be closed by the thread that made it.

    ``concurrent.futures.ThreadPoolExecutor`` starts its threads by the plain class.
    """

    def __init__(self, size: int, name: str) -> None:
        self._size, self._name = size, name
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._futures: list[Future[Any]] = []
        self._threads: list[Thread] = []

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Carry out a job when a thread is free.

        Raises:
            RuntimeError: the system refuses the thread.
        """
        if len(self._threads) < self._size:
            thread = Thread(self._work, name=f"{self._name}-{len(self._threads)}")
            thread.start()
            self._threads.append(thread)
        future: Future[T] = Future()
        self._futures.append(future)
        self._jobs.put((future, job))
        return future

    def close(self) -> None:
        """Cancel what has not begun, and wait for what has."""
        for future in self._futures:
            future.cancel()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (given := self._jobs.get()) is not None:
            future, job = given
            if future.set_running_or_notify_cancel():
                settle(future, job)


def settle(future: Future[T], job: Callable[[], T]) -> None:
    """Carry out the job here and put what comes of it, a result or an error of any kind, into the future."""
    try:
        future.set_result(job())
    except BaseException as error:  # noqa: BLE001 - carried over to whoever asks for the result
        future.set_exception(error)
