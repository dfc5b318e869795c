"""The page of one night: every plan that was worked on, those that want a person and those that failed first."""

from __future__ import annotations

from typing import Final

from lao.reports.html.costs import costs
from lao.reports.html.document import document
from lao.reports.html.findings import findings
from lao.reports.html.markup import Child, Markup, cut, joined, tag
from lao.reports.html.pieces import Room, claim, evidence, facts, next_steps, section
from lao.reports.html.plan import footer, questions, requirements, statements
from lao.reports.html.tasks import brief
from lao.reports.html.timeline import timeline
from lao.reports.html.words import chip, duration, moment
from lao.reports.model import NightReport, PlanReport

PLANS: Final = 60
SIZE: Final = 1_500_000
OUTPUTS: Final = 30_000


def night_page(night: NightReport) -> str:
    """The page as the text of a file, in UTF-8 at most 2 MB."""
    titles = {task.id: task.title for plan in night.plans for task in plan.tasks}
    waiting = [one for plan in night.plans for one in plan.questions]
    sections = (
        ("next", "Next", next_steps(night.next_steps)),
        ("questions", "Questions", questions(waiting)),
        ("plans", "Plans", _plans(night)),
        ("timeline", "Timeline", timeline(night.timeline, titles, night.until)),
        ("costs", "Cost", costs(night.usage, None, "", with_energy=False)),
    )
    return document("The night", _header(night), sections, footer(night.schema_version))


def _header(night: NightReport) -> tuple[Child, ...]:
    pairs: list[tuple[str, Child]] = [
        ("From", moment(night.since)),
        ("To", moment(night.until)),
        ("Length", duration(night.until - night.since)),
    ]
    headline = [claim(said, class_="headline", of_plan=False) for said in night.headline]
    nothing = tag("p", "Nothing was worked on in this time.", class_="headline") if not night.plans else None
    return tag("h1", "The night"), joined(headline), nothing, facts(pairs)


def _plans(night: NightReport) -> Markup | None:
    if not night.plans:
        return None
    room = Room(SIZE)
    made = [block for plan in night.plans[:PLANS] if room.takes(block := _plan(plan))]
    left = len(night.plans) - len(made)
    more = tag("p", f"{left} more plans: lao report --json", class_="quiet") if left else None
    return section("plans", "Plans", *made, more)


def _plan(plan: PlanReport) -> Markup:
    title = tag("h3", chip(plan.state), " ", cut(plan.name, 160))
    whole = evidence(plan.commands, Room(OUTPUTS))
    parts = (
        _folded("Tasks", brief(plan.tasks), opened=True),
        _folded("Requirements", requirements(plan.requirements, plan.id)),
        _folded("Commands on the whole", whole),
        _folded("Findings", findings(plan.findings, plan.findings_total, plan.id)),
    )
    page = tag("p", "Its own page: ", tag("code", f"lao report {plan.id} --html"), class_="quiet")
    return tag(
        "article", title, claim(plan.claim), statements(plan.claims), *parts, page,
        class_="plan", data_refs=f"plan:{plan.id}", aria_label=f"plan {cut(plan.name, 80)}",
    )  # fmt: skip


def _folded(title: str, made: Markup | None, *, opened: bool = False) -> Markup | None:
    return None if made is None else tag("details", tag("summary", title), made, open=opened)
