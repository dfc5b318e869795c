"""The contents of the files that LAO leaves in a plan's repository. Writes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import Final

from lao import __version__
from lao.core.words import Json, TaskSpec, Verdict

TASKS_FILE: Final = "LAO_TASKS.json"
REVIEW_FILE: Final = "LAO_REVIEW.log"
ANALYST_FILE: Final = "ANALYST.md"
ANALYST_REPORT: Final = "analyst_report.json"
QUALITY_FILE: Final = "LAO_QUALITY.md"
QUALITY_REPORT: Final = "quality_report.json"


def own_files(plan_file: str) -> tuple[str, ...]:
    """The files at the top of a plan's folder that LAO writes itself, and that are no part of the user's work.

    Args:
        plan_file: how the copy of the plan is called (``git.plan_file_name``).
    """
    return (plan_file, TASKS_FILE, REVIEW_FILE, ANALYST_FILE, ANALYST_REPORT, QUALITY_FILE, QUALITY_REPORT)


def plan_text(plan: str, source: str) -> str:
    """``LAO_PLAN.md``: one header comment, then the plan as it was given.

    Args:
        source: where the plan came from, relative to the project.
    """
    shown = source.replace("--", "- -")  # "--" ends an HTML comment in some readers
    return f"<!-- LAO {__version__} · source: {shown} -->\n\n{plan.rstrip()}\n"


def tasks_text(plan_id: str, tasks: Iterable[tuple[str, TaskSpec]]) -> str:
    """``LAO_TASKS.json``: the plan's tasks in order, each with its id."""
    listed = [{"id": task_id, **spec.to_json()} for task_id, spec in tasks]
    document = {"lao_version": __version__, "plan_id": plan_id, "tasks": listed}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def review_line(when: float, task_id: str, verdict: Verdict) -> str:
    """One line of ``LAO_REVIEW.log``: UTC time, task, verdict, summary.

    Args:
        when: seconds since the epoch.
    """
    stamp = datetime.fromtimestamp(when, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    blocking = sum(1 for f in verdict.findings if f.blocks)
    counts = f" ({blocking} blocking, {len(verdict.findings) - blocking} other)" if verdict.findings else ""
    summary = " ".join(verdict.summary.split())[:300]
    return f"{stamp} {task_id} {'APPROVED' if verdict.approved else 'REJECTED'}{counts} {summary}".rstrip() + "\n"


def commit_message(subject: str, body: str, trailers: Mapping[str, Json]) -> str:
    """Subject on one line of at most 72 characters, body, trailers."""
    line = " ".join(subject.split()) or "lao: work"
    if len(line) > 72:
        line = line[:71].rstrip() + "…"
    parts = [line, body.strip(), "\n".join(f"{k}: {' '.join(str(v).split())}" for k, v in trailers.items())]
    return "\n\n".join(p for p in parts if p) + "\n"
