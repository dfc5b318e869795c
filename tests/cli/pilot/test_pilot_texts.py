"""What the Pilot shows is harmless, comes block by block, and what is typed is told apart."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lao.cli.look import Look
from lao.cli.pilot.blocks import LONGEST_LINES, Blocks
from lao.cli.pilot.clean import clean, one_line
from lao.cli.pilot.commands.registry import by_any_name
from lao.cli.pilot.route import Kind, arguments, read
from lao.cli.pilot.screen import Screen, hung
from lao.core.errors import BadInput

COLOURS = re.compile(r"\x1b\[[\d;]*m")
ATTACKS = (
    "\x1b]52;c;aGVsbG8=\x07",  # the clipboard
    "\x1b[2J\x1b[H",
    "\x9b31m",
    "done\rfailed",
    "\x1b]8;;http://evil\x07here\x1b]8;;\x07",
    "\u202egpj.exe",
    "\x08\x08\x7f",
    "&#27;]52;c;aGVsbG8=&#7;",
    "&#x9b;2J &#x202e;",
    "[a](http://x\x1b[2J)",
    "`\x1b[?1049h`",
    "```\n\x1b]0;title\x07\n```",
    "| \x1b[5m | b |\n|--|--|\n| c | \r |",
)


@pytest.mark.parametrize("attack", ATTACKS, ids=range(len(ATTACKS)))
@pytest.mark.parametrize("form", ["markdown", "line", "diff"])
def test_nothing_that_a_terminal_acts_upon_is_printed(form: str, attack: str) -> None:
    """L1: of what models and tools say, colours of our own are the only sequences that reach the terminal."""
    file = io.StringIO()
    getattr(Screen(file, width=60), form)(f"before {attack} after\n\n{attack}")
    sent = COLOURS.sub("", file.getvalue())
    assert not [c for c in sent if c != "\n" and not c.isprintable()], repr(sent)
    assert "before" in sent


@given(st.text())
def test_clean_text_is_harmless_and_keeps_what_is(text: str) -> None:
    """L1: printable text, line ends and tabs stay as they are; a second time changes nothing."""
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", cleaned)
    plain = "".join(c for c in text if c.isascii() and c.isprintable())
    assert [c for c in cleaned if c in plain] or not plain


def test_a_turn_in_ascii() -> None:
    """B4: lists, tables, quotes, code and LAO's own symbols are ASCII where that is wanted, as are escaped letters."""
    file = io.StringIO()
    screen = Screen(file, width=40, look=Look(ascii=True))
    screen.markdown("# für\n\n- a … b\n\n> q\n\n| a | b |\n|--|--|\n| c | ✓ |\n\n```python\nx = '→'\n```")
    screen.line("› so\n  ↳ [1] x", "tool")
    assert file.getvalue().isascii()
    assert "> so\n  -> [1] x" in COLOURS.sub("", file.getvalue())
    assert not re.search(r"\x1b\[(?:\d+;)*3[0-7]m", file.getvalue())


def test_what_is_folded_keeps_its_column() -> None:
    """Long lines of tables and lists go on under their words; a line that fits, and one without a column, stay so."""
    assert hung("  /resume [PLAN]    Go on after a pause; back to the view.", 40) == [
        "  /resume [PLAN]    Go on after a pause;", "                    back to the view.",
    ]  # fmt: skip
    assert hung("  ✓ checks: one two three four five", 20) == ["  ✓ checks: one two", "    three four five"]
    assert hung("short", 20) == ["short"]
    assert hung("a sentence that is long", 12) == ["a sentence", "that is long"]
    assert hung("x" * 30, 12) == ["x" * 12, "x" * 12, "x" * 6]


def test_a_line_stays_one_line() -> None:
    """L1: a plan's name with a line end or an escape cannot make a second line."""
    assert one_line("a\nb\x1b[2J  c") == "a b␛[2J c"
    assert one_line("x" * 300, 20) == "x" * 19 + "…"


TEXT = """# Title

A paragraph
of two lines.

1. one

   still one

2. two

```python
x = 1

y = 2
```
After the code.

| a | b |
|---|---|
| 1 | 2 |
"""


@given(st.lists(st.integers(min_value=1, max_value=30), min_size=1, max_size=40))
def test_blocks_are_the_same_however_the_text_comes(cuts: list[int]) -> None:
    """L1: a block is finished as soon as it can be known, and the pieces of the stream do not change what it is."""
    blocks, done, at, n = Blocks(), [], 0, 0
    while at < len(TEXT):
        step = cuts[n % len(cuts)]
        done += blocks.add(TEXT[at : at + step])
        at, n = at + step, n + 1
    done += blocks.finish()
    whole = Blocks()
    assert done == whole.add(TEXT) + whole.finish()
    assert [line for block in done for line in block.split("\n") if line] == [line for line in TEXT.split("\n") if line]
    assert "1. one\n\n   still one\n" in done
    assert "```python\nx = 1\n\ny = 2\n```\n" in done


def test_a_long_code_block_comes_in_parts_with_fences_of_their_own() -> None:
    """L1: hundreds of lines of code are not held back until their end, and an open fence is closed."""
    blocks = Blocks()
    done = blocks.add("```py\n" + "".join(f"line {n}\n" for n in range(100)))
    assert len(done) == 2
    done += blocks.finish()
    assert all(block.startswith("```py\n") and block.rstrip().endswith("```") for block in done)
    lines = [line for block in done for line in block.splitlines() if line.startswith("line")]
    assert lines == [f"line {n}" for n in range(100)]
    assert max(block.count("\n") for block in done) <= LONGEST_LINES + 2
    assert blocks.open == ""


def test_paths_are_no_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """L4: /Users/…, /home/…, words with slashes and paths that exist are questions; commands are commands."""
    names = by_any_name()
    for text in ("/Users/me/x", "/home/me", "/home/me/shop is the project", "/a/b", str(tmp_path), "/tmp", "what?"):
        assert read(text, names).kind is Kind.QUESTION, text
    assert (read("/go", names).name, read("/STATUS", names).name, read("/", names).name) == ("go", "status", "help")
    line = read("/ideate a shop,\nwhat's in it", names)
    assert (line.kind, line.name, line.rest) == (Kind.COMMAND, "ideate", "a shop,\nwhat's in it")
    assert read("  \n ", names).kind is Kind.NOTHING


def test_an_unknown_command_names_the_nearest() -> None:
    """L1: a slip is answered with the command that was meant, without asking a model."""
    with pytest.raises(BadInput, match=r"no command '/statsu'[\s\S]*did you mean /status"):
        read("/statsu", by_any_name())
    with pytest.raises(BadInput, match="no command '/xyzzyq'"):
        read("/xyzzyq", by_any_name())
    with pytest.raises(BadInput, match="close the quote"):
        arguments("'open")
