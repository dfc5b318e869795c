"""Promise: whatever the size of the window becomes, the region leaves nothing behind and takes nothing away."""

from __future__ import annotations

import os
import pty
import random

from lao.cli.view.region import Keys, Region, reflows
from tests.cli.view.screen import Screen


def region_on(screen: Screen) -> Region:
    return Region(screen, lambda: (screen.columns, screen.height), reflowing=True)


def test_lines_go_up_and_rows_stay() -> None:
    """Permanent lines, long ones too, stand above the rows in their order; the end leaves them and no row."""
    screen = Screen(20, 10)
    region = region_on(screen)
    region.draw(["one"], ["bar", "status"])
    region.draw(["two is a line that is longer than the window"], ["bar 2", "status"])
    assert screen.lines() == ["one", "two is a line that is longer than the window", "bar 2", "status"]
    region.draw([], ["s"])
    assert screen.lines()[2:] == ["s"]
    region.erase()
    assert screen.lines()[:2] == ["one", "two is a line that is longer than the window"]
    assert screen.lines()[2:] == [""]


def test_every_change_of_the_width_is_survived() -> None:
    """Narrower and wider at random: what was told is there once, in order, and the rows are once at the end."""
    chance = random.Random(7)
    for _ in range(50):
        screen = Screen(80, 24)
        region, told = region_on(screen), []
        for step in range(30):
            screen.resize(chance.choice([33, 47, 80, 81, 120]))  # 4 rows of 119 cells are 16 at the narrowest
            new = [f"line {step} " + "x" * chance.randrange(60)] if chance.random() < 0.5 else []
            rows = [f"row {n} of {step}".ljust(screen.columns - 1, ".") for n in range(chance.randrange(1, 5))]
            rows = [row[: screen.columns - 1] for row in rows]
            region.draw(new, rows)
            told += new
            assert screen.lines() == [*told, *rows]


def test_rows_that_were_made_for_another_size_leave_nothing() -> None:
    """The window changes between the making of the rows and their drawing: they wrap, and go away all the same."""
    screen = Screen(30, 24)
    region = region_on(screen)
    for number in range(3):
        region.draw([f"line {number}"], [f"row {number} ".ljust(79, "."), "status".ljust(79, ".")])
    region.draw([], ["row", "status"])
    assert screen.lines() == ["line 0", "line 1", "line 2", "row", "status"]


def test_nothing_is_sent_when_nothing_is_new() -> None:
    """An idle project costs the terminal nothing."""
    screen = Screen(40, 10)
    sent: list[str] = []
    region = region_on(screen)
    screen.write = lambda text: sent.append(text) or len(text)  # type: ignore[method-assign,func-returns-value]
    for _ in range(3):
        region.draw([], ["status"])
    assert len(sent) == 1


def test_terminals_that_cut_their_lines_are_known() -> None:
    """xterm and consoles do not wrap anew; inside tmux or screen it is those that count."""
    assert reflows({"TERM": "xterm-256color"})
    assert not reflows({"TERM": "xterm-256color", "XTERM_VERSION": "XTerm(390)"})
    assert not reflows({"TERM": "linux"})
    assert reflows({"TERM": "screen", "XTERM_VERSION": "XTerm(390)", "TMUX": "/tmp/x"})


def test_keys_of_what_is_no_terminal_are_nobodys() -> None:
    """Off a terminal there is nothing to hide, and nothing fails."""
    read, write = os.pipe()
    with os.fdopen(read) as stream, os.fdopen(write, "w"):
        keys = Keys(stream)
        assert keys.ours
        keys.hide()
        keys.show()


def test_what_is_typed_is_hidden_and_shown_again() -> None:
    """Hidden while rows are drawn, also after a shell has set the terminal anew; at the end all is as it was."""
    import termios

    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "r+b", buffering=0) as raw, os.fdopen(ours, "rb", buffering=0):
        before = termios.tcgetattr(raw.fileno())
        keys = Keys(raw)  # type: ignore[arg-type]
        for _ in range(2):
            keys.hide()
            assert not termios.tcgetattr(raw.fileno())[3] & termios.ECHO
            termios.tcsetattr(raw.fileno(), termios.TCSANOW, before)
        keys.hide()
        keys.show()
        assert termios.tcgetattr(raw.fileno()) == before
