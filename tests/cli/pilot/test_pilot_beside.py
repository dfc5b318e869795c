"""What goes on beside the Pilot's input line ends with it, and hides no error."""

from __future__ import annotations

import asyncio
import threading

from lao.cli.pilot.beside import Beside


def test_an_unexpected_error_of_a_step_is_told() -> None:
    """L1: a step that dies does not leave a line that nobody reads; ended steps are no error."""
    told: list[BaseException] = []
    threads: list[str] = []

    async def main() -> None:
        beside = Beside(told.append)

        async def breaks() -> None:
            await beside.work(lambda: {}["missing"])

        async def waits() -> None:
            await asyncio.Event().wait()

        beside.start(waits())
        beside.start(breaks())
        while not told:
            await asyncio.sleep(0)
        assert await beside.look(lambda: 7) == 7
        await beside.close(lambda: threads.append(threading.current_thread().name))

    asyncio.run(main())
    assert [type(error) for error in told] == [KeyError]
    assert sorted(name.rpartition("_")[0] for name in threads) == ["lao-pilot-look", "lao-pilot-work"]
