"""E4 E7: several phases under way, one model at a time, as many generating as there are slots."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

import pytest

from lao.core.clock import FakeClock
from lao.core.errors import Interrupted, Transient
from workflows.slots import Prepared, Slots

WAIT_S = 10.0
SEEN, GONE = Prepared("instance"), Prepared(problem=Transient("no memory"))


class Phase:
    """A thread that does what it is told, one call after the other."""

    def __init__(self) -> None:
        self._asked: list[Callable[[], object]] = []
        self._wake, self._done = threading.Semaphore(0), threading.Semaphore(0)
        self.result: object = None
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            self._wake.acquire()
            try:
                self.result = self._asked.pop(0)()
            except Interrupted as error:
                self.result = error
            self._done.release()

    def start(self, call: Callable[[], object]) -> None:
        self._asked.append(call)
        self._wake.release()

    def is_done(self, within_s: float = WAIT_S) -> bool:
        return self._done.acquire(timeout=within_s)

    def do(self, call: Callable[[], object]) -> object:
        self.start(call)
        assert self.is_done()
        return self.result


def ready(slots: Slots, model: str, capacity: int = 1) -> None:
    with slots.turn(model) as known:
        if known is None:
            slots.note(SEEN, capacity)


@pytest.mark.parametrize("capacity", [1, 2])
def test_as_many_generate_as_there_are_slots(capacity: int) -> None:
    """E7: one more has to wait until a slot is given up."""
    slots = Slots()
    phases = [Phase() for _ in range(capacity + 1)]
    for phase in phases:
        phase.do(lambda: slots.begin("m"))
    phases[0].do(lambda: ready(slots, "m", capacity))
    for phase in phases[:-1]:
        assert phase.do(lambda: slots.take("m")) is True
    late = phases[-1]
    late.start(lambda: slots.take("m"))
    assert not late.is_done(0.05)
    phases[0].do(slots.leave)
    assert late.is_done()
    assert late.result is True


def test_the_model_stays_while_a_phase_wants_it() -> None:
    """A phase in its checks comes back for its model; only after a while is it not waited for, and never while
    somebody generates."""
    clock = FakeClock()
    slots = Slots(lambda: 20.0, clock=clock.monotonic)
    one, other = Phase(), Phase()
    one.do(lambda: slots.begin("a"))
    one.do(lambda: ready(slots, "a"))
    assert other.do(lambda: slots.begin("b")) is False
    assert other.do(lambda: slots.begin("a")) is True
    assert other.do(lambda: slots.begin("")) is True
    one.do(lambda: slots.take("a"))
    clock.wait(100)
    assert other.do(lambda: slots.begin("b")) is False
    one.do(slots.leave)
    clock.wait(19)
    assert other.do(lambda: slots.begin("b")) is False
    clock.wait(1)
    assert other.do(lambda: slots.begin("b")) is True


def test_the_model_goes_when_nobody_wants_it_any_more() -> None:
    """E4: the last phase of a model ends, and another model's turn may begin."""
    slots = Slots()
    one, other = Phase(), Phase()
    one.do(lambda: slots.begin("a"))
    assert other.do(lambda: slots.begin("b")) is False
    one.do(slots.end)
    assert other.do(lambda: slots.begin("b")) is True


def test_one_that_comes_back_waits_for_its_models_turn() -> None:
    """E4: a phase whose model went while it ran checks is served in time, without a third model in between."""
    clock = FakeClock()
    slots = Slots(lambda: 20.0, clock=clock.monotonic)
    one, other = Phase(), Phase()
    one.do(lambda: slots.begin("a"))
    one.do(lambda: ready(slots, "a"))
    clock.wait(20)
    assert other.do(lambda: slots.begin("b")) is True
    assert slots.ready is False
    other.do(lambda: ready(slots, "b"))
    assert one.do(lambda: slots.take("a")) is False
    one.start(lambda: ready(slots, "a"))
    assert not one.is_done(0.05)
    clock.wait(7)
    assert other.do(slots.waited_s) == 7
    assert other.do(lambda: slots.begin("b")) is True  # what the present model can do goes first
    third = Phase()
    clock.wait(20)
    assert third.do(lambda: slots.begin("c")) is False  # but no third model before the one that waits
    assert one.is_done()
    assert (slots.model, slots.ready) == ("a", True)
    assert one.do(lambda: slots.take("a")) is True


