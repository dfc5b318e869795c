"""Findings on a page: grouped by severity and kind, the first hundred whole, of the rest their number and a command."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from lao.reports.html.markup import Markup, cut, joined, tag
from lao.reports.html.pieces import TEXT, refs, row, table
from lao.reports.html.words import chip, number
from lao.reports.model import FindingReport

SHOWN: Final = 100
_GRAVITY: Final = ("critical", "major", "minor", "info")


def findings(found: Sequence[FindingReport], total: int, plan: str) -> Markup | None:
    """The groups; None without findings.

    Args:
        total: how many there are, where the report holds but the first.
        plan: its id, for the command that lists all.
    """
    if not found:
        return None
    ordered = sorted(found, key=_rank)
    shown, total = ordered[:SHOWN], max(total, len(found))
    groups = []
    for (severity, kind), members in groupby(shown, key=lambda item: (item.severity, item.kind)):
        groups.append(_group(severity, kind, list(members)))
    more = None
    if total > len(shown):
        text = f"{number(total - len(shown))} more of {number(total)} findings: "
        more = tag("p", text, tag("code", f"lao report {plan} --json"), class_="quiet", data_refs=f"plan:{plan}")
    return joined([*groups, more])


def _rank(item: FindingReport) -> tuple[bool, int, str]:
    gravity = _GRAVITY.index(item.severity) if item.severity in _GRAVITY else len(_GRAVITY)
    return not item.standing, gravity, item.kind


def _group(severity: str, kind: str, members: Sequence[FindingReport]) -> Markup:
    standing = members[0].standing
    words = kind.replace("_", " ")
    past = "" if standing else ", of earlier attempts"
    summary = tag("summary", chip(severity), f" {words}{past} ({len(members)} shown)")
    rows = [
        row(
            (
                tag("code", cut(item.file, 200)) if item.file else "the whole",
                [cut(item.message, TEXT), tag("div", cut(item.hint, TEXT), class_="quiet") if item.hint else None],
                "plan" if item.task is None else f"#{item.task}",
                f"{item.analyzer or 'unknown'} ({item.confidence:.0%})",
            ),
            refs(item.ref),
        )
        for item in members
    ]
    made = table(f"{severity} {words}{past}", ("Where", "What", "Task", "Found by"), rows)
    return tag("details", summary, made, open=standing and severity in ("critical", "major"))
