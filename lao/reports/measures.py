"""What the figures of a statement mean, and counting them again from the rows that it names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import unquote

from lao.reports.changes import is_there
from lao.reports.model import Claim
from lao.reports.refs import split
from lao.state import plans, report_counts
from lao.state.report_counts import Seen
from lao.state.store import Store

_NEAR: Final = 0.01
"""Sums of seconds and joules are rounded."""

_KINDS: Final = {
    "plans": "plan", "tasks": "task", "commands": "validation", "findings": "finding", "runs": "run",
    "events": "event", "questions": "question",
}  # fmt: skip
_STATES: Final = {"plans": "state", "tasks": "state", "findings": "severity"}

Rows = Mapping[tuple[str, str], Seen]


class Ledger:
    """Resolves references and counts figures against one state; remembers what it has looked up."""

    def __init__(self, store: Store, references: Iterable[str]) -> None:
        self._store = store
        self._missing: dict[str, str] = {}
        wanted = {}
        for reference in dict.fromkeys(references):
            kind, rest = split(reference)
            wanted[reference] = (kind, "/".join(unquote(part) for part in rest.split("/")))
        rows = report_counts.look_up(store, (key for key in wanted.values() if key[0] != "commit"))
        self._rows = {reference: rows[key] for reference, key in wanted.items() if key in rows}
        for reference, key in wanted.items():
            if key[0] == "commit":
                self._look_for_commit(reference, key[1])

    def problem(self, reference: str) -> str:
        """Why the reference leads nowhere, "" when it does not."""
        if reference in self._rows:
            return ""
        return self._missing.get(reference, f"{reference} is not in the state")

    def wrong(self, claim: Claim) -> list[str]:
        """What is wrong with a statement: references that lead nowhere, figures that its rows do not give."""
        found = [problem for reference in claim.refs if (problem := self.problem(reference))]
        if not claim.refs:
            found.append("it names no row")
        for measure, value in claim.figures:
            real = self._count(measure, claim.refs)
            if real is None or abs(real - value) > _NEAR:
                found.append(f"{measure} is said to be {value:g}; its rows say {'nothing' if real is None else real}")
        return found

    def _look_for_commit(self, reference: str, ident: str) -> None:
        plan_id, _, commit = ident.partition("/")
        known = report_counts.look_up(self._store, [("plan", plan_id)])
        if not known:
            self._missing[reference] = f"{reference} is of a plan that is not in the state"
        elif is_there(plans.get(self._store, plan_id).workspace, commit):
            self._rows[reference] = Seen("commit", {})
        else:
            self._missing[reference] = f"{reference} is not in the plan's repository"

    def _count(self, measure: str, references: tuple[str, ...]) -> float | None:
        name, _, which = measure.partition(":")
        plan_ids = [reference.partition(":")[2] for reference in references if reference.startswith("plan:")]
        if name.startswith("usage."):
            role, _, model = which.partition(":")
            return report_counts.usage(self._store, plan_ids, role, model, name.removeprefix("usage."))
        if name == "energy":
            return report_counts.joules(self._store, plan_ids)
        seen = [self._rows[reference] for reference in dict.fromkeys(references) if reference in self._rows]
        return _of_rows(name, seen)


def _of_rows(name: str, seen: list[Seen]) -> float | None:
    """A figure that is counted, or summed, over the rows themselves."""
    if name == "crashes":
        return float(sum(row.facts["crashes"] for row in seen if row.kind == "run"))
    if name == "calls":
        return float(sum(row.kind == "event" and row.facts["kind"] == "call" for row in seen))
    if name == "events.seconds":
        return float(sum(row.facts["seconds"] for row in seen if row.kind == "event"))
    if name == "before.failed":
        return float(sum(row.facts["before"] and not row.facts["passed"] for row in seen if row.kind == "validation"))
    noun, _, state = name.partition(".")
    if noun not in _KINDS:
        return None
    rows = [row for row in seen if row.kind == _KINDS[noun] and not row.facts.get("before")]
    if state == "passed":
        return float(sum(bool(row.facts["passed"]) for row in rows))
    if state:
        return float(sum(row.facts[_STATES[noun]] == state for row in rows)) if noun in _STATES else None
    return float(len(rows))
