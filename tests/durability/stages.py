"""A small run of the factory cut into stages of one message each, which can be done again with a fault in them.

The folder is kept as it was before each stage. ``Bench.run`` puts it back, does the stage with the fault, lets a
fault-free worker end the plan and calls the checker.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from tests.durability.factory_run import Project, plan_text, project
from tests.durability.invariants import check
from tests.durability.nursery import Ended, Nursery

PLAN = "parts"
SETTINGS: dict[str, object] = {
    "orchestration": {"retry_cooldown_base_s": 0, "infer_validation_commands": False, "parallel_checks": 1}
}
"""One command at a time: then nothing is written by another thread than the worker's first one."""

MOST_MISSED = 0.05
"""Of the points; runs differ a little, so the last calls of a kind may not come a second time."""

ROLL_ON = 40
FAULT_S = 10.0
"""A fault that lasts is over after so long: then the worker that it has found goes on."""


@dataclass(frozen=True)
class Stage:
    """One message of the recorded run.

    Attributes:
        before: the folder as it was.
        calls: model calls recorded before.
        log: what a recorder left, whatever it is.
    """

    name: str
    before: Path
    calls: int
    log: Path


class Point(Protocol):
    """Where a fault strikes; ``key`` is the same in every recording."""

    @property
    def stage(self) -> int: ...

    @property
    def key(self) -> str: ...


P = TypeVar("P", bound=Point)


class Injector(Protocol[P]):
    """Knows the points of the recorded stages and strikes at one of them.

    ``recording`` and ``striking`` give what ``Nursery.carry_out`` takes: strace's options and environment variables.
    ``struck`` is asked when the stage has ended: whether the fault really struck. ``take_away`` is asked when the plan
    has ended: it takes away what a power cut might take because of the fault, and tells how many files those are.
    """

    def recording(self, log: Path) -> tuple[Sequence[str], Mapping[str, str]]: ...

    def points(self, stages: Sequence[Stage]) -> list[P]: ...

    def striking(self, point: P) -> tuple[Sequence[str], Mapping[str, str]]: ...

    def struck(self, point: P, ended: Ended) -> bool: ...

    def take_away(self, root: Path) -> int: ...


@dataclass
class Figures:
    """What a sweep did.

    Attributes:
        known: all points that were recorded.
        points: those that were tried; at ``struck`` of them the fault really struck.
        recovered_by_run: after how many of them a real ``lao run --single-run`` ended the plan.
    """

    seed: int
    known: int = 0
    points: int = 0
    struck: int = 0
    recovered_by_run: int = 0
    by_stage: dict[str, int] = field(default_factory=dict)
    violations: list[str] = field(default_factory=list)

    def to_json(self, seconds: float) -> str:
        return json.dumps({**asdict(self), "seconds": round(seconds, 1)}, indent=2)


@dataclass(frozen=True)
class _Server:
    stats: dict[str, Any]


@dataclass(frozen=True)
class _Nursed(Project):
    """The project for the checker: the server's figures of one run alone, ``lao`` in a forked child."""

    nursery: Nursery

    def lao(self, *arguments: str, timeout: float = 120, **extra: str) -> subprocess.CompletedProcess[str]:
        ended = self.nursery.carry_out("lao", *arguments, timeout_s=timeout, **extra)
        return subprocess.CompletedProcess(arguments, ended.code or 0, ended.said, "")


