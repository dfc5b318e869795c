"""The words of ``lao doctor``: a row, and a group of rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["ok", "warn", "fail", "skipped"]

EXAMINED: Final = "examined"
"""The name of the row that a group has when it cannot be looked at."""


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        name: short and stable, for scripts (``"integrity"``); with the group's id it is the row's
            (``state.integrity``).
        remedy: one command in backticks, or one exact change; "" when nothing is to be done.
    """

    name: str
    level: Level
    text: str
    remedy: str = ""


@dataclass(frozen=True)
class Group:
    """A group of rows.

    Attributes:
        id: the first part of its rows' ids.
        target: ``module:function``; the function takes the ``Scene`` and returns the rows.
        rows: name (or a word in capitals for names that differ) to what is looked at, for the page.
        needs_settings: is left out when the configuration does not load.
        limit_s: seconds after which it is given up.
        aside: looked at in a thread; False: in the main one, which must keep its time itself.
    """

    id: str
    title: str
    target: str
    rows: Mapping[str, str]
    needs_settings: bool = True
    limit_s: float = 10.0
    aside: bool = True


def worst(levels: Iterable[Level]) -> Level:
    """The gravest of the levels; "skipped" where nothing was looked at."""
    found = set(levels)
    if found == {"skipped"}:
        return "skipped"
    return "fail" if "fail" in found else "warn" if "warn" in found else "ok"
