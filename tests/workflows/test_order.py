"""E6: which work the GPU does next, what it waits for, and how long anything can wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lao.core.clock import FakeClock
from workflows.order import Affinity, Limits, Line

MODELS = {"plan": "p", "code": "c", "review": "r", "note": ""}


def affinity(
    resident: str = "",
    fed: Callable[[str], bool] = lambda _model: False,
    limits: Limits | None = None,
    clock: FakeClock | None = None,
    **waves: int | None,
) -> Affinity:
    return Affinity(
        MODELS.__getitem__,
        waves.get,
        lambda: resident,
        fed,
        lambda: limits or Limits(),
        (clock or FakeClock()).monotonic,
    )


def lines(waiting: list[tuple[int, str]]) -> list[Line]:
    counts = Counter(name for _, name in waiting)
    return [Line(name, min(i for i, n in waiting if n == name), count) for name, count in counts.items()]


def served(chooser: Affinity, names: list[str]) -> list[str]:
    """The order in which messages that are all waiting are taken."""
    waiting = list(enumerate(names, 1))
    order = []
    while waiting:
        chosen = chooser.choose(lines(waiting))
        assert chosen is not None
        order.append(chosen.name)
        waiting = [row for row in waiting if row[0] != chosen.first]
    return order


def test_the_resident_model_is_served_first() -> None:
    """E4: work for the loaded model goes before older work for another one."""
    assert served(affinity("c"), ["review", "code", "review", "code"]) == ["code", "code", "review", "review"]


def test_the_longest_line_is_next() -> None:
    """E6: when the resident model has nothing to do, the swap that serves most work is made."""
    assert served(affinity("p"), ["code", "review", "review"]) == ["review", "review", "code"]


def test_a_wave_ends_at_its_size_while_others_wait() -> None:
    """D11: a batch size bounds how long another model's work waits; without other work there is no bound."""
    order = served(affinity("c", code=2, review=1), ["code"] * 4 + ["review"] * 2)
    assert order == ["code", "code", "review", "code", "code", "review"]
    assert served(affinity("c", code=2), ["code"] * 5) == ["code"] * 5


def test_one_model_for_all_roles_keeps_the_order_of_arrival() -> None:
    """E4: the same key across roles means no preference and no swap."""
    chooser = Affinity(lambda _name: "one", lambda _name: None)
    assert served(chooser, ["review", "code", "plan"]) == ["review", "code", "plan"]


def test_work_without_a_model_goes_first_and_costs_no_swap() -> None:
    """E1: a phase that needs no model takes its turn at once, and the resident model stays the preferred one."""
    assert served(affinity("c"), ["review", "review", "code", "note"]) == ["note", "code", "review", "review"]


def test_a_swap_waits_for_what_is_on_its_way() -> None:
    """E6: while a verification may bring work for the loaded model, no other is loaded; at most patience_s."""
    clock, busy = FakeClock(), True
    chooser = affinity("c", fed=lambda model: busy and model == "c", limits=Limits(patience_s=20), clock=clock)
    review = [Line("review", 1, 5)]
    assert chooser.choose(review) is None
    clock.wait(19.9)
    assert chooser.choose(review) is None
    assert chooser.choose([*review, Line("code", 6, 1)]) == Line("code", 6, 1)
    clock.wait(19.9)
    assert chooser.choose(review) is None, "a new wait begins after work"
    clock.wait(20)
    assert chooser.choose(review) == review[0]
    assert chooser.choose([Line("review", 2, 4)]) == Line("review", 2, 4)
    busy = False
    assert chooser.choose([Line("code", 7, 1)]) == Line("code", 7, 1), "nothing is on its way: no wait"


def test_nobody_waits_for_a_model_that_is_not_there() -> None:
    """At the first choice of a machine without a loaded model there is nothing to save."""
    assert affinity("", fed=lambda _model: True).choose([Line("review", 1, 1)]) == Line("review", 1, 1)


def test_no_line_waits_longer_than_its_bound() -> None:
    """No starvation: with a resident model that never runs out of work, others get their turn after longest_wait_s."""
    clock = FakeClock()
    chooser = affinity("c", limits=Limits(longest_wait_s=100), clock=clock)
    review = Line("review", 1, 1)
    for number in range(10, 20):
        assert chooser.choose([Line("code", number, 3), review]) == Line("code", number, 3)
        clock.wait(10)
    assert chooser.choose([Line("code", 20, 3), review]) == review
    assert chooser.choose([Line("code", 20, 3)]) == Line("code", 20, 3)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(["plan", "code", "review"]), st.integers(1, 30)), min_size=1, max_size=40))
def test_the_bound_holds_for_any_arrivals(arrivals: list[tuple[str, int]]) -> None:
    """Every line gets a turn within the bound, the phase at work and a phase for each other line, whatever comes."""
    clock, bound, phase = FakeClock(), 50.0, 10.0
    chooser = affinity("c", limits=Limits(longest_wait_s=bound), clock=clock)
    waiting: list[tuple[int, str]] = []
    turn: dict[str, float] = {}
    todo = [name for name, count in arrivals for _ in range(count)]
    number = 0
    while todo or waiting:
        for name in todo[:2]:
            number += 1
            turn.setdefault(name, clock.monotonic())
            waiting.append((number, name))
        del todo[:2]
        chosen = chooser.choose(lines(waiting))
        assert chosen is not None
        for name, since in turn.items():
            assert clock.monotonic() - since <= bound + 3 * phase, name
        waiting = [row for row in waiting if row[0] != chosen.first]
        turn = {name: since for name, since in turn.items() if any(n == name for _, n in waiting)}
        if chosen.name in turn:
            turn[chosen.name] = clock.monotonic()
        clock.wait(phase)
