"""The yardstick of the swap benchmark: what it calls the least number of loads is the least."""

from __future__ import annotations

import random

import pytest

from scripts.gpu.minimum import exhaustive_least_loads, least_loads, steps_of
from scripts.gpu.workloads import Workload, chain, diamonds, independent, layers, loose, ten, with_rework


@pytest.mark.parametrize("release", ["reviewed", "verified"])
@pytest.mark.parametrize("seed", range(12))
def test_doing_all_that_a_model_can_is_never_worse_than_any_order(seed: int, release: str) -> None:
    """Compared with the search over every order of single steps, on small graphs of every kind."""
    rng = random.Random(seed)
    small = [
        (chain(3),),
        (independent(4),),
        (diamonds(1),),
        (layers(2, 2, 0, rng),),
        (loose(4, 0, rng), loose(2, 1, rng)),
        (with_rework(loose(4, 0, rng), 0.3, rng),),
        (with_rework(chain(2, 0), 0.5, rng), with_rework(loose(2, 1, rng), 0.5, rng)),
    ]
    for plans in small:
        steps = steps_of(Workload("small", plans), release)
        assert least_loads(steps) == exhaustive_least_loads(steps)


def test_known_minima() -> None:
    """A chain costs two loads a link, or two in all once verified work may be built on; a rejection costs two more."""
    assert least_loads(steps_of(Workload("", (chain(5),)))) == 1 + 2 * 5
    assert least_loads(steps_of(Workload("", (chain(5),)), "verified")) == 3
    assert least_loads(steps_of(Workload("", (independent(10),)))) == 3
    assert least_loads(steps_of(Workload("", (with_rework(independent(10), 0.1, random.Random(1)),)))) == 5


def test_the_ten_workloads_are_what_they_say() -> None:
    """Ten of them, the same for a seed, and their rules reject as often as their tasks say."""
    first, again = ten(1), ten(1)
    assert first == again and len(first) == 10
    for workload in first:
        assert len(workload.rules()) == 2 * sum(job.rejections for job in workload.jobs)
        assert bool(workload.rules()) == ("rework" in workload.name)