@dataclass
class Bench(Generic[P]):
    """A project that is put back and run again and again."""

    factory: Project
    nursery: Nursery
    place: Path
    tasks: int
    injector: Injector[P]
    stages: list[Stage] = field(default_factory=list)
    calls: int = 0

    def record(self) -> None:
        """Make the recorded run, stage by stage.

        Raises:
            RuntimeError: it failed.
        """
        self._warm_up()
        base = self._completions()
        for number in range(3 + 5 * self.tasks):
            before, log = self.place / f"before-{number}", self.place / f"log-{number}"
            shutil.copytree(self.factory.root, before, symlinks=True)
            trace, environment = self.injector.recording(log)
            calls = self._completions() - base
            ended = self.nursery.carry_out("work", min(number, 1), trace=trace, **environment)
            if ended.code != 0:
                raise RuntimeError(f"the undisturbed run failed: {ended.said}")
            phase = re.search(r"^phase (\w+)", ended.said, re.MULTILINE)
            if number and phase is None:
                break
            self.stages.append(Stage(phase[1] if phase else "submit", before, calls, log))
        self.calls = self._completions() - base
        if found := self._check(base, 0):
            raise RuntimeError(f"the undisturbed run is wrong: {found}")

    def _warm_up(self) -> None:
        """Let the nursery import what a whole run imports, in a copy that is thrown away."""
        aside = self.place / "aside"
        shutil.copytree(self.factory.root, aside, symlinks=True)
        ended = self.nursery.carry_out("modules")
        if ended.code != 0:
            raise RuntimeError(f"the undisturbed run failed: {ended.said}")
        self.nursery.warm_up(json.loads(ended.said.splitlines()[-1]))
        self._put_back(aside)

    def _completions(self) -> int:
        return int(self.factory.server.stats["completions"])

    def _put_back(self, before: Path) -> None:
        shutil.rmtree(self.factory.root)
        shutil.copytree(before, self.factory.root, symlinks=True)
        self.factory.server.restart()

    def run(self, point: P, *, real: bool = False) -> tuple[bool, list[str]]:
        """Do the stage of a point with its fault and end the plan; whether it struck, and what was violated.

        Args:
            real: let ``lao run --single-run`` end the plan, with its three processes.
        """
        stage = self.stages[point.stage]
        self._put_back(stage.before)
        begun = self._completions()
        trace, environment = self.injector.striking(point)
        ended = self.nursery.carry_out("work", min(point.stage, 1), trace=trace, fault_s=FAULT_S, **environment)
        struck = self.injector.struck(point, ended)
        bad = [] if ended.code is not None else [f"the worker did not end: {ended.said[-1500:]}"]
        code, said = self._finish(real)
        if code != 0:
            return struck, [*bad, f"the next run ended with {code}: {said[-1500:]}"]
        bad += self._check(begun - stage.calls, int(struck))
        if not bad and self.injector.take_away(self.factory.root):
            bad = [f"after a power cut: {what}" for what in self._check(begun - stage.calls, int(struck))]
        return struck, bad

    def _finish(self, real: bool) -> tuple[int | None, str]:
        if not real:
            last = self.nursery.carry_out("work", None)
            return last.code, last.said
        done = self.factory.lao("run", "--single-run", "--plain", timeout=300)
        return done.returncode, done.stdout + done.stderr

    def _check(self, calls_before: int, kills: int) -> list[str]:
        stats = dict(self.factory.server.stats)
        stats["completions"] = int(stats["completions"]) - calls_before
        view = _Nursed(self.factory.root, _Server(stats), self.nursery)  # type: ignore[arg-type]
        return check(view, plan=PLAN, tasks=self.tasks, per_plan=self.tasks, kills=kills, expected_calls=self.calls)


@contextmanager
def bench(folder: Path, injector: Injector[P], *, tasks: int = 2) -> Iterator[Bench[P]]:
    """A recorded run of a plan with ``tasks`` tasks, each with a command."""
    with project(folder, settings=SETTINGS) as factory:
        (factory.root / "plans" / f"{PLAN}.md").write_text(plan_text(tasks, check="test -s part_{n}.txt"))
        with Nursery(factory, folder / "nursery") as nursery:
            made = Bench(factory, nursery, folder / "nursery", tasks, injector)
            made.record()
            yield made


@dataclass(frozen=True)
class Choice:
    """Which points are tried.

    Attributes:
        every: one of so many, drawn by the seed.
        shard: (which, of how many): for several processes beside one another, which have no point in common.
        seconds: begin no other point after so many.
        real: after every so many-th point a real ``lao run`` ends the plan; 0: never.
        keep: where the folders of points with violations go.
        stage: only points of stages of this name.
    """

    every: int = 1
    seed: int = 0
    shard: tuple[int, int] = (0, 1)
    seconds: float = 0
    real: int = 20
    keep: Path | None = None
    stage: str = ""

    def of(self, points: Sequence[P]) -> list[P]:
        """The chosen points in an order of the seed."""

        def number(point: P) -> int:
            return int(hashlib.sha256(f"{self.seed} {point.key}".encode()).hexdigest(), 16)

        which, of = self.shard
        mine = sorted((point for point in points if number(point) % of == which), key=number)
        return mine[: -(-len(mine) // self.every)]


def sweep(
    folder: Path, injector: Injector[P], choice: Choice, *, tasks: int = 2, tell: Callable[[str], None] = print
) -> Figures:
    """Strike at the chosen points, one after the other."""
    figures, end = Figures(choice.seed), time.monotonic() + choice.seconds
    with bench(folder, injector, tasks=tasks) as made:
        points = injector.points(made.stages)
        points = [point for point in points if choice.stage in ("", made.stages[point.stage].name)]
        figures.known = len(points)
        for number, point in enumerate(choice.of(points), 1):
            if choice.seconds and time.monotonic() > end:
                break
            real = bool(choice.real) and number % choice.real == 0
            struck, found = made.run(point, real=real)
            name = made.stages[point.stage].name
            figures.points += 1
            figures.struck += struck
            figures.recovered_by_run += real
            figures.by_stage[name] = figures.by_stage.get(name, 0) + struck
            figures.violations += [f"{name}, {point}: {what}" for what in found]
            if found:
                tell(f"{name}, {point}: {found}")
                _keep(made.factory.root, choice.keep, number)
            if number % ROLL_ON == 0:
                tell(f"{number} points, {figures.struck} struck, {len(figures.violations)} violations")
    if not figures.struck or figures.points - figures.struck > max(1, MOST_MISSED * figures.points):
        figures.violations.append(f"only {figures.struck} of {figures.points} faults struck")
    return figures


def _keep(root: Path, keep: Path | None, number: int) -> None:
    if keep is not None:
        shutil.copytree(root, keep / f"point-{number}", symlinks=True)
