"""A few rows at the end of the scrollback that are drawn again and again, and permanent lines that go up above them.

Not Rich's Live: that moves the cursor up by the rows that it has drawn, and after the window was made narrower they are
more, so each change of the size leaves debris. All is sent in one write, over what was there, so nothing flickers.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TextIO

from lao.cli.look import cells

_SGR = re.compile(r"\x1b\[[0-9;]*m")
Size = tuple[int, int]
"""Columns and rows."""


def size_of(stream: TextIO) -> Size:
    """The terminal's size now; 80 x 24 where it does not say."""
    try:
        found = os.get_terminal_size(stream.fileno())
    except OSError:
        return 80, 24
    return (found.columns or 80, found.lines or 24)


def reflows(env: Mapping[str, str]) -> bool:
    """Whether the terminal wraps its lines anew when it gets narrower; xterm and the consoles cut them off."""
    inside = bool(env.get("TMUX") or env.get("STY"))
    return inside or not (env.get("XTERM_VERSION") or env.get("TERM") in ("linux", "vt100", "vt220", "cons25"))


def in_foreground(terminal: int) -> bool:
    """Whether this process may read from and set the terminal, which would stop one in the background. One that is not
    the controlling terminal of anybody (some containers) knows no background."""
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return True


class Region:
    """The rows, on one terminal.

    Args:
        size: gives the terminal's size; asked at each drawing.
        reflowing: see ``reflows``.
    """

    def __init__(self, out: TextIO, size: Callable[[], Size], *, reflowing: bool) -> None:
        self._out, self._size, self._reflowing = out, size, reflowing
        self._drawn: list[str] = []
        self._at: Size = (0, 0)

    def draw(self, lines: Sequence[str], rows: Sequence[str]) -> None:
        """Send permanent lines, of any length, and the rows, each shorter than the window is wide, beneath them."""
        size = self._size()
        if not lines and list(rows) == self._drawn and size == self._at:
            return
        text = [self._home(size)]
        text += [f"{line}\x1b[K\n" for line in lines]
        text.append("\x1b[K\n".join(rows))
        text.append("\x1b[K\x1b[J")
        self._send("".join(text))
        self._drawn, self._at = list(rows), size

    def erase(self) -> None:
        """Take the rows away; the cursor is where they began."""
        if self._drawn:
            self._send(self._home(self._size()) + "\x1b[J")
            self._drawn = []

    def forget(self) -> None:
        """Somebody else has written since: the next drawing is where the cursor is then."""
        self._drawn = []

    def _home(self, size: Size) -> str:
        """Moves the cursor to where the rows begin, wherever a change of the window's size has put that."""
        columns, height = size
        taken = len(self._drawn)
        if self._reflowing and columns > 0:  # whatever size they were made for: the window may have changed meanwhile
            taken = sum(max(1, -(-cells(_SGR.sub("", row)) // columns)) for row in self._drawn)
        up = min(max(0, taken - 1), max(0, height - 1))
        return f"\r\x1b[{up}A" if up else "\r"

    def _send(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


class Keys:
    """Shows nothing of what is typed while rows are drawn; shows it when somebody is asked, and at the end."""

    def __init__(self, stream: TextIO | None = None) -> None:
        stream = sys.stdin if stream is None else stream
        self._fd = stream.fileno() if stream.isatty() else None
        self._before: list[Any] | None = None

    @property
    def ours(self) -> bool:
        """Whether this process is the one that the terminal belongs to now, and not one in the background."""
        return self._fd is None or in_foreground(self._fd)

    def hide(self) -> None:
        """Echo nothing; also after a shell has set the terminal anew (Ctrl-Z and ``fg``)."""
        if self._fd is None or not self.ours:
            return
        import termios

        now = termios.tcgetattr(self._fd)
        if now[3] & termios.ECHO:
            self._before = termios.tcgetattr(self._fd)
            now[3] &= ~termios.ECHO
            termios.tcsetattr(self._fd, termios.TCSANOW, now)

    def show(self) -> None:
        """Echo as before."""
        if self._fd is None or self._before is None or not self.ours:
            return
        import termios

        termios.tcsetattr(self._fd, termios.TCSANOW, self._before)
        self._before = None
