"""Counting a report's figures a second time, from the rows that it names: nothing here is shared with its making."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import peewee as pw

from lao.core.words import Json
from lao.state.acceptance_tables import RequirementRow
from lao.state.store import Store
from lao.state.tables import (
    ApprovalRow,
    EnergyRow,
    FindingRow,
    ModelEventRow,
    PlanRow,
    RunRow,
    StepRow,
    TaskRow,
    ValidationRow,
)

_AT_ONCE: Final = 500
_USAGE: Final[Mapping[str, Any]] = {
    "prompt": pw.fn.SUM(ModelEventRow.prompt_tokens),
    "completion": pw.fn.SUM(ModelEventRow.completion_tokens),
    "cached": pw.fn.SUM(ModelEventRow.cached_tokens),
    "seconds": pw.fn.SUM(ModelEventRow.seconds),
    "calls": pw.fn.COUNT(ModelEventRow.id),
}


@dataclass(frozen=True)
class Seen:
    """A row that a reference names: what is counted of it, by name."""

    kind: str
    facts: Mapping[str, Json]


def look_up(store: Store, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Seen]:
    """The rows that there are, by (kind, id); those that there are not are missing. Knows no commits."""
    by_kind: dict[str, set[str]] = {}
    for kind, ident in wanted:
        by_kind.setdefault(kind, set()).add(ident)
    found: dict[tuple[str, str], Seen] = {}
    with store.reading(), store.db.atomic():
        for kind, idents in by_kind.items():
            for ident, facts in _FINDERS[kind](sorted(idents)) if kind in _FINDERS else ():
                found[kind, ident] = Seen(kind, facts)
    return found


def usage(store: Store, plans: Iterable[str], role: str, model: str, what: str) -> float | None:
    """A sum over the model calls of these plans: calls, prompt, completion, cached or seconds; None: nobody told it."""
    with store.reading():
        query = ModelEventRow.select(_USAGE[what]).join(RunRow)
        own = (ModelEventRow.kind == "call") & (ModelEventRow.role == role) & (ModelEventRow.model == model)
        value = query.where(own, RunRow.plan.in_(list(plans))).scalar()
        return None if value is None else float(value)


def joules(store: Store, plans: Iterable[str]) -> float | None:
    """What was measured for these plans; None: nothing was."""
    with store.reading():
        query = EnergyRow.select(pw.fn.SUM(EnergyRow.joules)).join(RunRow)
        value = query.where(RunRow.plan.in_(list(plans)), RunRow.state != "running").scalar()
        return None if value is None else float(value)


Found = Iterable[tuple[str, Mapping[str, Json]]]


def _numbered(table: Any, fields: tuple[Any, ...], facts: Callable[..., Mapping[str, Json]]) -> Callable[..., Found]:
    def find(idents: list[str]) -> Found:
        numbers = sorted(int(ident) for ident in idents if ident.isascii() and ident.isdigit() and len(ident) < 16)
        for begin in range(0, len(numbers), _AT_ONCE):
            query = table.select(table.id, *fields).where(table.id.in_(numbers[begin : begin + _AT_ONCE]))
            for ident, *values in query.tuples():
                yield str(ident), facts(*values)

    return find


def _plans(idents: list[str]) -> Found:
    for ident, state in PlanRow.shown(PlanRow.id, PlanRow.state).where(PlanRow.id.in_(idents)).tuples():
        yield ident, {"state": state}


def _steps(idents: list[str]) -> Found:
    for ident in idents:
        run, _, seq = ident.partition("/")
        numbered = run.isdigit() and seq.isdigit()
        if numbered and StepRow.get_or_none(StepRow.run == int(run), StepRow.seq == int(seq)) is not None:
            yield ident, {}


def _requirements(idents: list[str]) -> Found:
    for ident in idents:
        plan, _, key = ident.partition("/")
        if RequirementRow.get_or_none(RequirementRow.plan == plan, RequirementRow.key == key) is not None:
            yield ident, {}


def _ended(code: int | None, late: bool, moment: str) -> Mapping[str, Json]:
    return {"passed": code == 0 and not late, "before": moment == "before"}


_FINDERS: Final[Mapping[str, Callable[[list[str]], Found]]] = {
    "plan": _plans,
    "step": _steps,
    "requirement": _requirements,
    "task": _numbered(TaskRow, (TaskRow.state,), lambda state: {"state": state}),
    "run": _numbered(RunRow, (RunRow.crashes,), lambda crashes: {"crashes": crashes}),
    "validation": _numbered(
        ValidationRow, (ValidationRow.exit_code, ValidationRow.timed_out, ValidationRow.moment), _ended
    ),
    "finding": _numbered(FindingRow, (FindingRow.finding,), lambda item: {"severity": item["severity"]}),
    "event": _numbered(
        ModelEventRow,
        (ModelEventRow.kind, ModelEventRow.seconds),
        lambda kind, seconds: {"kind": kind, "seconds": seconds},
    ),
    "question": _numbered(ApprovalRow, (ApprovalRow.answer,), lambda answer: {"answer": answer}),
}
