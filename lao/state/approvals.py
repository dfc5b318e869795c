"""Questions to a person about calls of tools, their answers, and who is there to be asked. Asks nobody itself.

A question is known by its run, the label of its step and the call; so a run that is resumed finds its answer and never
asks twice. An answer is given once: whoever is second changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lao.core.states import RunState
from lao.core.words import Json
from lao.state.store import Store
from lao.state.tables import ApprovalRow, MetaRow, PlanRow, RunRow

YES, ALWAYS, NO, NOBODY = "yes", "always", "no", "nobody"
_ATTENDING: Final = "attending:"
_OPEN_RUNS: Final = (RunState.READY.value, RunState.RUNNING.value)


@dataclass(frozen=True)
class Approval:
    """One question.

    Attributes:
        plan: the plan's name.
        remember: the rules that "always" makes; () when it can only be answered by yes or no.
        asked_at: seconds since the epoch; ``answered_at`` as well.
        answer: "" while it is open; yes, always, no, or nobody when nobody answered in time.
        note: the person's words, told to the model.
    """

    id: int
    run: int
    plan: str
    task: int | None
    tool: str
    arguments: Mapping[str, Json]
    reason: str
    remember: tuple[str, ...]
    asked_at: float
    answer: str
    note: str
    answered_at: float | None

    @property
    def granted(self) -> bool:
        return self.answer in (YES, ALWAYS)


def ask(
    store: Store,
    run: int,
    label: str,
    tool: str,
    arguments: Mapping[str, Json],
    *,
    reason: str,
    remember: tuple[str, ...],
) -> Approval:
    """Put a question, or find it as it was put before."""
    text = json.dumps([tool, arguments], sort_keys=True, ensure_ascii=False, default=str)
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
    with store.write():
        known = ApprovalRow.get_or_none(
            ApprovalRow.run == run, ApprovalRow.label == label, ApprovalRow.digest == digest
        )
        if known is None:
            known = ApprovalRow.create(
                run=run,
                label=label,
                digest=digest,
                tool=tool,
                arguments=dict(arguments),
                reason=reason,
                remember=list(remember),
                asked_at=store.now(),
            )
        return _approval(known)


def get(store: Store, number: int) -> Approval | None:
    """The question with this number, or None."""
    with store.reading():
        row = ApprovalRow.get_or_none(ApprovalRow.id == number)
        return None if row is None else _approval(row)


def answer(store: Store, number: int, word: str, note: str = "") -> bool:
    """Answer an open question; False when it is answered already or there is none.

    Args:
        word: YES, ALWAYS, NO or NOBODY.
    """
    with store.write():
        changed = (
            ApprovalRow.update(answer=word, note=note, answered_at=store.now())
            .where(ApprovalRow.id == number, ApprovalRow.answer.is_null())
            .execute()
        )
        return bool(changed == 1)


def waiting(store: Store) -> tuple[Approval, ...]:
    """The open questions of runs that are not over, the oldest first."""
    with store.reading():
        query = (
            ApprovalRow.select()
            .join(RunRow)
            .where(ApprovalRow.answer.is_null(), RunRow.state.in_(_OPEN_RUNS))
            .order_by(ApprovalRow.id)
        )
        return tuple(_approval(row) for row in query)


def latest(store: Store, limit: int = 20) -> tuple[Approval, ...]:
    """The newest questions, open or not, the newest first."""
    with store.reading():
        return tuple(_approval(row) for row in ApprovalRow.select().order_by(ApprovalRow.id.desc()).limit(limit))


def went_unanswered(store: Store, run: int) -> bool:
    """Whether a question of this run has waited in vain."""
    with store.reading():
        found = ApprovalRow.select().where(ApprovalRow.run == run, ApprovalRow.answer == NOBODY)
        return bool(found.exists())


def always_rules(store: Store, since: float) -> tuple[str, ...]:
    """Every rule that an answer of "always" has made since then (seconds since the epoch), the oldest first.

    Older ones are in the file that "always" writes, unless a person has taken them out of it.
    """
    with store.reading():
        given = (ApprovalRow.answer == ALWAYS) & (ApprovalRow.answered_at >= since)
        rows = ApprovalRow.select(ApprovalRow.remember).where(given).order_by(ApprovalRow.id)
        return tuple(dict.fromkeys(rule for row in rows for rule in row.remember))


def attend(store: Store, owner: str) -> None:
    """This process shows questions to a person, until ``leave`` or its end."""
    with store.write():
        MetaRow.replace(key=f"{_ATTENDING}{owner}", value=repr(store.now())).execute()


def leave(store: Store, owner: str) -> None:
    """This process shows no questions any more."""
    with store.write():
        MetaRow.delete().where(MetaRow.key == f"{_ATTENDING}{owner}").execute()


def attending(store: Store) -> tuple[str, ...]:
    """The processes that said ``attend``; one that was killed is still among them."""
    with store.reading():
        rows = MetaRow.select().where(MetaRow.key.startswith(_ATTENDING))
        return tuple(row.key.removeprefix(_ATTENDING) for row in rows)


def _approval(row: Any) -> Approval:
    run = RunRow.get_by_id(row.run_id)
    return Approval(
        id=row.id,
        run=row.run_id,
        plan=PlanRow.get_by_id(run.plan_id).name,
        task=run.task_id,
        tool=row.tool,
        arguments=row.arguments,
        reason=row.reason,
        remember=tuple(row.remember),
        asked_at=row.asked_at,
        answer=row.answer or "",
        note=row.note,
        answered_at=row.answered_at,
    )
