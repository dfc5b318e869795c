"""A Markdown text that is still being written, cut into the blocks that are finished. Renders nothing."""

from __future__ import annotations

import re
from typing import Final

_FENCE: Final = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$")
LONGEST_LINES: Final = 40
"""Lines of a code block after which its beginning is finished, whatever comes."""

LONGEST_TEXT: Final = 8_000
"""Characters without an end of a block after which they are one."""


class Blocks:
    """Takes pieces of a text and gives its finished blocks, each Markdown of its own.

    A block ends at an empty line that is followed by a line that is not indented, so that an item keeps what belongs to
    it. A fenced block ends with its fence; a long one comes in parts, each with its own fence. The blocks together have
    every line of the text, in order.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._tail = ""
        self._fence = ""
        """The line that opened the fence that is open, "" outside of one."""

    def add(self, piece: str) -> list[str]:
        """The blocks that this piece finishes; often none."""
        *lines, self._tail = (self._tail + piece).split("\n")
        done: list[str] = []
        for line in lines:
            self._take(line, done)
        if self._tail and self._ended_before(self._tail):
            self._flush(done)
        if len(self._tail) > LONGEST_TEXT:
            self._lines.append(self._tail)
            self._tail = ""
            self._flush(done)
        return done

    @property
    def open(self) -> str:
        """What is not finished yet, as it came."""
        return "\n".join([*self._lines, self._tail])

    def finish(self) -> list[str]:
        """The last block; an open fence is closed. Begins anew."""
        done: list[str] = []
        if self._tail:
            self._lines.append(self._tail)
            self._tail = ""
        self._flush(done)
        self._lines, self._fence = [], ""
        return done

    def _take(self, line: str, done: list[str]) -> None:
        mark = _FENCE.match(line)
        if self._fence:
            self._lines.append(line)
            if mark and mark[1].startswith(_mark(self._fence)) and not mark[2].strip():
                self._fence = ""
                self._flush(done)
            elif len(self._lines) > LONGEST_LINES or sum(map(len, self._lines)) > LONGEST_TEXT:
                self._flush(done)
                self._lines = [self._fence]
            return
        if self._ended_before(line) or sum(map(len, self._lines)) > LONGEST_TEXT:
            self._flush(done)
        self._lines.append(line)
        if mark:
            self._fence = line

    def _ended_before(self, line: str) -> bool:
        """Whether the lines so far are a block, now that this one follows."""
        blank = bool(self._lines) and not self._lines[-1].strip()
        return blank and not self._fence and bool(line.strip()) and not line.startswith((" ", "\t"))

    def _flush(self, done: list[str]) -> None:
        lines = [*self._lines, _mark(self._fence)] if self._fence else self._lines
        if any(line.strip() for line in lines):
            done.append("\n".join(lines).rstrip("\n") + "\n")
        self._lines = []


def _mark(fence: str) -> str:
    """The backticks or tildes that a fence begins with, "" for none."""
    found = _FENCE.match(fence)
    return found[1] if found else ""
