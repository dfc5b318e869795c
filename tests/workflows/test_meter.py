"""Energy of phases that are under way at once: what is counted goes to those that hold a slot."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from lao.core.clock import FakeClock
from lao.servers.energy import Counter, Readings
from workflows.meter import Meter


class Watts:
    """A device that uses joules when it is told to."""

    name = "told"

    def __init__(self) -> None:
        self.used: float | None = 0.0

    def use(self, joules: float) -> None:
        self.used = (self.used or 0.0) + joules

    def read(self) -> Readings:
        return {} if self.used is None else {"device": Counter(self.used)}


@pytest.fixture
def watts() -> Watts:
    return Watts()


@pytest.fixture
def meter(watts: Watts) -> Meter:
    return Meter(lambda: watts, FakeClock())


def run(thread: ThreadPoolExecutor, call: object) -> object:
    return thread.submit(call).result(10)  # type: ignore[arg-type]


def test_who_holds_a_slot_pays(meter: Meter, watts: Watts) -> None:
    """Two phases in turn, then at once: each has its own, and halves of what they used together; what is used while
    nobody holds a slot (a load, other programs) is nobody's."""
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as two:
        first, second = run(one, threading.get_ident), run(two, threading.get_ident)
        assert isinstance(first, int)
        assert isinstance(second, int)
        for thread in (one, two):
            run(thread, meter.open)
        watts.use(1000)
        meter.changed(frozenset({first}))
        watts.use(5)
        meter.changed(frozenset({first, second}))
        watts.use(8)
        meter.changed(frozenset({second}))
        watts.use(1)
        meter.changed(frozenset())
        watts.use(1000)
        assert run(one, meter.close) == 5 + 4
        assert run(two, meter.close) == 4 + 1


def test_a_short_hold_counts_nothing_and_spoils_nothing(meter: Meter, watts: Watts) -> None:
    """A counter that has not moved yet is no failure; a phase for which it never moved has no figure."""
    me = frozenset({threading.get_ident()})
    meter.open()
    for joules in (0, 7):
        meter.changed(me)
        watts.use(joules)
        meter.changed(frozenset())
    assert meter.close() == 7
    meter.open()
    meter.changed(me)
    meter.changed(frozenset())
    assert meter.close() is None


def test_a_counter_that_fails_leaves_no_figure(meter: Meter, watts: Watts) -> None:
    """Never a part for the whole."""
    me = frozenset({threading.get_ident()})
    meter.open()
    meter.changed(me)
    watts.use(5)
    meter.changed(frozenset())
    meter.changed(me)
    watts.used = None
    meter.changed(frozenset())
    assert meter.close() is None


def test_without_counters_nothing_is_measured() -> None:
    """A machine without counters costs nothing and tells nothing."""
    meter = Meter(lambda: None, FakeClock())
    meter.open()
    meter.changed(frozenset({threading.get_ident()}))
    meter.changed(frozenset())
    assert meter.close() is None
