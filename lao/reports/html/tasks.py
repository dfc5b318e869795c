"""A plan's tasks on a page, what failed first, then by risk: claim, reasons, attempts, evidence, diff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from lao.reports.html.diffs import diff
from lao.reports.html.markup import Child, Markup, cut, joined, tag
from lao.reports.html.pieces import TEXT, Room, claim, evidence, refs, row, section, table
from lao.reports.html.words import chip, duration, moment, number, short
from lao.reports.model import AttemptReport, TaskReport

SHOWN: Final = 200
DIFFS: Final = 600_000
OUTPUTS: Final = 300_000
SIZE: Final = 1_300_000
FINDINGS: Final = 10
_FAILED: Final = ("failed", "needs_human")


def tasks(found: Sequence[TaskReport], patches: Mapping[int, str], plan: str) -> Markup | None:
    """The section; None while there are no tasks. What failed or needs a person comes first, the rest as it came."""
    if not found:
        return None
    room, diffs, outputs = Room(SIZE), Room(DIFFS), Room(OUTPUTS)
    made = (_task(item, patches.get(item.id, ""), diffs, outputs) for item in _failed_first(found)[:SHOWN])
    items = [item for item in made if room.takes(item)]
    more = None
    if len(found) > len(items):
        text = f"{len(found) - len(items)} more tasks: "
        more = tag("p", text, tag("code", f"lao report {plan} --json"), class_="quiet", data_refs=f"plan:{plan}")
    order = tag("p", "What failed or needs a person first, then by risk.", class_="quiet")
    return section("tasks", "Tasks", _filters(found), order, tag("ol", *items, class_="tasks"), more)


def brief(found: Sequence[TaskReport]) -> Markup | None:
    """The tasks as a list of one line each, for the page of a night."""
    if not found:
        return None
    items = [
        tag(
            "li",
            chip(item.state),
            " ",
            tag("span", f"#{item.id} ", class_="quiet"),
            tag("span", cut(item.title, 200), class_="name"),
            " ",
            _proof(item),
            claim(item.claim),
            data_refs=f"task:{item.id}",
        )
        for item in _failed_first(found)[:SHOWN]
    ]
    return tag("ol", *items, class_="brief")


def _failed_first(found: Sequence[TaskReport]) -> list[TaskReport]:
    return sorted(found, key=lambda item: item.state not in _FAILED)


def _filters(found: Sequence[TaskReport]) -> Markup:
    """Shown by the script only: without it all tasks are there."""
    states = list(dict.fromkeys(item.state for item in found))
    buttons = [tag("button", "all", type="button", data_show="", aria_pressed="true")]
    if len(states) > 1:
        buttons += [
            tag("button", chip(state), type="button", data_show=state, aria_pressed="false") for state in states
        ]
    fold = tag("button", "open all", type="button", data_fold="open")
    unfold = tag("button", "close all", type="button", data_fold="")
    return tag("div", *buttons, fold, unfold, class_="tools", role="group", aria_label="Show tasks", hidden=True)


def _task(item: TaskReport, patch: str, diffs: Room, outputs: Room) -> Markup:
    title = tag("h3", chip(item.state), " ", tag("span", f"#{item.id}", class_="quiet"), " ", cut(item.title, 200))
    about: list[Child] = [
        _proof(item),
        tag("span", "commit ", tag("code", short(item.commit))) if item.commit else tag("span", "nothing committed"),
        _size(item),
    ]
    needs = ", ".join(f"#{task}" for task in item.depends_on)
    if needs:
        about.append(tag("span", f"needs {needs}"))
    reason = tag("p", cut(item.reason, TEXT), class_="reason", data_refs=f"task:{item.id}") if item.reason else None
    parts = (
        _risk(item),
        reason,
        _part("Commands", evidence(item.evidence, outputs, opened=item.state in _FAILED)),
        _findings(item),
        _attempts(item.attempts),
        _diff(item, patch, diffs),
    )
    line = tag("p", *about, class_="about")
    return tag(
        "li",
        tag("article", title, claim(item.claim), line, *parts, aria_label=f"task {item.id}: {cut(item.title, 80)}"),
        data_state=item.state,
        data_refs=f"task:{item.id}",
    )


def _proof(item: TaskReport) -> Markup | None:
    return chip(item.proof) if item.state == "completed" or item.proof != "none" else None


def _size(item: TaskReport) -> Markup:
    if item.added is None or item.removed is None:
        return tag("span", "lines not measured") if item.commit else tag("span", "")
    files = f"{len(item.files)} file{'s' if len(item.files) != 1 else ''}"
    return tag("span", tag("ins", f"+{item.added}"), " ", tag("del", f"-{item.removed}"), f" in {files}")


def _risk(item: TaskReport) -> Markup | None:
    if not item.risk_why and not item.risk:
        return None
    why = "; ".join(cut(reason, 200) for reason in item.risk_why)
    level = "high" if item.risk >= 60 else "middle" if item.risk >= 30 else "low"
    return tag(
        "p",
        tag("strong", f"Risk {round(item.risk)} of 100, {level}"),
        f": {why}" if why else None,
        class_=f"risk {level}",
    )


def _part(title: str, made: Markup | None) -> Markup | None:
    return None if made is None else joined([tag("h4", title), made])


def _findings(item: TaskReport) -> Markup | None:
    if not item.findings:
        return None
    items = [
        tag(
            "li",
            chip(one.severity),
            " ",
            joined([tag("code", cut(one.file, 200)), ": "]) if one.file else None,
            cut(one.message, TEXT),
            data_refs=refs(one.ref),
        )
        for one in item.findings[:FINDINGS]
    ]
    left = len(item.findings) - FINDINGS
    more = tag("li", f"{left} more", class_="quiet") if left > 0 else None
    return _part("Findings", tag("ul", *items, more, class_="found"))


def _attempts(found: Sequence[AttemptReport]) -> Markup | None:
    if not found:
        return None
    rows = [
        row(
            (
                str(item.number),
                [chip(item.outcome), tag("div", cut(item.reason, TEXT)) if item.reason else None],
                moment(item.started) if item.started is not None else "not begun",
                duration(item.ended - item.started)
                if item.ended is not None and item.started is not None
                else "not over",
                number(item.calls),
                number(item.tokens),
                number(item.crashes),
            ),
            refs(*item.claim.refs),
            numbers=(3, 4, 5, 6),
        )
        for item in found[-30:]
    ]
    heads = ("Attempt", "Outcome", "Began", "Took", "Calls", "Tokens", "Crashes")
    made = table("Attempts at this task", heads, rows, numbers=(3, 4, 5, 6))
    word = "attempt" if len(found) == 1 else "attempts"
    failures = sum(one.outcome == "failed" for one in found)
    told = tag("span", f"{failures} failed" if failures else "", class_="facts")
    return tag("details", tag("summary", f"{len(found)} {word} ", told), made)


def _diff(item: TaskReport, patch: str, room: Room) -> Markup | None:
    if not item.commit:
        return None
    command = f"lao diff {item.id}"
    names = refs(f"task:{item.id}")
    if not patch:
        text = "The diff is not on this page: "
        return tag("p", text, tag("code", command), class_="quiet", data_refs=names)
    files = ", ".join(item.files[:6]) + (" …" if len(item.files) > 6 else "")
    summary = tag("summary", "Diff ", tag("span", cut(files, 200), class_="facts"))
    made = tag("details", summary, diff(patch, command), class_="patch", data_refs=names)
    if room.takes(made):
        return made
    text = "The diff is left out here, since this page would become too large: "
    return tag("p", text, tag("code", command), class_="quiet", data_refs=names)
