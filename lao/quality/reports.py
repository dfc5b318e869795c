"""What a test run or compiler said, as records that all readers of command output make. Reads nothing itself."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")
_FOREIGN: Final = re.compile(r"^(?:/|<|\.\.|node:|[A-Za-z]:\\)|(?:^|/)(?:site-packages|node_modules|lib/python\d)")


@dataclass(frozen=True)
class Frame:
    """A place in a traceback. ``source`` is the statement there on one line, "" when the output does not show it."""

    path: str
    line: int
    source: str = ""

    @property
    def inside(self) -> bool:
        """Whether it is a file of the workspace (a relative path, no installed package)."""
        return not _FOREIGN.search(self.path)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.source}" if self.source else f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Failure:
    """One failing test, or one error that kept tests from running.

    Attributes:
        test: its name as the runner says it, "" outside tests.
        error: the exception's type or the kind of the message, for example ``"AssertionError"``.
        message: what the exception says, its lines as shown.
        statement: the statement of the test that failed, without indentation.
        source: the test's lines up to that statement as the runner shows them, dedented.
        frames: from the test down to where it happened.
    """

    test: str
    error: str
    message: str
    statement: str = ""
    source: str = ""
    frames: tuple[Frame, ...] = ()

    @property
    def first_line(self) -> str:
        """The first line of the message that says something."""
        return next((line.strip() for line in self.message.splitlines() if line.strip()), "")


@dataclass(frozen=True)
class Report:
    """A whole run. Counts are None when the output does not tell; ``broken``: nothing could run."""

    failures: tuple[Failure, ...]
    passed: int | None = None
    failed: int | None = None
    broken: bool = False
    running: str = ""


def plain_text(output: str) -> str:
    """Without colours, carriage returns and NULs."""
    text = _ANSI.sub("", output).replace("\r\n", "\n").replace("\0", "")
    return "\n".join(line.rsplit("\r", 1)[-1].rstrip() for line in text.split("\n"))


def number(pattern: str, text: str) -> int | None:
    """The sum of the first groups of all matches, None without any."""
    found = [int(m) for m in re.findall(pattern, text, re.MULTILINE)]
    return sum(found) if found else None


def one_line(text: str, limit: int = 200) -> str:
    """Whitespace collapsed, cut at ``limit`` characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"
