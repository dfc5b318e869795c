"""How the Pilot looks: items printed, and the lines above the input that change while an answer comes."""

from __future__ import annotations

import shutil
from typing import Final

from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.styles import Style

from lao.cli.pilot.clean import clean
from lao.cli.pilot.screen import Screen
from lao.cli.pilot.talk import Item

LIVE_LINES: Final = 8
_OTHERS: Final = 4
"""Rows that the input line, the status line and a little of what was said before need."""

_OPEN: Final = 2_000
"""Characters of an unfinished block that are looked at."""

STYLE: Final = Style.from_dict(
    {"bottom-toolbar": "noreverse fg:ansibrightblack", "live": "fg:ansibrightblack", "you": "bold"}
)


def above_the_line(gate: str, unfinished: str, doing: str | None) -> StyleAndTextTuples:
    """The last lines of what is not finished, folded to the terminal's width, and the sign of the input line.

    Args:
        gate: the gate that is shown live, "" for none.
        unfinished: what of the answer is not printed yet.
        doing: what the turn does; None when none is in flight.
    """
    size = shutil.get_terminal_size()
    room = min(LIVE_LINES, size.lines - _OTHERS)
    width = max(size.columns - 1, 1)
    lines = clean(gate).splitlines() if gate else []
    if doing is not None:
        lines += [line for line in clean(unfinished[-_OPEN:]).splitlines() if line.strip()]
        lines.append(f"… {doing}")
    folded = [line[at : at + width] for line in lines for at in range(0, len(line), width)]
    shown = folded[-room:] if room > 0 else []
    return [*(("class:live", f"{line}\n") for line in shown), ("class:you", "› ")]


def onto(screen: Screen, item: Item) -> None:
    """Print an item."""
    if item.kind == "markdown":
        screen.markdown(item.text)
        screen.blank()
    elif item.kind == "diff":
        screen.diff(item.text)
    else:
        screen.line(item.text, item.kind)


def head(text: str, most: int = 20) -> str:
    """The first lines of what was typed, and how many follow."""
    lines = text.strip().splitlines()
    more = [f"… {len(lines) - most} more lines"] if len(lines) > most else []
    return "\n".join(lines[:most] + more)
