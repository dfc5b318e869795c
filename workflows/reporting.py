"""When reports are written: as soon as a plan is over, and again whenever one is missing or of an earlier end.

A report is a view of the state, so writing it is no step of any phase: whoever is killed before or within leaves it to
the next pass of the reconciler, the next worker or ``lao report``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from lao.core.errors import LaoError, StateDamaged, Transient
from lao.reports import files
from lao.reports.read import plan_report
from lao.state import report_plans
from workflows.factory import Factory

log = logging.getLogger("lao")

AT_ONCE: Final = 5
"""Reports of one pass, so that a state full of plans without any holds nothing else up."""


def refresh(factory: Factory, made: dict[str, str]) -> int:
    """Write the reports that are missing or stale, the newest plans first; returns how many.

    Args:
        made: stamps of reports that this worker has seen in place, by plan; brought up to date.
    """
    written = 0
    over, git = report_plans.plans_over(factory.store), factory.settings.git.enabled
    last = _last_in_folders(over)
    for plan in over:
        wanted = files.stamp(plan.state, plan.moved)
        if made.get(plan.id) == wanted:
            continue
        state_dir, visible = factory.settings.paths.state_dir, git and plan.id in last
        if not files.is_made(state_dir, plan.workspace, plan.id, wanted, in_folder=visible):
            if written == AT_ONCE:
                break
            written += 1
            write(factory, plan.id)
        made[plan.id] = wanted  # also of one that could not be written: the next worker tries again
    return written


def write_if_over(factory: Factory, plan_id: str) -> None:
    """Write the report of a plan that has just ended; nothing while it goes on."""
    try:
        over = report_plans.plans_over(factory.store, plan_id)
    except Transient:  # a state that is locked for long: the reconciler looks again
        return
    if over:
        write(factory, plan_id)


def write(factory: Factory, plan_id: str) -> files.Published | None:
    """Write the report of a plan that is over. A disk that cannot take it is told in the log (None), and costs no more
    than the report."""
    try:
        report, settings = plan_report(factory.store, plan_id), factory.settings
        last = _last_in_folders(report_plans.plans_over(factory.store))
        published = files.publish(report, settings.paths.state_dir, in_folder=settings.git.enabled and plan_id in last)
    except StateDamaged:
        raise
    except (LaoError, OSError) as error:
        log.warning("the report of plan %s is not written: %s; 'lao report %s' tries again", plan_id, error, plan_id)
        return None
    for place in published.foreign:
        log.warning("%s is not LAO's and stays as it is; the report is in %s", place, published.folder)
    return published


def _last_in_folders(over: Iterable[report_plans.PlanOver]) -> set[str]:
    """Of plans that worked in one folder (a changed plan is a new one) only the last has its report there."""
    last: dict[Path, str] = {}
    for plan in over:  # the newest first
        last.setdefault(plan.workspace, plan.id)
    return set(last.values())
