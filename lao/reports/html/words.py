"""How states and figures look on a page: a symbol, a word and a style for each state; times, counts and sizes.

The symbols are those of the terminal (``lao.cli.look``, which a test compares). Draws no page.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from lao.reports.html.markup import Markup, tag

STATES: Final[Mapping[str, tuple[str, str, str]]] = MappingProxyType(
    {
        # of plans, tasks, attempts
        "completed": ("✓", "good", "completed"),
        "done": ("✓", "good", "done"),
        "failed": ("✗", "bad", "failed"),
        "needs_human": ("!", "person", "needs a person"),
        "cancelled": ("-", "", "cancelled"),
        "skipped": ("-", "", "skipped"),
        "queued": ("·", "", "queued"),
        "waiting": ("·", "", "waiting"),
        "ready": ("·", "", "ready"),
        "blocked": ("·", "", "waits"),
        "planning": ("●", "busy", "planning"),
        "active": ("●", "busy", "at work"),
        "coding": ("●", "busy", "coding"),
        "verifying": ("●", "busy", "verifying"),
        "reviewing": ("●", "busy", "reviewing"),
        "running": ("●", "busy", "running"),
        # what stands behind work, and behind a requirement
        "proved": ("✓", "good", "proved"),
        "checked": ("✓", "", "checked"),
        "none": ("✓", "warn", "no check"),
        "unchecked": ("!", "warn", "unchecked"),
        "open": ("·", "", "open"),
        # of findings
        "critical": ("✗", "bad", "critical"),
        "major": ("✗", "bad", "major"),
        "minor": ("!", "warn", "minor"),
        "info": ("·", "", "info"),
        # of commands
        "ok": ("✓", "good", "passed"),
        "fail": ("✗", "bad", "failed"),
        "wait": ("…", "warn", "unknown"),
        "before_ok": ("·", "", "passed before"),
        "before_fail": ("·", "", "failed before"),
    }
)
"""Symbol, style and word of each state; a state without an entry is shown by its word alone."""

NOT_MEASURED: Final = "not measured"


def chip(state: str, word: str = "") -> Markup:
    """A state as symbol and word, never as a colour alone."""
    symbol, style, known = STATES.get(state, ("", "", state.replace("_", " ")))
    mark = tag("span", symbol, class_="mark", aria_hidden="true") if symbol else None
    return tag("span", mark, " " if symbol else None, word or known, class_=f"chip {style}".rstrip())


def moment(at: float | None) -> Markup:
    """A moment in local time, with the exact one for machines."""
    if at is None:
        return tag("span", "not over")
    exact = dt.datetime.fromtimestamp(at, dt.timezone.utc)
    return tag("time", exact.astimezone().strftime("%Y-%m-%d %H:%M:%S"), datetime=exact.isoformat(timespec="seconds"))


def clock(at: float) -> str:
    """The time of day, local, to the second."""
    return dt.datetime.fromtimestamp(at, dt.timezone.utc).astimezone().strftime("%H:%M:%S")


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``2 min 7 s``, ``1 h 2 min``."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def number(value: float) -> str:
    """A whole number with narrow spaces: ``12 345``."""
    return f"{round(value):,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def short(commit: str) -> str:
    """A commit as people write it."""
    return commit[:10]
