"""The marked elements of a report's page: their references and their text. Checks nothing."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final

_VOID: Final = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)


@dataclass
class Marked:
    """An element with ``data-refs`` (as written); ``claim``: it is a statement by itself (``data-claim``)."""

    line: int
    refs: str
    claim: bool
    text: str = ""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Marked] = []
        self._open: list[tuple[str, Marked | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        marked = None
        if "data-refs" in given:
            marked = Marked(self.getpos()[0], given["data-refs"] or "", "data-claim" in given)
            self.found.append(marked)
        if tag not in _VOID:  # a closed <g/> of a drawing comes here and to its end tag
            self._open.append((tag, marked))

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self._open) - 1, -1, -1):
            if self._open[place][0] == tag:
                del self._open[place:]
                return

    def handle_data(self, data: str) -> None:
        for _, marked in self._open:
            if marked is not None:
                marked.text += data


def refs_of_page(text: str) -> tuple[Marked, ...]:
    """Every marked element, in the order of the page; text of elements within counts to those around."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    return tuple(reader.found)
