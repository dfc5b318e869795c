"""The timeline as a drawing: a lane for each task, one for the models, what waits hatched; and the same as a table.

An SVG inside the page: no style of its own but the page's classes, a title on each bar, nothing loaded from elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lao.reports.html.markup import Markup, cut, joined, tag
from lao.reports.html.pieces import refs, row, section, table
from lao.reports.html.words import clock, duration
from lao.reports.model import Span

WIDTH: Final = 1000.0
_NAMES: Final = 150.0
_LANE: Final = 26.0
_BAR: Final = 16.0
_TOP: Final = 24.0
MOST_LANES: Final = 40
MOST_BARS: Final = 1_200
MOST_ROWS: Final = 200
_LETTER: Final = 6.4
"""About what a letter of a label takes."""

_ORDER: Final = ("wait", "phase", "swap", "load", "gate")
_NAMED: Final = {
    "phase": "phase",
    "swap": "model swap",
    "load": "model load",
    "wait": "waits",
    "gate": "memory gate",
    "call": "model call",
}
MODELS: Final = "models"
PLAN: Final = "plan"


@dataclass(frozen=True)
class _Scale:
    start: float
    end: float

    def x(self, at: float) -> float:
        part = (at - self.start) / (self.end - self.start)
        return round(_NAMES + part * (WIDTH - _NAMES), 2)


def timeline(spans: Sequence[Span], titles: Mapping[int, str], now: float, *, left_out: int = 0) -> Markup | None:
    """The section; None when nothing has happened yet.

    Args:
        titles: of tasks, by id.
        now: where spans end that go on.
        left_out: model calls that the report left aside.
    """
    drawn = [span for span in spans if span.kind in _ORDER]
    if not drawn:
        return None
    lanes = _lanes(drawn)
    hidden = len(dict.fromkeys(_lane(span) for span in drawn)) - len(lanes)
    scale = _Scale(min(span.start for span in drawn), max(*(_end(span, now) for span in drawn), drawn[0].start + 1))
    picture = tag(
        "div",
        _drawing(drawn, lanes, scale, titles, now),
        class_="scroll timeline",
        role="group",
        aria_label="Timeline, drawn",
        tabindex=0,
    )
    return section("timeline", "Timeline", _legend(), picture, _note(hidden, left_out), _table(spans, titles, now))


def _legend() -> Markup:
    items = [tag("li", tag("span", class_=f"key {kind}"), _NAMED[kind]) for kind in _ORDER]
    return tag("ul", *items, class_="legend", aria_label="What the bars mean")


def _note(hidden: int, left_out: int) -> Markup | None:
    told = []
    if hidden:
        told.append(f"{hidden} more tasks are not drawn")
    if left_out:
        told.append(f"{left_out} model calls are left out")
    return tag("p", f"{'; '.join(told)}: lao report --json has all.", class_="quiet") if told else None


def _end(span: Span, now: float) -> float:
    return max(span.start, now if span.end is None else span.end)


def _lane(span: Span) -> str:
    if span.kind in ("swap", "load", "gate"):
        return MODELS
    return PLAN if span.task is None else str(span.task)


def _lanes(spans: Sequence[Span]) -> dict[str, int]:
    found = {_lane(span) for span in spans}
    names: list[str] = [name for name in (MODELS, PLAN) if name in found]
    names += sorted(found - set(names), key=int)
    return {name: at for at, name in enumerate(names[:MOST_LANES])}


def _drawing(
    spans: Sequence[Span], lanes: Mapping[str, int], scale: _Scale, titles: Mapping[int, str], now: float
) -> Markup:
    height = _TOP + len(lanes) * _LANE + 4
    names = []
    shown = sorted((span for span in spans if _lane(span) in lanes), key=lambda span: _ORDER.index(span.kind))
    bars = [_bar(span, lanes[_lane(span)], scale, titles, now) for span in _coarse(shown, scale, now)]
    for name, at in lanes.items():
        label = f"#{name} {titles.get(int(name), '')}" if name.isdigit() else name
        y = _TOP + at * _LANE
        names.append(tag("text", cut(label, 22), x=2, y=y + _BAR - 3, class_="lane"))
        names.append(tag("line", x1=0, x2=WIDTH, y1=y - 4, y2=y - 4, class_="rule"))
    return tag(
        "svg",
        tag("title", "Timeline of phases, model swaps and waits", id="timeline-name"),
        tag("desc", _told(spans, scale), id="timeline-told"),
        _hatch(),
        _ticks(scale, height),
        joined(names),
        joined(bars),
        viewBox=f"0 0 {WIDTH:g} {height:g}",
        role="img",
        aria_labelledby="timeline-name timeline-told",
        preserveAspectRatio="xMinYMin meet",
    )


def _told(spans: Sequence[Span], scale: _Scale) -> str:
    counts = {kind: sum(span.kind == kind for span in spans) for kind in _ORDER}
    parts = [f"{number} × {_NAMED[kind]}" for kind, number in counts.items() if number]
    return (
        f"From {clock(scale.start)} to {clock(scale.end)}: {', '.join(parts)}. The table below the drawing lists them."
    )


def _hatch() -> Markup:
    line = tag("path", d="M0 6 L6 0", class_="hatch")
    pattern = tag("pattern", line, id="hatch", width=6, height=6, patternUnits="userSpaceOnUse")
    return tag("defs", pattern)


def _ticks(scale: _Scale, height: float) -> Markup:
    number = 6
    made = []
    for at in range(number + 1):
        moment = scale.start + (scale.end - scale.start) * at / number
        x = scale.x(moment)
        anchor = "end" if at == number else "middle" if at else "start"
        made.append(tag("line", x1=x, x2=x, y1=_TOP - 6, y2=height, class_="tick"))
        made.append(tag("text", clock(moment), x=x, y=11, class_="time", text_anchor=anchor))
    return joined(made)


def _coarse(spans: Sequence[Span], scale: _Scale, now: float) -> list[Span]:
    """At most ``MOST_BARS``: where there are more, those that would be seen best."""
    if len(spans) <= MOST_BARS:
        return list(spans)
    widest = sorted(range(len(spans)), key=lambda at: scale.x(spans[at].start) - scale.x(_end(spans[at], now)))
    return [spans[at] for at in sorted(widest[:MOST_BARS])]


def _bar(span: Span, lane: int, scale: _Scale, titles: Mapping[int, str], now: float) -> Markup:
    x, y = scale.x(span.start), _TOP + lane * _LANE
    width = max(2.0, round(scale.x(_end(span, now)) - x, 2))
    x = min(x, WIDTH - width)
    box = tag("rect", x=round(x, 2), y=y, width=width, height=_BAR, rx=2)
    fits = int((width - 6) / _LETTER)
    label = (
        tag("text", cut(span.label.partition(" of task ")[0], fits), x=round(x + 4, 2), y=y + _BAR - 4)
        if fits >= 3
        else None
    )
    title = tag("title", _sentence(span, titles, now))
    return tag("g", title, box, label, class_=f"bar {span.kind}", data_refs=span.ref)


def _sentence(span: Span, titles: Mapping[int, str], now: float) -> str:
    whose = "" if span.task is None else f", task {span.task} {cut(titles.get(span.task, ''), 80)}".rstrip()
    going = ", goes on" if span.end is None else ""
    took = duration(_end(span, now) - span.start)
    return f"{_NAMED.get(span.kind, span.kind)}: {cut(span.label, 160)}{whose}, {clock(span.start)}, {took}{going}"


def _table(spans: Sequence[Span], titles: Mapping[int, str], now: float) -> Markup:
    """The same for whoever does not see the drawing; the model calls after the rest."""
    ordered = sorted(spans, key=lambda span: (span.kind == "call", span.start))
    rows = [
        row(
            (
                clock(span.start),
                _NAMED.get(span.kind, span.kind),
                cut(span.label, 160),
                "" if span.task is None else f"#{span.task} {cut(titles.get(span.task, ''), 60)}",
                duration(_end(span, now) - span.start) + (" and goes on" if span.end is None else ""),
            ),
            refs(span.ref),
            numbers=(4,),
        )
        for span in ordered[:MOST_ROWS]
    ]
    more = len(ordered) - len(rows)
    rest = tag("p", f"{more} more: lao report --json", class_="quiet") if more > 0 else None
    heads = ("Began", "What", "Detail", "Task", "Took")
    made = table("Phases, swaps, loads, waits and calls", heads, rows, numbers=(4,))
    return tag("details", tag("summary", "The timeline as a table"), made, rest)
