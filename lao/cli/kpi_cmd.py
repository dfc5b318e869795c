"""``lao kpi``: how well the factory has worked, beside the stretch of the same length before; kept on request."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from lao.cli.context import Session, emit, emit_json, pass_session
from lao.cli.kept import keep
from lao.cli.look import here
from lao.cli.project import open_project

if TYPE_CHECKING:
    from lao.state.kpi import Kpi

_SHARE, _NUMBER, _HOURS = "share", "number", "hours"
ROWS: Final = (
    ("plans completed", "plans_completed", _NUMBER, 1),
    ("plans ended", "plans_ended", _NUMBER, 0),
    ("tasks completed", "tasks_completed", _NUMBER, 1),
    ("tasks ended", "tasks_ended", _NUMBER, 0),
    ("first-pass rate", "first_pass", _SHARE, 1),
    ("rework rate", "rework", _SHARE, -1),
    ("attempts a task", "attempts", _NUMBER, -1),
    ("commands that failed at a close", "caught", _NUMBER, 0),
    ("plans falsely done", "false_done", _NUMBER, -1),
    ("tokens a completed task", "tokens_per_task", _NUMBER, -1),
    ("swaps a plan", "swaps_per_plan", _NUMBER, -1),
    ("prompts from cache", "cache_share", _SHARE, 1),
    ("hours at work", "working_h", _HOURS, 0),
    ("hours idle between", "idle_h", _HOURS, -1),
    ("energy in joules", "joules", _NUMBER, -1),
)
"""Label, figure, form, and whether more is better (1), worse (-1) or neither (0)."""


@click.command(help="Show how well the factory has worked, beside the stretch of the same length before it.")
@click.option("--since", "stretch", default="7d", show_default=True, metavar="TIME", help="How far back: 24h, 7d, 30d.")
@click.option("--write", is_flag=True, help="Write kpi_snapshot.json, add to kpi_history.json.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_session
def command(session: Session, stretch: str, write: bool, as_json: bool) -> None:
    from lao.core.durations import seconds_of

    length = seconds_of(stretch, "--since")
    with open_project(session, whole=False) as factory:
        from lao.state import kpi

        until = factory.clock.now()
        now = kpi.kpi(factory.store, until - length, until)
        before = kpi.kpi(factory.store, until - 2 * length, until - length)
        paths = factory.settings.paths
    view = {"now": asdict(now), "before": asdict(before), "trend": _trends(now, before)}
    kept = keep(paths, "kpi", view, asdict(now)) if write else ()
    if as_json:
        emit_json({**view, "written": [str(path) for path in kept]})
        return
    _print(now, before)
    for path in kept:
        emit(f"wrote {path}")


def _trends(now: Kpi, before: Kpi) -> dict[str, str | None]:
    return {name: _trend(getattr(now, name), getattr(before, name), better) for _, name, _, better in ROWS}


def _trend(now: float | None, before: float | None, better: int) -> str | None:
    """better, worse, same or, where neither is, more or less; None when one of them was not measured."""
    if now is None or before is None:
        return None
    if now == before:
        return "same"
    more = now > before
    if not better:
        return "more" if more else "less"
    return "better" if more == (better > 0) else "worse"


def _print(now: Kpi, before: Kpi) -> None:
    look = here()
    for label, name, form, better in ROWS:
        value, old = getattr(now, name), getattr(before, name)
        trend = _trend(value, old, better)
        style = {"better": "good", "worse": "bad"}.get(trend or "", "")
        told = f"  {trend} ({_shown(old, form)} before)" if trend not in (None, "same") else ""
        emit(look.line([(f"{label:32} {_shown(value, form):>14}", ""), (told, style)]))


def _shown(value: float | None, form: str) -> str:
    if value is None:
        return "not measured"
    if form == _SHARE:
        return f"{100 * value:.0f} %"
    return f"{value:.2f} h" if form == _HOURS else f"{value:.0f}" if value == int(value) else f"{value:.1f}"
