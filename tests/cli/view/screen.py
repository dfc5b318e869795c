"""A terminal in memory, as far as the region uses one: text, line ends, and the few sequences that it sends."""

from __future__ import annotations

import io
import re

_TOKEN = re.compile(r"\x1b\[(\d*)([AKJm])|\x1b\[[0-9;]*m|(\n)|(\r)|([^\x1b\n\r]+)", re.DOTALL)


class Screen(io.StringIO):
    """Rows as long as they were written; ``resize`` wraps them anew, as most terminals do.

    Attributes:
        lines: logical lines, each of which may take several rows.
    """

    def __init__(self, columns: int, height: int) -> None:
        super().__init__()
        self.columns, self.height = columns, height
        self.rows: list[str] = [""]
        self.joined: list[bool] = [False]  # whether the row goes on in the next one
        self.y = self.x = 0

    def write(self, text: str) -> int:
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            assert found, f"not a sequence of the region: {text[at : at + 12]!r}"
            self._take(found)
            at = found.end()
        return len(text)

    def _take(self, found: re.Match[str]) -> None:
        number, name, line_end, carriage, plain = found.groups()
        if name == "A":
            self.y = max(max(0, len(self.rows) - self.height), self.y - int(number or 1))
        elif name == "K":
            self.rows[self.y] = self.rows[self.y][: self.x]
            self.joined[self.y] = False
        elif name == "J":
            self.rows[self.y] = self.rows[self.y][: self.x]
            del self.rows[self.y + 1 :], self.joined[self.y + 1 :]
            self.joined[self.y] = False
        elif line_end:
            self._down()
            self.x = 0
        elif carriage:
            self.x = 0
        else:
            for char in plain or "":
                self._put(char)

    def _put(self, char: str) -> None:
        if self.x >= self.columns:
            self.joined[self.y] = True
            self._down()
            self.x = 0
        row = self.rows[self.y].ljust(self.x)
        self.rows[self.y] = row[: self.x] + char + row[self.x + 1 :]
        self.x += 1

    def _down(self) -> None:
        self.y += 1
        if self.y == len(self.rows):
            self.rows.append("")
            self.joined.append(False)

    def resize(self, columns: int) -> None:
        """The rows wrapped anew; the cursor stays at its letter."""
        before, cursor = self.lines(), self._cursor()
        self.columns = columns
        self.rows, self.joined = [], []
        for number, line in enumerate(before):
            parts = [line[i : i + columns] for i in range(0, len(line), columns)] or [""]
            if number == cursor[0]:
                self.y = len(self.rows) + min(cursor[1] // columns, len(parts) - 1)
                self.x = cursor[1] - (self.y - len(self.rows)) * columns
            self.rows += parts
            self.joined += [True] * (len(parts) - 1) + [False]

    def lines(self) -> list[str]:
        """The logical lines."""
        found, part = [], ""
        for row, joined in zip(self.rows, self.joined, strict=True):
            part += row
            if not joined:
                found.append(part)
                part = ""
        return found

    def _cursor(self) -> tuple[int, int]:
        line = sum(not joined for joined in self.joined[: self.y])
        begin = self.y
        while begin and self.joined[begin - 1]:
            begin -= 1
        return line, sum(len(row) for row in self.rows[begin : self.y]) + self.x
