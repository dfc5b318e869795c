"""Numbered menus in plain text: what is chosen is typed, so they work in any terminal. Knows nothing of models."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from lao.cli.context import emit


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


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """The rows as lines with aligned columns; the last column is not padded."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
