"""Prints into the terminal's own scrollback: Markdown, lines, diffs. All text is made harmless on its way out."""

from __future__ import annotations

import re
import shutil
import textwrap
from typing import TYPE_CHECKING, Final, TextIO

from lao.cli.look import CODE, MARKDOWN, Look
from lao.cli.pilot.clean import clean

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.segment import Segment

NARROWEST: Final = 10
_COLUMN: Final = re.compile(r"\s+(?:\S+(?: \S+)*\s{2,})?(?:[^\w\s] )?")
"""What stands before the words of a line that belongs to a table or a list."""

STYLES: Final = {"note": "dim", "error": "bold red", "tool": "cyan", "you": "bold", "warn": "yellow", "text": ""}
"""What a kind of line looks like; a terminal without colours shows the same words."""


class Screen:
    """What is above the input line. Takes the width anew for each print, so a resize shows at once.

    Args:
        file: the terminal, or a file in tests.
        width: columns; None is the terminal's own.
        look: whether there are colours, and symbols beyond ASCII.
    """

    def __init__(self, file: TextIO, *, width: int | None = None, look: Look = Look(colour=True)) -> None:  # noqa: B008 - frozen
        self._file, self._width, self.look = file, width, look

    def markdown(self, block: str) -> None:
        """One block of Markdown. Links show their address; nothing is sent that a terminal would act upon."""
        from rich.markdown import Markdown

        self._print(Markdown(self._told(block), hyperlinks=False, code_theme=CODE, justify="left"), trimmed=True)

    def line(self, text: str, kind: str = "text") -> None:
        """Text as it is, over as many lines as it has."""
        from rich.text import Text

        width = self._columns()
        told = "\n".join(part for line in self._told(text).split("\n") for part in hung(line, width))
        self._print(Text(told, style=STYLES[kind]))

    def diff(self, text: str) -> None:
        """A patch with its signs in colours."""
        from rich.text import Text

        shown = Text()
        for line in self._told(text).splitlines(keepends=True):
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
            shown.append(line, style="bold" if line.startswith(("+++", "---", "diff ")) else style)
        shown.rstrip()
        self._print(shown)

    def warm(self) -> None:
        """Import what rendering needs, which takes a third of a second; for another thread while nobody waits."""
        import io

        Screen(io.StringIO(), width=80).markdown("# a\n\n`b`\n\n```python\nc\n```\n")

    def blank(self) -> None:
        """An empty line."""
        self._file.write("\n")
        self._file.flush()

    def _told(self, text: str) -> str:
        return self.look.plain(clean(text))

    def _print(self, what: RenderableType, *, trimmed: bool = False) -> None:
        from rich.segment import Segment, Segments

        console = self._console()
        # Markdown's entities (&#27;) are characters only now, so this is the place where nothing can pass
        safe = [Segment(self._told(part.text), part.style) for part in console.render(what) if not part.control]
        lines: list[Segment] = []
        for line in Segment.split_lines(safe):
            kept = _without_padding(line)
            if kept or lines or not trimmed:
                lines += [*kept, Segment.line()]
        while trimmed and len(lines) > 1 and not lines[-2].text.strip("\n"):
            lines.pop()
        console.print(Segments(lines), end="", soft_wrap=True)
        self._file.flush()

    def _columns(self) -> int:
        return max(NARROWEST, self._width or shutil.get_terminal_size().columns)

    def _console(self) -> Console:
        from rich.console import Console
        from rich.theme import Theme

        return Console(
            file=self._file,
            width=self._columns(),
            force_terminal=True,
            no_color=not self.look.colour,
            theme=Theme(MARKDOWN),
            highlight=False,
            markup=False,
            emoji=False,
        )


def hung(line: str, width: int) -> list[str]:
    """A line folded at its words to a width; what goes over stays in its column, as tables and lists have them."""
    if len(line) <= width:
        return [line]
    gap = _COLUMN.match(line)
    indent = " " * (gap.end() if gap and gap.end() <= max(width // 2, width - 35) else 0)
    return textwrap.wrap(line, width, subsequent_indent=indent, break_on_hyphens=False, tabsize=4) or [line]


def _without_padding(line: list[Segment]) -> list[Segment]:
    """Without the blanks that fill the line to the terminal's width: they would wrap when it is made narrower."""
    from rich.segment import Segment

    kept = list(line)
    while kept and not kept[-1].text.rstrip(" ") and not _painted(kept[-1]):
        kept.pop()
    if kept and not _painted(kept[-1]):
        kept[-1] = Segment(kept[-1].text.rstrip(" "), kept[-1].style)
    return kept


def _painted(part: Segment) -> bool:
    return part.style is not None and (part.style.bgcolor is not None or bool(part.style.reverse))
