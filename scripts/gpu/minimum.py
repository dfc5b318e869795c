"""The least number of model loads that a workload's dependencies allow, by two searches that know nothing of LAO.

A job is a row of steps; each step needs a model. When a task may begin is ruled by ``release``: after the review of
what it needs ("reviewed"), or already after its coding, whose verification needs no model ("verified").
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

from scripts.gpu.workloads import Workload

PLANNER, CODER, REVIEWER = "planner", "coder", "reviewer"


@dataclass(frozen=True)
class Step:
    """One use of a model; ``needs`` are the numbers of steps that come before it."""

    model: str
    needs: tuple[int, ...]


def steps_of(workload: Workload, release: str = "reviewed") -> tuple[Step, ...]:
    """All steps: one planning for each plan, then coding and review of each task, again after each rejection."""
    found: list[Step] = []
    for plan in workload.plans:
        planning = len(found)
        found.append(Step(PLANNER, ()))
        free: dict[str, int] = {}
        for job in plan:
            before = (planning, *(free[name] for name in job.needs))
            first = len(found)
            for _ in range(job.rejections + 1):
                found.append(Step(CODER, before))
                found.append(Step(REVIEWER, (len(found) - 1,)))
                before = (len(found) - 1,)
            free[job.name] = first if release == "verified" else len(found) - 1
    return tuple(found)


def least_loads(steps: tuple[Step, ...]) -> int:
    """By breadth: after each load everything that its model can do is done.

    That loses nothing: a step that is done earlier never keeps another one from being done.
    """
    done = frozenset[int]()
    front, loads, seen = {done}, 0, {done}
    while not any(len(state) == len(steps) for state in front):
        loads += 1
        front = {_all_done(steps, state, model) for state, model in product(front, {s.model for s in steps})} - seen
        seen |= front
    return loads


def _all_done(steps: tuple[Step, ...], done: frozenset[int], model: str) -> frozenset[int]:
    reached = set(done)
    for number, step in enumerate(steps):  # needs come before their steps, so one pass is enough
        if step.model == model and reached.issuperset(step.needs):
            reached.add(number)
    return frozenset(reached)


def exhaustive_least_loads(steps: tuple[Step, ...]) -> int:
    """By trying every order of single steps; for some fifteen steps. Assumes nothing."""

    @cache
    def rest(done: frozenset[int], resident: str) -> int:
        if len(done) == len(steps):
            return 0
        return min(
            rest(done | {number}, step.model) + (step.model != resident)
            for number, step in enumerate(steps)
            if number not in done and done.issuperset(step.needs)
        )

    return rest(frozenset(), "")
