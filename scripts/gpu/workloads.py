"""Generated workloads: plans whose tasks depend on one another in chosen shapes, and some that a reviewer rejects."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Job:
    """A task: ``needs`` are names of tasks of the same plan; ``rejections`` come before its approval."""

    name: str
    needs: tuple[str, ...] = ()
    rejections: int = 0


@dataclass(frozen=True)
class Workload:
    """Plans that are handed in together, each a tuple of tasks in a possible order."""

    name: str
    plans: tuple[tuple[Job, ...], ...]

    @property
    def jobs(self) -> tuple[Job, ...]:
        return tuple(job for plan in self.plans for job in plan)

    def text(self, number: int) -> str:
        """The Markdown of a plan that the simulated planner takes apart into its tasks."""
        lines = [f"# Plan {number}", ""]
        for job in self.plans[number]:
            after = f" | after: {', '.join(job.needs)}" if job.needs else ""
            check = "" if job.rejections else f" | test: python3 -c \"open('{job.name}.txt')\""
            lines.append(f"- task: {job.name} | file: {job.name}.txt | content: text of {job.name}{after}{check}")
        return "\n".join(lines) + "\n"

    def rules(self) -> list[dict[str, object]]:
        """The simulated server's rules: the rejections, and another text for each of them."""
        found: list[dict[str, object]] = []
        for job in self.jobs:
            for number in range(job.rejections):
                said = f"{job.name} is wrong, round {number}"
                finding = {"severity": "critical", "message": said, "file": f"{job.name}.txt", "line": 1,
                           "criterion": f"Write {job.name}.txt with the text", "command": "", "hint": ""}  # fmt: skip
                verdict = {"verdict": "REJECTED", "summary": said, "findings": [finding]}
                better = f"FILE: {job.name}.txt\n```\ntext of {job.name}, round {number}\n```\n"
                found += [
                    {
                        "match": {"role": "reviewer", "contains": f"{job.name}.txt"},
                        "answer": {"json": verdict},
                        "times": 1,
                    },
                    {"match": {"role": "coder", "contains": said}, "answer": {"text": better}, "times": 1},
                ]
        return found


@dataclass
class _Maker:
    """Names tasks so that no name is a part of another."""

    plan: int
    jobs: list[Job] = field(default_factory=list)

    def add(self, needs: Iterable[str] = ()) -> str:
        name = f"p{self.plan}t{len(self.jobs):03d}"
        self.jobs.append(Job(name, tuple(needs)))
        return name


def chain(length: int, plan: int = 0) -> tuple[Job, ...]:
    make, last = _Maker(plan), ()
    for _ in range(length):
        last = (make.add(last),)
    return tuple(make.jobs)


def independent(count: int, plan: int = 0) -> tuple[Job, ...]:
    make = _Maker(plan)
    for _ in range(count):
        make.add()
    return tuple(make.jobs)


def diamonds(count: int, plan: int = 0) -> tuple[Job, ...]:
    """One behind the other: a top, two sides, a bottom that is the next top."""
    make = _Maker(plan)
    top = make.add()
    for _ in range(count):
        top = make.add([make.add([top]), make.add([top])])
    return tuple(make.jobs)


def layers(depth: int, width: int, plan: int, rng: random.Random) -> tuple[Job, ...]:
    """Each task needs one or two of the layer before."""
    make = _Maker(plan)
    before: list[str] = []
    for _ in range(depth):
        before = [make.add(rng.sample(before, min(len(before), rng.randint(1, 2)))) for _ in range(width)]
    return tuple(make.jobs)


def loose(count: int, plan: int, rng: random.Random) -> tuple[Job, ...]:
    """Any acyclic graph: each task needs up to three of the earlier ones."""
    make = _Maker(plan)
    for number in range(count):
        make.add(rng.sample([job.name for job in make.jobs], rng.randint(0, min(3, number))))
    return tuple(make.jobs)


def with_rework(plan: tuple[Job, ...], share: float, rng: random.Random) -> tuple[Job, ...]:
    """A share of the tasks, at least one, is rejected once."""
    chosen = set(rng.sample(range(len(plan)), max(1, round(share * len(plan)))))
    return tuple(Job(job.name, job.needs, int(number in chosen)) for number, job in enumerate(plan))


def ten(seed: int) -> list[Workload]:
    """The ten workloads of the benchmark."""
    rng = random.Random(seed)  # a repeatable shape, no secret
    three = tuple(loose(6, number, rng) for number in range(3))
    return [
        Workload("chain of 6", (chain(6),)),
        Workload("20 independent tasks", (independent(20),)),
        Workload("3 diamonds in a row", (diamonds(3),)),
        Workload("4 layers of 5", (layers(4, 5, 0, rng),)),
        Workload("any graph of 15", (loose(15, 0, rng),)),
        Workload("three plans at once", three),
        Workload("three chains of 4", tuple(chain(4, number) for number in range(3))),
        Workload("20 independent, 10 % rework", (with_rework(independent(20), 0.1, rng),)),
        Workload("4 layers of 5, 10 % rework", (with_rework(layers(4, 5, 0, rng), 0.1, rng),)),
        Workload("three plans, 10 % rework", tuple(with_rework(plan, 0.1, rng) for plan in three)),
    ]
