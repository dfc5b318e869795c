"""Promise: colours mean something, are nowhere where nobody wants them, and nothing hangs on them alone."""

from __future__ import annotations

import io
import re
from enum import Enum
from pathlib import Path

import pytest

from lao.cli.look import MARKS, Look, about, bar, count, duration, look_of, printable
from lao.core.states import PlanState, RunState, TaskState
from lao.core.words import Severity

ROOT = Path(__file__).resolve().parents[2]


class Terminal(io.StringIO):
    """A stream that says that it is a terminal, in UTF-8 or not."""

    def __init__(self, encoding: str = "utf-8", tty: bool = True) -> None:
        super().__init__()
        self._encoding, self._tty = encoding, tty

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._tty


@pytest.mark.parametrize("words", [PlanState, TaskState, RunState, Severity])
def test_every_state_has_its_mark(words: type[Enum]) -> None:
    """One table: each state of plans, tasks and runs and each severity is in it, with an ASCII form of one cell."""
    assert {word.value for word in words} <= MARKS.keys()
    assert all(mark.ascii.isascii() and len(mark.ascii) in (1, 2) for mark in MARKS.values())


@pytest.mark.parametrize(
    ("env", "tty", "colour"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({"LAO_COLOR": "never"}, True, False),
        ({"LAO_COLOR": "always"}, False, True),
        ({"LAO_COLOR": "always", "NO_COLOR": "1"}, True, True),
        ({"LAO_COLOR": "auto"}, False, False),
    ],
)
def test_when_there_are_colours(env: dict[str, str], tty: bool, colour: bool) -> None:
    """B4: LAO_COLOR before NO_COLOR before TERM=dumb before the stream."""
    assert look_of(Terminal(tty=tty), env).colour is colour


@pytest.mark.parametrize(
    ("env", "encoding", "ascii_only"),
    [
        ({}, "utf-8", False),
        ({}, "UTF-8", False),
        ({}, "iso8859-1", True),
        ({}, "ANSI_X3.4-1968", True),
        ({"LAO_ASCII": "1"}, "utf-8", True),
        ({"LAO_ASCII": "0"}, "latin-1", False),
        ({"TERM": "dumb"}, "utf-8", True),
        ({"TERM": "dumb", "LAO_ASCII": "0"}, "utf-8", False),
    ],
)
def test_when_there_is_only_ascii(env: dict[str, str], encoding: str, ascii_only: bool) -> None:
    """Symbols are what the encoding, or the person, can stand."""
    assert look_of(Terminal(encoding), env).ascii is ascii_only


def test_letters_are_escaped_only_where_they_cannot_be_written() -> None:
    """Whoever wants ASCII symbols in a terminal of Unicode keeps the letters of their language."""
    text = "› für … │"
    assert look_of(Terminal(), {"LAO_ASCII": "1"}).plain(text) == "> für ~ |"
    assert look_of(Terminal("ascii"), {}).plain(text) == "> f\\xfcr ~ |"
    assert look_of(Terminal(), {}).plain(text) == text


def test_a_line_is_cut_to_cells_and_keeps_its_colours_apart() -> None:
    """Wide letters count two; what is cut ends with an ellipsis inside the width; controls do not survive."""
    pieces = [("日本語", "good"), (" and more\x1b]52;c;x\x07", "bad")]
    assert Look().line(pieces, 8) == "日本語 …"
    assert Look().line(pieces, 4) == "日…"
    assert Look(colour=True).line(pieces, 8) == "\x1b[32m日本語\x1b[0m\x1b[31m …\x1b[0m"
    assert "\x1b" not in Look().line(pieces) and "\x07" not in Look().line(pieces)
    assert printable("a\r\nb\u202ec") == "a b\N{REPLACEMENT CHARACTER}c"


def test_numbers_for_people() -> None:
    """Durations, estimates, counts and bars."""
    assert [duration(s) for s in (0.4, 59, 60, 3723)] == ["0 s", "59 s", "1:00", "1:02:03"]
    assert [about(s) for s in (1, 42, 90, 265, 7200)] == ["5 s", "40 s", "2 min", "4 min", "2.0 h"]
    assert [count(n) for n in (7, 999, 1000, 9_949, 34_400, 999_600)] == ["7", "999", "1.0k", "9.9k", "34k", "1.0M"]
    assert [bar(n, 3, 4) for n in (0, 1, 3)] == ["░░░░", "█░░░", "████"]
    assert bar(0, 0, 2) == "░░"


def test_no_command_has_symbols_or_colours_of_its_own() -> None:
    """One visual language: marks and escape sequences are in look.py alone (and the cursor's in view/region.py)."""
    marks = {mark.symbol for mark in MARKS.values() if not mark.symbol.isascii()} - {"…", "·", "→"}
    guilty = []
    for path in sorted((ROOT / "lao" / "cli").rglob("*.py")):
        if path.name in ("look.py", "region.py"):
            continue
        text = path.read_text(encoding="utf-8")
        code = re.sub(r'""".*?"""', "", text, flags=re.DOTALL)
        guilty += [f"{path.name}: {found}" for found in [*marks, "\\x1b", "\\033"] if found in code]
    assert guilty == []
