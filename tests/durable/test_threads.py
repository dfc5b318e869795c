"""K1: a thread that dies at birth, for want of memory, is an error of whoever started it, and no wait for ever."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest

from lao.durable import limits
from lao.durable.threads import Crew, Thread


class Stillborn(Thread):
    """Dies before it says that it runs, as one without memory for its first call does."""

    def _bootstrap(self) -> None:
        return


def test_a_thread_that_dies_at_birth_is_a_refusal() -> None:
    """T15: found by a limit of memory: the phase that held the GPU's slot waited for its thread for ever."""
    thread = Stillborn(lambda: None, name="stillborn", patience_s=0.2)
    with pytest.raises(RuntimeError) as caught:
        thread.start()
    assert limits.told(caught.value) is not None
    assert not thread.is_alive()


def test_a_thread_runs() -> None:
    """It is a daemon, has its name, and can be joined."""
    seen: list[tuple[str, bool, int]] = []

    def work(number: int) -> None:
        me = threading.current_thread()
        seen.append((me.name, me.daemon, number))

    thread = Thread(work, name="one", args=(7,))
    thread.start()
    thread.join()
    assert seen == [("one", True, 7)]


def test_a_crew_carries_out_jobs_beside_one_another_and_in_order() -> None:
    """Two jobs that wait for each other end; with one thread they come one after the other."""
    both = threading.Barrier(2, timeout=20)
    crew = Crew(2, "pair")
    assert sorted(job.result(timeout=20) for job in [crew.submit(both.wait), crew.submit(both.wait)]) == [0, 1]
    crew.close()
    order: list[int] = []
    single = Crew(1, "single")
    jobs = [single.submit(lambda n=n: order.append(n)) for n in range(5)]
    for job in jobs:
        job.result(timeout=20)
    single.close()
    assert order == list(range(5))


def test_a_crew_that_is_closed_ends_what_runs_and_nothing_else() -> None:
    """What has not begun is cancelled; an error of a job is told to whoever asks for its result."""
    begun, go = threading.Event(), threading.Event()
    crew = Crew(1, "one")

    def first() -> None:
        begun.set()
        assert go.wait(20)
        raise OSError(28, "full")

    running, never = crew.submit(first), crew.submit(lambda: 1)
    assert begun.wait(20)
    closing = Thread(crew.close, name="closing")
    closing.start()
    with pytest.raises(CancelledError):
        never.result(timeout=20)
    go.set()
    closing.join()
    with pytest.raises(OSError, match="full"):
        running.result(timeout=1)