def test_one_loads_and_the_others_wait_for_it() -> None:
    """E1: nobody asks a model that is being loaded."""
    slots = Slots()
    one, other = Phase(), Phase()
    loading, loaded = threading.Event(), threading.Event()

    def load() -> None:
        with slots.turn("a") as known:
            assert known is None
            loading.set()
            assert loaded.wait(WAIT_S)
            slots.note(SEEN, 1)
        assert slots.take("a") is True

    def look() -> Prepared | None:
        with slots.turn("a") as known:
            return known

    one.start(load)
    assert loading.wait(WAIT_S)
    other.start(look)
    assert not other.is_done(0.05)
    loaded.set()
    assert one.is_done()
    assert other.is_done()
    assert other.result is SEEN


def test_nobody_looks_while_others_generate() -> None:
    """E1: what a look found missing it would load, beside what the server loads for the request that is under way; the
    look waits for the next quiet moment, and nobody begins to generate during it."""
    slots = Slots()
    one, other, third = Phase(), Phase(), Phase()
    one.do(lambda: ready(slots, "a", 2))
    one.do(lambda: slots.take("a"))
    looking, over = threading.Event(), threading.Event()

    def look() -> None:
        with slots.turn("a") as known:
            assert known is None
            looking.set()
            assert over.wait(WAIT_S)
            slots.note(SEEN, 2)

    other.do(lambda: slots.lost("a"))
    other.start(look)
    assert not looking.wait(0.05)
    one.do(slots.leave)
    assert looking.wait(WAIT_S)
    third.start(lambda: slots.take("a"))
    assert third.is_done()
    assert third.result is False  # it is not known to be there
    third.start(lambda: ready(slots, "a", 2))
    assert not third.is_done(0.05)
    over.set()
    assert other.is_done()
    assert third.is_done()


def test_a_load_that_failed_is_tried_by_the_next() -> None:
    """E1: a model that did not come up is not taken for resident."""
    slots = Slots()
    with slots.turn("a") as first:
        slots.note(Prepared(problem=Transient("no memory")), 1)
    assert slots.take("a") is False
    with slots.turn("a") as second:
        slots.note(SEEN, 1)
    assert (first, second, slots.take("a")) == (None, None, True)


def test_who_waits_hears_that_the_worker_stops() -> None:
    """K4: waiting for the GPU does not hold up the end of the worker."""
    stop = threading.Event()
    slots = Slots(stopping=stop.is_set)
    one, other = Phase(), Phase()
    one.do(lambda: slots.begin("a"))
    one.do(lambda: ready(slots, "a"))
    one.do(lambda: slots.take("a"))
    other.start(lambda: slots.take("a"))
    assert not other.is_done(0.05)
    stop.set()
    assert other.is_done()
    assert isinstance(other.result, Interrupted)


