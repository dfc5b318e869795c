"""Learned facts of the project: each once by its digest, also when it is learned again or was forgotten."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lao.state.store import Store
from lao.state.tables import FactRow

LEARNED_LIMIT = 200
"""Facts that LAO learned itself; the oldest are dropped."""


@dataclass(frozen=True)
class Fact:
    """One fact.

    Attributes:
        digest: equal for the same fact in other spellings (``lao.memory.facts.digest``).
        subject: what it is about; a later learned fact about the same stands for it. "" is nothing in particular.
        origin: "approved" (learned from an approved task), "model" or "person".
        plan, task, commit: where it comes from.
    """

    digest: str
    text: str
    subject: str = ""
    origin: str = "person"
    plan: str = ""
    task: int | None = None
    commit: str | None = None


def learn(facts: Iterable[Fact], now: float) -> int:
    """Inside a transaction: keep learned facts; returns how many are new. What was forgotten stays forgotten."""
    new = 0
    for fact in facts:
        if FactRow.get_or_none(FactRow.digest == fact.digest) is not None:
            continue
        if fact.subject:
            about = FactRow.get_or_none((FactRow.subject == fact.subject) & (FactRow.origin == "approved"))
            if about is not None and about.forgotten:
                continue
            if about is not None:
                about.delete_instance()
        _insert(fact, now)
        new += 1
    own = FactRow.select(FactRow.id).where(FactRow.origin == "approved").order_by(FactRow.id.desc())
    old = [row.id for row in own.offset(LEARNED_LIMIT).limit(10_000)]
    if old:
        FactRow.delete().where(FactRow.id.in_(old)).execute()
    return new


def add(store: Store, fact: Fact) -> bool:
    """Keep a fact that somebody asked to keep; False when it is known. One that was forgotten is there again."""
    with store.write():
        row = FactRow.get_or_none(FactRow.digest == fact.digest)
        if row is None:
            _insert(fact, store.now())
            return True
        if not row.forgotten:
            return False
        FactRow.update(forgotten=False, origin=fact.origin, at=store.now()).where(FactRow.id == row.id).execute()
        return True


def forget(store: Store, part: str) -> tuple[str, ...]:
    """Forget all facts that contain ``part`` in any case; returns their texts."""
    with store.write():
        rows = [row for row in _known() if part.casefold() in row.text.casefold()]
        FactRow.update(forgotten=True).where(FactRow.id.in_([row.id for row in rows])).execute()
        return tuple(row.text for row in rows)


def known(store: Store) -> tuple[Fact, ...]:
    """All facts that are not forgotten, the oldest first."""
    with store.reading():
        return tuple(
            Fact(row.digest, row.text, row.subject, row.origin, row.plan, row.task, row.commit) for row in _known()
        )


def _known() -> list[FactRow]:
    return list(FactRow.select().where(~FactRow.forgotten).order_by(FactRow.id))


def _insert(fact: Fact, now: float) -> None:
    FactRow.create(
        digest=fact.digest,
        text=fact.text,
        subject=fact.subject,
        origin=fact.origin,
        plan=fact.plan,
        task=fact.task,
        commit=fact.commit,
        at=now,
    )
