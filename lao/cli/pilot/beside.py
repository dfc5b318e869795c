"""What goes on beside the input line: steps of the loop, and two threads for the state. Knows nothing of the Pilot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Got = TypeVar("Got")


class Beside:
    """One thread works (commands, questions), one looks (events, status), so that a slow command hides no answer.

    Args:
        failed: told the error of a step that nobody expected.
    """

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._work = ThreadPoolExecutor(1, "lao-pilot-work")
        self._look = ThreadPoolExecutor(1, "lao-pilot-look")
        self._steps: set[asyncio.Task[None]] = set()

    def start(self, step: Coroutine[Any, Any, None]) -> None:
        """Let a step go on until its end or ``close``."""
        task = asyncio.get_running_loop().create_task(step)
        self._steps.add(task)
        task.add_done_callback(self._over)

    async def work(self, do: Callable[[], Got]) -> Got:
        """The result of a call that may take its time."""
        return await asyncio.wrap_future(self._work.submit(do))

    async def look(self, do: Callable[[], Got]) -> Got:
        """The result of a call that only reads."""
        return await asyncio.wrap_future(self._look.submit(do))

    async def close(self, last: Callable[[], None]) -> None:
        """End the steps, call ``last`` in each thread, and end those."""
        for task in self._steps:
            task.cancel()
        for pool in (self._work, self._look):
            await asyncio.wrap_future(pool.submit(last))
            pool.shutdown()

    def _over(self, task: asyncio.Task[None]) -> None:
        self._steps.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._failed(error)
