"""``lao dashboard --all``: each project of the user's list as one row. Reads each state without leaving a trace."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lao.cli.look import Look
from lao.cli.place import printable, shown

if TYPE_CHECKING:
    from lao.projects.registry import Project

_ORDER: Final = ("planning", "active", "queued", "needs_human", "failed", "completed", "cancelled")
_MARKS: Final = {"gone": "fail", "unreadable": "fail", "waiting": "wait"}


def projects_document(projects: tuple[Project, ...], env: Mapping[str, str], at: float) -> dict[str, Any]:
    """All projects at this moment; docs/dashboard.md describes the fields.

    Args:
        env: the environment that their configurations may refer to.
        at: the moment, seconds since the epoch.
    """
    return {"at": at, "projects": [_entry(project, env) for project in projects]}


def _entry(project: Project, env: Mapping[str, str]) -> dict[str, Any]:
    from lao.projects.needs import live_workers, look_at

    seen, needs = look_at(project, env)
    workers = live_workers(seen) if seen else ()
    if seen is None:
        state = "gone" if needs[0].kind == "gone" else "unreadable"
    elif seen.paused:
        state = "paused"
    elif seen.waiting:
        state = "running" if workers else "waiting"
    else:
        state = "idle"
    return {
        "name": _text(project.name),
        "path": _text(str(project.path)),
        "tags": [_text(tag) for tag in project.tags],
        "state": state,
        "plans": dict(seen.plans) if seen else {},
        "waiting": seen.waiting if seen else 0,
        "workers": [{"queue": queue, "pid": pid} for queue, pid in workers],
        "needs": [vars(need) for need in needs],
        "last_used_at": project.last_used_at or None,
    }


def project_rows(document: Mapping[str, Any], look: Look, width: int | None) -> list[str]:
    """One row a project, none wider than ``width`` where there is one: state, plans, and what it needs first."""
    entries = document["projects"]
    names = min(24, max((len(printable(entry["name"])) for entry in entries), default=0))
    return [look.line(_pieces(entry, look, names), width) for entry in entries]


def _pieces(entry: Mapping[str, Any], look: Look, names: int) -> list[tuple[str, str]]:
    state = entry["state"]
    mark, style = look.piece(_MARKS.get(state, state))
    plans = ", ".join(f"{entry['plans'][name]} {name.replace('_', ' ')}" for name in _ORDER if entry["plans"].get(name))
    pieces = [(mark, style), (f" {printable(entry['name']):{names}}  {state:10}", "strong" if entry["needs"] else "")]
    if plans:
        pieces.append((f"  {plans}", ""))
    if entry["needs"]:
        first, more = entry["needs"][0], len(entry["needs"]) - 1
        told = f"  {printable(first['text'])}: {first['hint']}{f' (+{more} more)' if more else ''}"
        pieces.append((told, "bad" if state in ("gone", "unreadable") else "person"))
    return [*pieces, (f"  {shown(Path(entry['path']))}", "")]


def _text(value: str) -> str:
    """As UTF-8 can say it: names of folders may be any bytes."""
    return os.fsencode(value).decode("utf-8", "replace")
