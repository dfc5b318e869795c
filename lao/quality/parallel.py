"""Many checking commands at once, each in a folder of its own; what fails beside others is judged without them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from lao.core.errors import Interrupted
from lao.core.steps import StepKind, Steps
from lao.core.words import CommandResult, Json
from lao.durable.processes import run_command
from lao.durable.sandbox.policy import OPEN, Sandbox
from lao.durable.threads import Crew
from lao.quality.commands import Commands, run_checks


@dataclass(frozen=True)
class Lanes:
    """Where and how commands run.

    Attributes:
        place: a folder with exactly what is to be judged, gone at the end of the block; asked in several threads.
        at_most: commands at a time; with 1 they run in order, all in one folder.
        marker: put on the processes; each command's own one begins with it.
        timeout_s: of each command, in seconds.
        containment: what surrounds a command.
        output_limit: bytes of each command's output that are kept.
    """

    place: Callable[[], AbstractContextManager[Path]]
    at_most: int
    marker: str
    timeout_s: float
    containment: Sandbox = OPEN
    stop: Callable[[], bool] = field(default=lambda: False)
    output_limit: int = 60_000


def run_parallel(
    commands: Commands, steps: Steps, lanes: Lanes, known: Mapping[str, CommandResult] | None = None
) -> tuple[CommandResult, ...]:
    """The result of each command, in their order; every real run is a repeatable step.

    What fails beside others runs again alone, since it may have met them (a port, a file outside). What fails alone
    too runs once more after all that stand before it, in one folder: it may need what they build.

    Args:
        known: results by command line that are taken as they are. They must come from the very same files.

    Raises:
        Interrupted: the worker is stopping; commands at work are killed.
    """
    found = {n: (known or {})[line] for n, (_, line) in enumerate(commands) if line in (known or {})}
    left = [n for n in range(len(commands)) if n not in found]
    in_order = len(left) == len(commands)  # nothing is known: the plain way may be the first one
    if lanes.at_most > 1 and len(left) > 1:
        found |= _side_by_side(commands, left, steps, lanes)
        left, in_order = _failed(left, found), False
    if not in_order:
        for n in left:
            found[n] = _alone(commands, n, steps, lanes)
        left = [n for n in _failed(left, found) if n > 0]
    if left:
        with lanes.place() as folder:
            results = run_checks(
                commands[: max(left) + 1],
                cwd=folder,
                steps=steps,
                marker=lanes.marker,
                timeout_s=lanes.timeout_s,
                containment=lanes.containment,
                stop=lanes.stop,
                output_limit=lanes.output_limit,
            )
        found |= {n: results[n] for n in left}
    return tuple(found[n] for n in range(len(commands)))


def _failed(numbers: Sequence[int], found: Mapping[int, CommandResult]) -> list[int]:
    return [n for n in numbers if not found[n].passed]


def _side_by_side(commands: Commands, numbers: Sequence[int], steps: Steps, lanes: Lanes) -> dict[int, CommandResult]:
    """All of them, ``lanes.at_most`` at a time. The journal is written by this thread alone, in the commands' order
    whatever the order of their ends: a crash repeats those that ended before an earlier one did."""
    over = threading.Event()
    running: dict[int, Future[CommandResult]] = {}
    crew = Crew(lanes.at_most, "check")

    def result_of(number: int) -> Json:
        """Asked first for the first command that the journal does not know; with it all the others set out."""
        if not running:
            for n in numbers[numbers.index(number) :]:
                running[n] = crew.submit(partial(_run, commands, n, lanes, over.is_set))
        return running[number].result().to_json()

    found = {}
    try:
        for n in numbers:
            label = f"beside:{commands[n][0]}:{n}"
            found[n] = CommandResult.from_json(steps.run(StepKind.REPEATABLE, label, partial(result_of, n)))
    finally:
        over.set()
        crew.close()
    return found


def _alone(commands: Commands, number: int, steps: Steps, lanes: Lanes) -> CommandResult:
    label = f"alone:{commands[number][0]}:{number}"
    return CommandResult.from_json(
        steps.run(StepKind.REPEATABLE, label, lambda: _run(commands, number, lanes).to_json())
    )


def _run(commands: Commands, number: int, lanes: Lanes, over: Callable[[], bool] = lambda: False) -> CommandResult:
    """One command in a folder of its own, under a marker of its own: the end of a command kills what carries it."""

    def stop() -> bool:
        return over() or lanes.stop()

    if stop():
        raise Interrupted(f"stopped before {commands[number][1][:200]!r} began")
    with lanes.place() as folder:
        return run_command(
            commands[number][1],
            cwd=folder,
            marker=f"{lanes.marker}.{number}",
            timeout_s=lanes.timeout_s,
            containment=lanes.containment,
            stop=stop,
            output_limit=lanes.output_limit,
        )
