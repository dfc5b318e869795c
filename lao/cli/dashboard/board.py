"""The project at this moment as one JSON document: what the web page and ``lao dashboard --json`` show. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from lao.cli.look import MARKS

if TYPE_CHECKING:
    from lao.state.progress import PlanProgress
    from workflows.factory import Factory
    from workflows.progress import Happening, LiveCall, PhaseProgress, Snapshot

OVER: Final = 6
"""So many plans that are over are shown beside the open ones, the newest."""

TASKS: Final = 120
"""So many tasks of a plan; the rest is counted."""


def board(factory: Factory, snapshot: Snapshot, recent: Iterable[Happening] = ()) -> dict[str, Any]:
    """The document; docs/dashboard.md describes its fields. Moments are seconds since the epoch, durations seconds.

    Raises:
        LaoError: the state cannot be read.
    """
    from workflows.queues import live_workers

    standing = snapshot.standing
    plans = _plans(factory, {plan.id: plan for plan in standing.plans})
    totals = snapshot.totals
    return {
        "project": factory.settings.paths.root.name,
        "at": standing.at,
        "idle": standing.idle,
        "paused": standing.paused,
        "gate": standing.gate,
        "questions": standing.questions,
        "model": snapshot.model,
        "rate": snapshot.rate,
        "queue": {**(standing.queue or {}), "later": standing.later},
        "workers": live_workers(),
        "totals": {
            "calls": totals.calls, "prompt": totals.prompt, "completion": totals.completion,
            "loads": totals.loads, "swaps": totals.swaps, "faults": totals.faults,
        },
        "plans": plans,
        "phases": [_phase(phase, snapshot.call_of(phase.run)) for phase in standing.phases],
        "waits": [_phase(wait, None) for wait in standing.waits],
        "recent": [_happening(item) for item in recent],
        "marks": _marks(),
    }  # fmt: skip


def entry_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """What the history keeps of the document: the moment, how much of what there is, and what it has cost.

    ``plans``: of those in the document, by state.
    """
    plans = document["plans"]
    return {
        **{
            name: document[name]
            for name in ("at", "idle", "paused", "gate", "model", "rate", "queue", "questions", "totals")
        },
        "workers": len(document["workers"]),
        "phases": len(document["phases"]),
        "plans": dict(Counter(plan["state"] for plan in plans)),
        "tasks": {name: sum(plan[name] for plan in plans) for name in ("total", "completed", "parked")},
    }


def _plans(factory: Factory, open_plans: Mapping[str, PlanProgress]) -> list[dict[str, Any]]:
    from lao.state import queries

    known = queries.plans_view(factory.store)
    over = [plan["id"] for plan in known if plan["id"] not in open_plans][-OVER:]
    shown = [plan for plan in known if plan["id"] in open_plans or plan["id"] in over]
    return [
        _plan(plan, open_plans.get(plan["id"]), queries.tasks_view(factory.store, plan["id"]))
        for plan in sorted(shown, key=lambda plan: plan["id"] not in open_plans)
    ]


def _plan(plan: dict[str, Any], progress: PlanProgress | None, tasks: list[dict[str, Any]]) -> dict[str, Any]:
    counts = plan["tasks"]
    parked = counts["failed"] + counts["needs_human"] + counts["cancelled"]
    return {
        "id": plan["id"],
        "name": plan["name"],
        "state": plan["state"],
        "over": progress is None,
        "reason": plan["reason"],
        "paused": plan["paused"] is not None,
        "total": counts["total"],
        "completed": counts["completed"],
        "parked": parked,
        "left_s": progress.left_s if progress else None,
        "tasks": [
            {
                "id": task["id"],
                "title": task["title"],
                "state": task["state"],
                "proof": task["evidence"] if task["state"] == "completed" else None,
                "attempts": task["attempts"],
                "reason": task["reason"],
                "commit": task["commit"],
            }
            for task in tasks[:TASKS]
        ],
    }


def _phase(phase: PhaseProgress, call: LiveCall | None) -> dict[str, Any]:
    return {
        "run": phase.run,
        "phase": phase.phase,
        "plan": phase.plan,
        "task": phase.task,
        "title": phase.title,
        "attempt": phase.attempt,
        "started_at": phase.started_at,
        "until": phase.until or None,
        "reason": phase.reason,
        "prompt": phase.prompt,
        "completion": phase.completion + (call.tokens if call else 0),
        "model": call.model if call else "",
        "rate": call.rate if call else None,
        "reads": call is not None and not call.heard,
    }


def _happening(item: Happening) -> dict[str, Any]:
    return {
        "at": item.at,
        "kind": item.kind,
        "state": item.state,
        "plan": item.plan,
        "task": item.task,
        "title": item.title,
        "text": item.text,
        "phase": item.phase,
        "model": item.model,
        "seconds": item.seconds,
        "tokens": item.tokens,
        "commit": item.commit,
    }


def _marks() -> dict[str, list[str]]:
    """Symbol and style of every state, so that the page has no table of its own."""
    return {state: [mark.symbol, mark.style] for state, mark in MARKS.items()}
