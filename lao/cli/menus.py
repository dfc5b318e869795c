"""Numbered menus in plain text: what is chosen is typed, so they work in any terminal. Knows nothing of models."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import Final

import click

from lao.cli.context import emit
from lao.cli.look import here

_NUMBERS: Final = 7
"""Cells before an option of a long list, and one that stays free."""

_LEAST: Final = 6
"""Cells below which a last column says nothing and is left out."""


def on_a_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def choose(question: str, options: Sequence[str], default: int = 0) -> int:
    """Print the options with their numbers and ask for one until it is one of them.

    Args:
        default: what Enter means, counted from 0.

    Returns:
        the index of the option.

    Raises:
        click.Abort: Ctrl-C, or the end of the input.
    """
    width = len(str(len(options)))
    for number, option in enumerate(options, 1):
        emit(f"  {number:>{width}}  {option}")
    answer: int = click.prompt(question, default=default + 1, type=click.IntRange(1, len(options)))
    return answer - 1


def table(rows: Sequence[Sequence[str]], room: int | None = None) -> list[str]:
    """The rows as lines with aligned columns; the last column is not padded, and cut where the window ends.

    Args:
        room: cells for a line; None: what the window leaves beside the numbers of ``choose``.
    """
    if not rows:
        return []
    room = shutil.get_terminal_size().columns - _NUMBERS if room is None else room
    look = here()
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    left = room - sum(width + 2 for width in widths[:-1])
    lines = []
    for row in rows:
        *first, last = row
        last = look.line([(last, "")], left) if left >= _LEAST else ""
        lines.append("  ".join(cell.ljust(w) for cell, w in zip([*first, last], widths, strict=True)).rstrip())
    return lines
