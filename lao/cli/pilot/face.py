"""How the Pilot looks: items printed, the input line, and what is above it while an answer comes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import Completer
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import History
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.shortcuts import PromptSession
from prompt_toolkit.styles import Style

from lao.cli.look import MARKS, Look
from lao.cli.pilot import keys
from lao.cli.pilot.clean import clean
from lao.cli.pilot.screen import Screen
from lao.cli.pilot.talk import Item
from workflows import pilot

LIVE_LINES: Final = 8
MENU_LINES: Final = 6
_OTHERS: Final = 4
"""Rows that the input line, the status line and a little of what was said before need."""

_OPEN: Final = 2_000
"""Characters of an unfinished block that are looked at."""

STYLE: Final = Style.from_dict(
    {"bottom-toolbar": "noreverse", "live": "", "doing": "fg:ansicyan", "you": "bold"}  # no grey: some themes hide it
)


class Line(keys.Desk, Protocol):
    """Whoever has the input line."""

    def message(self) -> StyleAndTextTuples:
        """What stands before the cursor, and above it."""

    def toolbar(self) -> str:
        """The status line."""


def input_line(
    line: Line, *, history: History, completer: Completer, accept: Callable[[Buffer], bool], look: Look
) -> PromptSession[int]:
    """The input line, of one or more lines, with completion of commands while they are typed."""

    def names_a_command() -> bool:
        text = session.default_buffer.text
        return text.startswith("/") and " " not in text and "\n" not in text and _rows() >= 2 * MENU_LINES

    session: PromptSession[int] = PromptSession(
        message=line.message,
        history=history,
        multiline=True,
        key_bindings=keys.bindings(line),
        completer=completer,
        complete_in_thread=True,
        complete_while_typing=Condition(names_a_command),
        reserve_space_for_menu=MENU_LINES if _rows() >= 2 * MENU_LINES else 1,
        bottom_toolbar=line.toolbar,
        prompt_continuation="  ",
        style=STYLE,
        color_depth=None if look.colour else ColorDepth.DEPTH_1_BIT,
        include_default_pygments_style=False,
        erase_when_done=True,
    )
    session.default_buffer.accept_handler = accept
    return session


def _rows() -> int:
    return shutil.get_terminal_size().lines


def above_the_line(gate: str, unfinished: str, doing: str | None, look: Look) -> StyleAndTextTuples:
    """The last lines of what is not finished, folded to the terminal's width, and the sign of the input line.

    Args:
        gate: the gate that is shown live, "" for none.
        unfinished: what of the answer is not printed yet.
        doing: what the turn does; None when none is in flight.
    """
    size = shutil.get_terminal_size()
    room = min(LIVE_LINES, size.lines - _OTHERS)
    width = max(size.columns - 1, 1)
    lines = [("class:live", line) for line in clean(gate).splitlines()]
    if doing is not None:
        lines += [("class:live", line) for line in clean(unfinished[-_OPEN:]).splitlines() if line.strip()]
        lines.append(("class:doing", f"{MARKS['wait'].symbol} {doing}"))
    told = [(style, look.plain(line)) for style, line in lines]
    folded = [(style, line[at : at + width]) for style, line in told for at in range(0, len(line), width)]
    shown = folded[-room:] if room > 0 else []
    return [*((style, f"{line}\n") for style, line in shown), ("class:you", look.plain(f"{MARKS['you'].symbol} "))]


def greeting(root: Path, came_from: Path | None) -> str:
    """The first line. ``came_from``: the project whose ``lao run`` waits for this Pilot to end."""
    back = f"; Ctrl-D goes back to {came_from.name}" if came_from is not None else ""
    return f"{root}: ask, or /help{back}"


def onto(screen: Screen, item: Item) -> None:
    """Print an item."""
    if item.kind == "markdown":
        screen.markdown(item.text)
        screen.blank()
    elif item.kind == "diff":
        screen.diff(item.text)
    else:
        screen.line(item.text, item.kind)


def not_taken(text: str) -> Item:
    """Says why a paste was not taken."""
    most = f"{pilot.MOST_CHARACTERS:,}"
    told = f"a paste of {len(text):,} characters was not taken: at most {most} fit a question"
    return Item("error", f"{told}\n  → save it as a file in the project and ask about the file")


def head(text: str, most: int = 20) -> str:
    """The first lines of what was typed, and how many follow."""
    lines = text.strip().splitlines()
    more = [f"… {len(lines) - most} more lines"] if len(lines) > most else []
    return "\n".join(lines[:most] + more)
