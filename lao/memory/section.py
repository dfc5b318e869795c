"""The part of a memory file that LAO keeps: the lines between two marks. All else is the user's and stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

BEGIN: Final = '<!-- lao:facts - kept by LAO; take one out with: lao memory forget "text" -->'
END: Final = "<!-- /lao:facts -->"
_BEGINS: Final = "<!-- lao:facts"
_HEADING: Final = "## Learned facts"


def split(text: str) -> tuple[str, tuple[str, ...], str]:
    """(text before the marks, the facts between them, text after). Without a whole pair of marks all is before."""
    lines = text.split("\n")
    marks = [n for n, line in enumerate(lines) if line.strip().startswith(_BEGINS)]
    ends = [n for n, line in enumerate(lines) if line.strip() == END]
    if len(marks) != 1 or len(ends) != 1 or ends[0] < marks[0]:
        return text, (), ""
    facts = tuple(line.strip()[2:].strip() for line in lines[marks[0] + 1 : ends[0]] if line.strip().startswith("- "))
    return "\n".join(lines[: marks[0]]), facts, "\n".join(lines[ends[0] + 1 :])


def own_text(text: str) -> str:
    """What the user wrote: all but the marks, what is between them and the heading above."""
    before, _, after = split(text)
    kept = [line for line in before.rstrip().split("\n") if not _is_mark(line)]
    if kept and kept[-1].strip() == _HEADING:
        kept.pop()
    return "\n".join((*kept, *(line for line in after.split("\n") if not _is_mark(line)))).strip()


def render(text: str, facts: Iterable[str]) -> str:
    """``text`` with these facts between the marks. A broken pair of marks is replaced by a whole one at the end; no
    line that is not a mark is lost. Without facts and marks the text stays as it is."""
    shown = list(facts)
    marked = any(_is_mark(line) for line in text.split("\n"))
    if not shown and not marked:
        return text
    block = "\n".join((BEGIN, *(f"- {fact}" for fact in shown), END))
    before, _, after = split(text)
    if before != text:
        return "\n".join((before, block, after)) if before else f"{block}\n{after}"
    rest = "\n".join(line for line in text.split("\n") if not _is_mark(line)).rstrip("\n")
    return f"{rest}\n\n{_HEADING}\n\n{block}\n".lstrip("\n")


def _is_mark(line: str) -> bool:
    return line.strip().startswith(_BEGINS) or line.strip() == END