def test_no_two_models_whatever_happens() -> None:
    """Random phases of three models on six threads: who generates has its model, nobody is left waiting."""
    capacity, now = 2, [0.0]
    violations: list[str] = []
    slots = Slots(lambda: 0.02, changed=lambda holders: _check(holders), clock=lambda: now[0])
    models: dict[int, str] = {}

    def _check(holders: frozenset[int]) -> None:
        wanted = {models[t] for t in holders}
        if wanted - {slots.model} or len(holders) > capacity or (holders and not slots.ready):
            violations.append(f"{wanted} with {slots.model!r}, {len(holders)} at once")

    def work(seed: int) -> int:
        dice, made = random.Random(seed), 0
        while made < 30:
            now[0] += 0.001
            model = dice.choice("abc")
            models[threading.get_ident()] = model
            if not slots.begin(model):
                continue
            for _ in range(dice.randint(1, 3)):
                while not slots.take(model):
                    with slots.turn(model) as known:
                        if known is None:
                            slots.note(SEEN if dice.random() > 0.1 else GONE, capacity)
                slots.leave()
            slots.end()
            made += 1
        return made

    phases = [Phase() for _ in range(6)]
    for number, phase in enumerate(phases):
        phase.start(lambda number=number: work(number))  # type: ignore[misc]
    assert all(phase.is_done(60) for phase in phases)
    assert [phase.result for phase in phases] == [30] * 6
    assert violations == []


def test_a_slot_is_kept_for_one_who_is_soon_back() -> None:
    """E5: its prompt is still in the cache then; when it stays away, others go on."""
    clock = FakeClock()
    slots = Slots(clock=clock.monotonic)
    one, other = Phase(), Phase()
    one.do(lambda: slots.begin("a"))
    one.do(lambda: ready(slots, "a"))
    one.do(lambda: slots.take("a"))
    one.do(lambda: slots.leave(2.0))
    other.start(lambda: slots.take("a"))
    assert not other.is_done(0.05)
    assert one.do(lambda: slots.take("a")) is True
    one.do(lambda: slots.leave(2.0))
    clock.wait(2.0)
    assert other.is_done()
    other.do(slots.leave)
    one.do(lambda: slots.take("a"))
    one.do(lambda: slots.leave(1000.0))
    other.start(lambda: slots.take("a"))
    assert not other.is_done(0.05)
    one.do(slots.end)
    assert other.is_done()


def test_an_urgent_phase_goes_first_and_the_others_go_on_after_it() -> None:
    """L2: whoever holds a slot gives it up at its next call, however long it could keep it; with the same model nothing
    is loaded again."""
    slots = Slots()
    coder, turn, other = Phase(), Phase(), Phase()
    coder.do(lambda: slots.begin("a"))
    coder.do(lambda: ready(slots, "a"))
    assert coder.do(lambda: slots.take("a")) is True
    assert turn.do(lambda: slots.begin("a", urgent=True)) is True
    turn.start(lambda: slots.take("a"))
    assert not turn.is_done(0.05)  # the call under way is not cut
    other.do(lambda: slots.begin("a"))
    other.start(lambda: slots.take("a"))
    coder.start(lambda: slots.take("a"))
    assert turn.is_done()
    assert turn.result is True
    assert not coder.is_done(0.05)
    assert not other.is_done(0.05)
    turn.do(slots.end)
    assert coder.is_done() or other.is_done()
    assert slots.ready


def test_an_urgent_phase_swaps_its_model_in_without_patience() -> None:
    """L2: it waits for the call under way and for nothing else; the model before comes back when it is over."""
    clock = FakeClock()
    slots = Slots(lambda: 20.0, clock=clock.monotonic)
    coder, checking, turn = Phase(), Phase(), Phase()
    for phase in (coder, checking):
        phase.do(lambda: slots.begin("a"))
    coder.do(lambda: ready(slots, "a"))
    coder.do(lambda: slots.take("a"))
    assert turn.do(lambda: slots.begin("b", urgent=True)) is True
    assert slots.model == "a"
    turn.start(lambda: ready(slots, "b"))
    assert not turn.is_done(0.05)
    coder.start(lambda: slots.take("a"))
    assert turn.is_done()
    assert (slots.model, coder.is_done(), coder.result) == ("b", True, False)
    assert turn.do(lambda: slots.take("b")) is True
    coder.start(lambda: ready(slots, "a"))
    assert not coder.is_done(0.05)
    turn.do(slots.end)
    assert coder.is_done()
    assert (slots.model, slots.ready) == ("a", True)
    assert coder.do(lambda: slots.take("a")) is True
