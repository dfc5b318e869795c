"""The plan's time as spans: phases, waits, loads, swaps, decisions of the gate, model calls. Reads no state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from lao.reports.model import Span
from lao.reports.refs import ref
from lao.state.queries import GATE_DECISIONS
from lao.state.report_rows import ModelFacts, PlanFacts, RunFacts

CALLS: Final = 2_000
"""More model calls than this are left out of a timeline, and counted."""

_SHORTEST_WAIT_S: Final = 1.0


def timeline(facts: PlanFacts) -> tuple[tuple[Span, ...], int]:
    """The spans by their start, and how many model calls were left out."""
    runs = {run.id: run for run in facts.runs}
    name = facts.plan.id
    spans = [*_phases(facts.runs, name), *model_spans(facts.models, runs, name)]
    left_out = max(0, len(facts.calls) - CALLS)
    for call in [] if left_out else facts.calls:
        task = runs[call.run].task
        label = f"{call.role} {call.model}"
        spans.append(Span("call", label, call.at - call.seconds, call.at, task, ref("event", call.id), name))
    return tuple(sorted(spans, key=lambda span: (span.start, span.ref))), len(facts.calls) if left_out else 0


def model_spans(events: Iterable[ModelFacts], runs: dict[int, RunFacts], plan: str = "") -> Iterator[Span]:
    """Loads, swaps and waits at the gate; a load after another model is a swap."""
    for event in events:
        task = runs[event.run].task if event.run in runs else None
        start = event.at - max(0.0, event.seconds)
        if event.kind == "load":
            swapped = bool(event.before) and event.before != event.model
            label = f"{event.before} → {event.model}" if swapped else event.model
            kind = "swap" if swapped else "load"
            yield Span(kind, label, start, event.at, task, ref("event", event.id), plan)
        elif event.kind == "gate" and event.event in GATE_DECISIONS:
            yield Span("gate", event.text, start, event.at, task, ref("event", event.id), plan)


def _phases(runs: Iterable[RunFacts], plan: str) -> Iterator[Span]:
    for run in runs:
        whose = f" of task {run.task}, attempt {run.attempt}" if run.task is not None else ""
        label, where = f"{run.phase}{whose}", ref("run", run.id)
        if run.started is not None and (run.ended is not None or run.state == "running"):
            yield Span("phase", label, run.started, _not_before(run.started, run.ended), run.task, where, plan)
        waited_until = run.started
        if run.state == "ready" and run.started is None:
            yield Span(
                "wait", f"{label}: {run.reason}" if run.reason else label, run.ready, None, run.task, where, plan
            )
        elif waited_until is not None and waited_until - run.ready >= _SHORTEST_WAIT_S:
            yield Span("wait", label, run.ready, waited_until, run.task, where, plan)


def _not_before(start: float, end: float | None) -> float | None:
    """An end that the clock, set back meanwhile, put before its start is the start."""
    return None if end is None else max(start, end)
