"""The building blocks of a page: claims with the rows they rest on, evidence, commands, tables, budgets of room.

Each statement carries ``data-refs``, the rows of the journal behind it. Knows no whole page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from lao.reports.html.markup import Child, Markup, cut, cut_middle, joined, tag, text_of
from lao.reports.html.words import NOT_MEASURED, chip, duration, short
from lao.reports.model import Claim, Evidence, NextStep

EXCERPT: Final = 4_000
TEXT: Final = 600
CLAIM: Final = 4_000


class Room:
    """So many characters of HTML that a part of a page may take."""

    def __init__(self, most: int) -> None:
        self.left = most
        self.refused = 0

    def takes(self, markup: Markup) -> bool:
        """Whether there is room for it; counted when there is."""
        if len(markup) > self.left:
            self.refused += 1
            return False
        self.left -= len(markup)
        return True


def refs(*names: str) -> str:
    """The value of ``data-refs``: names parted by spaces, each once."""
    return " ".join(dict.fromkeys(name for name in names if name))


def claim(said: Claim, element: str = "p", class_: str = "claim", *, of_plan: bool = True) -> Markup:
    """A statement. ``data-claim`` says that it is one of a plan's word for word, and may be checked as such."""
    text = cut(said.text, CLAIM)
    whole = of_plan and text_of(text) == said.text
    return tag(element, text, class_=class_, data_refs=refs(*said.refs), data_claim=whole)


def section(name: str, title: str, *children: Child) -> Markup:
    """A part of the page that the navigation leads to."""
    heading = tag("h2", title, id=f"{name}-title")
    return tag("section", heading, *children, id=name, aria_labelledby=f"{name}-title")


def shell(command: str) -> Markup:
    """A command to be copied; the button comes with the script."""
    return tag("span", tag("code", cut(command, 2_000)), class_="shell", data_copy=cut(command, 2_000))


def next_steps(steps: Sequence[NextStep]) -> Markup | None:
    """What to do next, as commands."""
    if not steps:
        return None
    items = [
        tag("li", tag("span", cut(step.why, TEXT), class_="why"), shell(step.command), data_refs=refs(step.ref))
        for step in steps[:40]
    ]
    more = tag("p", f"{len(steps) - 40} more: lao report --json", class_="quiet") if len(steps) > 40 else None
    return section("next", "What to do next", tag("ol", *items, class_="steps"), more)


def evidence(found: Iterable[Evidence], room: Room, *, opened: bool = True) -> Markup | None:
    """Commands with what they really did; what failed is shown open where ``opened``."""
    shown: list[Markup] = []
    left_out = 0
    for item in found:
        block = _evidence(item, opened=opened and not item.passed and item.moment != _BEFORE)
        if room.takes(block):
            shown.append(block)
        else:
            left_out += 1
    if not shown and not left_out:
        return None
    more = tag("p", f"{left_out} more commands: lao report --json", class_="quiet") if left_out else None
    return tag("div", *shown, more, class_="evidence")


def _evidence(item: Evidence, *, opened: bool) -> Markup:
    state = "ok" if item.passed else "wait" if item.exit_code is None else "fail"
    if item.moment == _BEFORE and state != "wait":  # what failed then and passes now is the proof, and no failure
        state = f"before_{state}"
    code = "exit unknown" if item.exit_code is None else f"exit {item.exit_code}"
    where = f"on {short(item.commit)}" if item.commit else ""
    facts = " · ".join(fact for fact in (code, duration(item.seconds), _MOMENTS.get(item.moment, ""), where) if fact)
    summary = tag(
        "summary", chip(state), " ", tag("code", cut(item.command, TEXT)), " ", tag("span", facts, class_="facts")
    )
    body = tag("pre", cut_middle(item.excerpt, EXCERPT) or "(no output)", tabindex=0, role="group", aria_label="output")
    around = tag("p", f"ran in: {item.isolation}", class_="quiet") if item.isolation else None
    return tag("details", summary, body, around, open=opened, data_refs=refs(item.ref))


_BEFORE: Final = "before"
_MOMENTS: Final = {_BEFORE: "on the untouched tree", "task": "after the work", "close": "on the whole"}


def table(caption: str, heads: Sequence[str], rows: Iterable[Markup], *, numbers: Sequence[int] = ()) -> Markup:
    """A table with a caption that scrolls by itself where it is too wide; ``numbers``: columns that hold figures."""
    columns = [tag("th", head, scope="col", class_="n" if at in numbers else None) for at, head in enumerate(heads)]
    body = tag("tbody", *rows)
    drawn = tag("table", tag("caption", caption), tag("thead", tag("tr", *columns)), body)
    return tag("div", drawn, class_="scroll", role="group", aria_label=caption, tabindex=0)


def row(cells: Sequence[Child], names: str, *, numbers: Sequence[int] = (), head: int = 0) -> Markup:
    """A row; the cell ``head`` names it. ``names`` are its ``data-refs``."""
    made = [
        tag("th", cell, scope="row") if at == head else tag("td", cell, class_="n" if at in numbers else None)
        for at, cell in enumerate(cells)
    ]
    return tag("tr", *made, data_refs=names)


def facts(pairs: Iterable[tuple[str, Child]]) -> Markup:
    """Names and values."""
    return tag("dl", joined([tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs]), class_="facts")


def measured(value: str | None) -> str:
    """The figure, or that there is none: what is unknown is never 0."""
    return NOT_MEASURED if value is None else value
