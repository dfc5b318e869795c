"""In which order diffs deserve a look, and why. Knows no rows; gets what is known of a task."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lao.quality.protection import is_test
from lao.reports.model import CHECKED, PROVED

_NO_PROOF, _ONLY_CHECKED, _NOT_DONE = 30, 8, 10
_TESTS, _API, _OUTSIDE = 15, 15, 12
_BLOCKING, _FINDING, _ATTEMPT = 12, 2, 4
_SIZE, _AT_MOST = 5, 100.0


@dataclass(frozen=True)
class Known:
    """What is known of a task's work.

    Attributes:
        changed: lines added and removed; None: not measured.
        lost: public names whose definitions went or were rewritten; None: not looked at.
        wanted: paths that the task was given; () when it was given none.
        blocking, other: findings that stand.
        attempts: begun.
    """

    state: str
    proof: str
    changed: int | None
    files: tuple[str, ...]
    wanted: tuple[str, ...]
    lost: tuple[str, ...] | None
    blocking: int
    other: int
    attempts: int


def risk(known: Known) -> tuple[float, tuple[str, ...]]:
    """0 to 100, and the reasons with their points, the weightiest first. What changed nothing has no risk."""
    if not known.files and not known.changed:
        return 0.0, ("no file was changed",)
    parts = sorted(_parts(known), key=lambda part: -part[0])
    total = min(_AT_MOST, sum(points for points, _ in parts))
    return round(total, 1), tuple(f"{text} (+{points:g})" for points, text in parts)


def _parts(known: Known) -> Iterator[tuple[float, str]]:
    if known.proof not in (PROVED, CHECKED):
        yield _NO_PROOF, "no command that could fail stands behind it"
    elif known.proof == CHECKED:
        yield _ONLY_CHECKED, "its commands passed before it too"
    if known.changed is not None:
        yield round(_SIZE * math.log10(1 + known.changed), 1), f"{known.changed} lines changed"
    else:
        yield _SIZE, "the size of its diff is not measured"
    if tests := [path for path in known.files if is_test(path)]:
        yield _TESTS, f"it touches tests: {_named(tests)}"
    if known.lost:
        yield _API, f"public names are changed or gone: {_named(known.lost)}"
    if outside := [path for path in known.files if known.wanted and path not in known.wanted]:
        yield _OUTSIDE, f"files that it was not given: {_named(outside)}"
    if known.blocking:
        yield _BLOCKING * min(known.blocking, 3), f"{known.blocking} blocking findings stand"
    if known.other:
        yield _FINDING * min(known.other, 5), f"{known.other} other findings stand"
    if known.attempts > 1:
        yield _ATTEMPT * min(known.attempts - 1, 5), f"it took {known.attempts} attempts"
    if known.state != "completed":
        yield _NOT_DONE, f"the task is {known.state}"


def _named(names: Sequence[str], most: int = 3) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
