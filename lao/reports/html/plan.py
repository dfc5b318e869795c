"""The page of one plan: what may be merged, what failed, what needs a person, and the evidence for each word of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from lao.reports.html.costs import costs
from lao.reports.html.document import document
from lao.reports.html.findings import findings
from lao.reports.html.markup import Child, Markup, cut, joined, tag
from lao.reports.html.pieces import TEXT, Room, claim, evidence, facts, next_steps, refs, section
from lao.reports.html.tasks import tasks
from lao.reports.html.timeline import timeline
from lao.reports.html.words import NOT_MEASURED, chip, clock, duration, moment, short
from lao.reports.model import Claim, PlanReport, Question, RequirementStatus

REQUIREMENTS: Final = 300
OUTPUTS: Final = 300_000
_ORDER: Final = ("failed", "open", "unchecked", "checked", "proved")


def plan_page(report: PlanReport, patches: Mapping[int, str] | None = None) -> str:
    """The page as the text of a file, in UTF-8 at most 2 MB.

    Args:
        patches: task id to its patch (``lao.reports.patches``); a task that is missing has the command instead.
    """
    name = report.id
    titles = {task.id: task.title for task in report.tasks}
    now = _now(report)
    sections = (
        ("next", "Next", next_steps(report.next_steps)),
        ("questions", "Questions", questions(report.questions)),
        ("requirements", "Requirements", _demanded(report)),
        ("tasks", "Tasks", tasks(report.tasks, patches or {}, name)),
        ("whole", "The whole", _whole(report)),
        ("timeline", "Timeline", timeline(report.timeline, titles, now, left_out=report.timeline_left_out)),
        ("findings", "Findings", _found(report)),
        ("costs", "Cost", costs(report.usage, report.energy, f"plan:{name}", with_energy=bool(report.timeline))),
    )
    return document(
        f"{report.name}: {chip_word(report.state)}", _header(report, now), sections, footer(report.schema_version)
    )


def chip_word(state: str) -> str:
    """A state for a title."""
    return state.replace("_", " ")


def _now(report: PlanReport) -> float:
    """The last moment that the report knows: spans that go on are drawn up to there."""
    ends = [span.end if span.end is not None else span.start for span in report.timeline]
    return max([report.ended or 0.0, report.started, *ends])


def _header(report: PlanReport, now: float) -> tuple[Child, ...]:
    took = duration(now - report.started) if report.started else NOT_MEASURED
    pairs: list[tuple[str, Child]] = [
        ("Plan", tag("code", report.id)),
        ("Began", moment(report.started)),
        ("Ended", moment(report.ended)),
        ("Took", took if report.over else f"{took} so far"),
        ("Last commit", tag("code", short(report.commit)) if report.commit else "none"),
    ]
    reason = None
    if report.reason and report.reason not in report.claim.text:
        reason = tag("p", cut(report.reason, TEXT), class_="reason", data_refs=f"plan:{report.id}")
    return (
        tag("p", chip(report.state), class_="state"),
        tag("h1", cut(report.name, 160)),
        claim(report.claim, class_="headline"),
        reason,
        statements(report.claims),
        facts(pairs),
    )


def statements(found: Sequence[Claim]) -> Markup | None:
    """Further statements as a list."""
    return tag("ul", *(claim(said, "li") for said in found), class_="claims") if found else None


def footer(schema: str) -> tuple[Child, ...]:
    """What every page ends with."""
    rest = "Every statement here rests on rows of LAO's journal, which its data-refs name."
    return (tag("p", f"{rest} Nothing on this page is loaded from elsewhere. Report schema {schema}."),)


def questions(found: Sequence[Question]) -> Markup | None:
    """Questions of models that wait."""
    if not found:
        return None
    items = [
        tag(
            "li",
            tag("span", f"question {one.id}: {one.tool}", class_="name"),
            f" since {clock(one.asked)}: {cut(one.reason, TEXT)} ",
            tag("code", f"lao approve {one.id}"),
            " or ",
            tag("code", f"lao deny {one.id}"),
            data_refs=refs(one.ref),
        )
        for one in found[:50]
    ]
    return section("questions", "Questions that wait for you", tag("ul", *items))


def _demanded(report: PlanReport) -> Markup | None:
    made = requirements(report.requirements, report.id)
    return None if made is None else section("requirements", "Requirements", made)


def requirements(found: Sequence[RequirementStatus], plan: str) -> Markup | None:
    """What the plan demands and what decides each, those that fail first; None when nothing is known of it."""
    if not found:
        return None
    room = Room(OUTPUTS)
    ordered = sorted(found, key=lambda item: (_ORDER.index(item.status) if item.status in _ORDER else 0, item.line))
    items = [_requirement(item, plan, room) for item in ordered[:REQUIREMENTS]]
    more = None
    if len(found) > REQUIREMENTS:
        text = f"{len(found) - REQUIREMENTS} more requirements: "
        more = tag("p", text, tag("code", f"lao report {plan} --json"), class_="quiet", data_refs=f"plan:{plan}")
    return joined([tag("ul", *items, class_="requirements"), more])


def _requirement(item: RequirementStatus, plan: str, room: Room) -> Markup:
    named = ", ".join(f"#{task}" for task in item.tasks)
    answered = f"task{'s' if len(item.tasks) > 1 else ''} {named}" if named else "no task"
    where = tag("span", f"line {item.line}, {answered}", class_="quiet")
    text = tag("p", tag("b", item.key), " ", cut(item.text, TEXT), " ", where)
    proof = evidence(item.evidence, room, opened=item.status == "failed")
    return tag(
        "li", chip(item.status), tag("div", text, claim(item.claim), proof), data_refs=f"requirement:{plan}/{item.key}"
    )


def _found(report: PlanReport) -> Markup | None:
    made = findings(report.findings, report.findings_total, report.id)
    return None if made is None else section("findings", "Findings", made)


def _whole(report: PlanReport) -> Markup | None:
    made = evidence(report.commands, Room(OUTPUTS))
    if made is None:
        return None
    on = f" on commit {short(report.commit)}" if report.commit else ""
    return section(
        "whole", "Commands on the whole", tag("p", f"What the close ran{on}.", data_refs=f"plan:{report.id}"), made
    )
