"""The one visual language of all commands: what each state looks like, and where there are colours at all.

Only the plain ANSI colours and bold are used, which the terminal's theme makes readable on light and on dark, and never
alone: a symbol and a word say the same. Dim is for nothing that matters. Writes nothing itself.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TextIO

Piece = tuple[str, str]
"""A text and the name of its style (a key of ``STYLES``)."""

STYLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "": "",
        "good": "32",  # done, proved, passed
        "bad": "31",  # failed, refused
        "person": "35;1",  # a person is wanted (bold yellow becomes bright yellow, which no white terminal shows)
        "warn": "33",  # waits, doubts
        "busy": "36",  # at work now, and the model that is
        "strong": "1",
        "quiet": "2",  # what may as well be missed
    }
)


@dataclass(frozen=True)
class Mark:
    """What stands for a state: a symbol, the same in ASCII, and a style."""

    symbol: str
    ascii: str
    style: str


MARKS: Final[Mapping[str, Mark]] = MappingProxyType(
    {
        # the words of lao.core.states
        "completed": Mark("✓", "+", "good"),
        "done": Mark("✓", "+", "good"),
        "failed": Mark("✗", "x", "bad"),
        "needs_human": Mark("!", "!", "person"),
        "cancelled": Mark("-", "-", ""),
        "skipped": Mark("-", "-", ""),
        "queued": Mark("·", ".", ""),
        "waiting": Mark("·", ".", ""),
        "ready": Mark("·", ".", ""),
        "blocked": Mark("·", ".", ""),
        "planning": Mark("●", "*", "busy"),
        "active": Mark("●", "*", "busy"),
        "coding": Mark("●", "*", "busy"),
        "verifying": Mark("●", "*", "busy"),
        "reviewing": Mark("●", "*", "busy"),
        "running": Mark("●", "*", "busy"),
        # what stands behind a finished task's work
        "proved": Mark("✓", "+", "good"),
        "checked": Mark("✓", "+", ""),
        "none": Mark("✓", "+", "warn"),
        # checks of doctor and health
        "ok": Mark("✓", "+", "good"),
        "warn": Mark("!", "!", "warn"),
        "fail": Mark("✗", "x", "bad"),
        # what happens
        "idle": Mark("○", "o", ""),
        "paused": Mark("‖", "=", "warn"),
        "wait": Mark("…", "~", "warn"),
        "swap": Mark("⇄", "%", "busy"),
        "critical": Mark("✗", "x", "bad"),
        "major": Mark("✗", "x", "bad"),
        "minor": Mark("!", "!", "warn"),
        "info": Mark("·", ".", ""),
        "remedy": Mark("→", "->", ""),
        # a conversation
        "you": Mark("›", ">", "strong"),
        "tool": Mark("⚙", "#", "busy"),
        "result": Mark("↳", "->", "busy"),
    }
)
"""Every state that a command shows, by its word. There is no other table."""

MARKDOWN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "markdown.code": "bold cyan",  # without Rich's black ground, which is a bar on a light terminal
        "markdown.code_block": "cyan",
        "markdown.link": "cyan",
        "markdown.link_url": "underline",
        "markdown.kbd": "bold",
    }
)
"""Where Rich's own looks of Markdown are none for light and dark terminals alike."""

CODE: Final = "ansi_light"
"""Rich's theme of code that has the plain colours; the other one has the bright ones, which white hides."""

_ASCII: Final = str.maketrans(
    {
        **{mark.symbol: mark.ascii for mark in MARKS.values()},
        "→": "->",
        **dict(zip("█░…·≈×•–—‘’“”▌", "#-~|~x*--''\"\"|", strict=True)),
        **dict.fromkeys("─━═╌╍╴╶╸╺╼╾", "-"),
        **dict.fromkeys("│┃║╎╏", "|"),
        **dict.fromkeys("┌┐└┘├┤┬┴┼┏┓┗┛┳┻┡┩╇╭╮╰╯╞╡╪", "+"),
    }
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_WHITE: Final = re.compile(r"[\t\n\r]+ *")
_NO: Final = ("0", "no", "never", "off", "false")
_ALWAYS: Final = ("1", "yes", "always", "on", "true", "force")


@dataclass(frozen=True)
class Look:
    """How one stream is written to.

    Attributes:
        colour: SGR sequences may be sent.
        ascii: its encoding, its terminal or the person wants nothing but ASCII in symbols and rules.
        letters: letters beyond ASCII can be written all the same.
    """

    colour: bool = False
    ascii: bool = False
    letters: bool = False

    def paint(self, text: str, style: str) -> str:
        """The text in a style of ``STYLES``; unchanged without colours."""
        code = STYLES[style]
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and code and text else text

    def mark(self, state: str) -> str:
        """The symbol of a state, in its colour; a state without one is an error of the program."""
        mark = MARKS[state]
        return self.paint(mark.ascii if self.ascii else mark.symbol, mark.style)

    def word(self, state: str, text: str = "") -> str:
        """The word of a state (or another text for it) in its colour."""
        return self.paint(text or state, MARKS[state].style)

    def piece(self, state: str) -> Piece:
        """The symbol of a state and its style, for a line that is cut to a width."""
        mark = MARKS[state]
        return (mark.ascii if self.ascii else mark.symbol), mark.style

    def plain(self, text: str) -> str:
        """The text in ASCII, where that is wanted: LAO's own symbols by others, letters escaped if they must be."""
        if not self.ascii or text.isascii():
            return text
        told = text.translate(_ASCII)
        return told if self.letters else told.encode("ascii", "backslashreplace").decode()

    def clean(self, text: str) -> str:
        """Somebody else's text as it may be shown in a line."""
        return self.plain(printable(text))

    def line(self, pieces: Iterable[Piece], width: int | None = None) -> str:
        """The pieces as one line of at most ``width`` cells, cut with an ellipsis; no control character survives."""
        found = [(self.clean(text), style) for text, style in pieces]
        if width is not None and sum(cells(text) for text, _ in found) > width:
            found = _cut(found, width, self.plain("…"))
        return "".join(self.paint(text, style) for text, style in found)


def printable(text: str) -> str:
    """The text in one line, without what could move the cursor, hide something or turn the line around."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", _WHITE.sub(" ", text))


def cells(text: str) -> int:
    """How many columns of a terminal the text takes: East Asian letters take two, combining ones none."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _cut(pieces: list[Piece], width: int, ellipsis: str) -> list[Piece]:
    ellipsis = ellipsis[: max(0, width)]
    left = width - cells(ellipsis)
    kept: list[Piece] = []
    for text, style in pieces:
        if cells(text) <= left:
            kept.append((text, style))
            left -= cells(text)
            continue
        end = 0
        while end < len(text) and cells(text[: end + 1]) <= left:
            end += 1
        kept.append((text[:end] + ellipsis, style))
        break
    return kept


def look_of(stream: TextIO, env: Mapping[str, str] | None = None) -> Look:
    """How to write to this stream.

    Colours: ``LAO_COLOR`` (``always``, ``never``; else as if unset) first, then none with ``NO_COLOR`` (not empty),
    ``TERM=dumb`` or off a terminal. ASCII: ``LAO_ASCII`` (1 or 0), else with ``TERM=dumb`` and where the stream's
    encoding is none of Unicode; only there letters are escaped too.
    """
    env = os.environ if env is None else env
    return Look(_coloured(stream, env), _needs_ascii(stream, env), letters=_is_unicode(stream))


def here() -> Look:
    """How to write to stdout."""
    return look_of(sys.stdout)


def _coloured(stream: TextIO, env: Mapping[str, str]) -> bool:
    wish = env.get("LAO_COLOR", "").strip().lower()
    if wish in _NO or wish in _ALWAYS:
        return wish in _ALWAYS
    return not env.get("NO_COLOR") and env.get("TERM") != "dumb" and stream.isatty()


def _needs_ascii(stream: TextIO, env: Mapping[str, str]) -> bool:
    wish = env.get("LAO_ASCII", "").strip().lower()
    if wish in _NO or wish in _ALWAYS:
        return wish in _ALWAYS
    return env.get("TERM") == "dumb" or not _is_unicode(stream)


def _is_unicode(stream: TextIO) -> bool:
    encoding = getattr(stream, "encoding", None)  # None: text in memory
    return encoding is None or encoding.lower().replace("-", "").replace("_", "").startswith(
        ("utf8", "utf16", "cp65001")
    )


def duration(seconds: float) -> str:
    """Seconds for a person: ``4 s``, ``2:07``, ``1:02:03``."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02}:{rest:02}"
    return f"{minutes}:{rest:02}" if minutes else f"{rest} s"


def about(seconds: float) -> str:
    """A coarse estimate for a person: ``1 min``, ``25 min``, ``3.5 h``."""
    if seconds < 60:
        return f"{max(5, 5 * round(seconds / 5))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def count(number: float) -> str:
    """A count for a person: ``980``, ``1.2k``, ``34k``, ``1.2M``."""
    if number < 1000:
        return str(round(number))
    if number < 9950:
        return f"{number / 1000:.1f}k"
    return f"{round(number / 1000)}k" if number < 999_500 else f"{number / 1e6:.1f}M"


def bar(done: int, total: int, width: int) -> str:
    """A bar of ``width`` cells; full only when all is done."""
    full = 0 if total <= 0 else min(width, done * width // total)
    return "█" * full + "░" * (width - full)
