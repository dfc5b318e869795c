"""Another set of attempts for what failed: of which class, how old, by a person or by the clock, which has a limit."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from lao.llm.failures import Failure
from lao.state import failed, plans
from lao.state.failed import Ended
from workflows.factory import Factory
from workflows.wake import wake_all

log = logging.getLogger("lao")

CLASSES: Final = (
    "planner", "coder", "verify", "review", "close", "conflict", "server", "setup", "budget", "needs_human",
    "cancelled",
)  # fmt: skip
"""By what ended it: planning, no code came, its checks, the reviewer, the commands on the whole, other work in the same
lines, the model server or the machine, configuration, its budget, a person must decide, a person cancelled it."""

_CONFLICTS: Final = frozenset({Failure.MERGE_CONFLICT.value, Failure.DESK_GONE.value, "head_moved"})
_SERVER: Final = frozenset(
    {
        *(kind.value for kind in (
            Failure.WRONG_MODEL, Failure.STREAM_ERROR, Failure.STREAM_CUT, Failure.SILENCE, Failure.SERVER_AWAY,
            Failure.LOADING, Failure.BUSY, Failure.MODEL_CRASHED, Failure.OUT_OF_MEMORY, Failure.NOT_COMPATIBLE,
            Failure.UNKNOWN_MODEL, Failure.UNAUTHORISED,
        )),
        "serveraway", "nonsense", "outofmemory", "outofresources", "diskfull", "disk_filled",
    }
)  # fmt: skip
_SETUP: Final = frozenset({"badinput", "configerror", "notaserver"})
_OF_PHASE: Final = {
    "ingest": "setup", "plan": "planner", "code": "coder", "verify": "verify", "review": "review", "whole": "close",
    "close": "close",
}  # fmt: skip


@dataclass(frozen=True)
class Failed:
    """Something that ended without success, and its class (one of ``CLASSES``)."""

    what: Ended
    failure: str


@dataclass(frozen=True)
class Choice:
    """What is to be tried again; () and None mean all.

    Attributes:
        older_s, newer_s: how long ago it ended, at least and at most.
    """

    plan_id: str | None = None
    classes: Collection[str] = ()
    older_s: float | None = None
    newer_s: float | None = None

    @property
    def everything(self) -> bool:
        """Nothing but the plan is chosen."""
        return not self.classes and self.older_s is None and self.newer_s is None


def find(factory: Factory, choice: Choice) -> tuple[Failed, ...]:
    """What the choice means now. What was cancelled is only meant where its plan or its class is named."""
    every = failed.ended(factory.store, choice.plan_id)
    now = factory.clock.now()
    known: dict[int | None, Ended] = {item.task: item for item in every if item.task is not None}
    found = [Failed(item, _class(item, known)) for item in every]
    cancelled = choice.plan_id is not None or "cancelled" in choice.classes
    return tuple(
        item
        for item in found
        if (not choice.classes or item.failure in choice.classes)
        and (choice.older_s is None or now - item.what.at >= choice.older_s)
        and (choice.newer_s is None or now - item.what.at <= choice.newer_s)
        and (cancelled or item.failure != "cancelled")
    )


def retry(factory: Factory, choice: Choice) -> tuple[int, tuple[Failed, ...]]:
    """A person tries again; the budget and the count of the clock's tries begin anew. Returns how many were set back,
    and what was meant."""
    chosen = find(factory, choice)
    return _set_back(factory, choice, chosen, by_clock=False), chosen


def by_clock(factory: Factory) -> int:
    """What ``retry_failed_cron`` does: ``retry_failed_classes``, each item ``retry_failed_limit`` times."""
    told = factory.settings.orchestration
    choice = Choice(classes=told.retry_failed_classes)
    found = find(factory, choice)
    hopeless = [item for item in found if item.what.by_clock >= told.retry_failed_limit]
    for item in hopeless:
        what = f"task {item.what.task} {item.what.title}" if item.what.task else f"plan {item.what.title}"
        factory.warn_once(
            f"{what} ({item.what.plan_name}) has ended as {item.failure} again after {item.what.by_clock} retries by "
            f"cron and is left to a person: lao retry-failed {item.what.plan}"
        )
    chosen = tuple(item for item in found if item not in hopeless)
    return _set_back(factory, choice, chosen, by_clock=True)


def _set_back(factory: Factory, choice: Choice, chosen: tuple[Failed, ...], *, by_clock: bool) -> int:
    """One transaction; what could only wait for a task that stays as it is, stays as it is, too."""
    only = None if choice.everything and not by_clock else frozenset(item.what.key for item in chosen)
    store = factory.store
    with store.write():
        count, ready = plans.retry(
            store,
            choice.plan_id,
            only=only,
            cancelled="cancelled" in choice.classes,
            renewed=not by_clock or "budget" in choice.classes,
        )
        failed.note_set_back((item.what.key for item in chosen), by_clock=by_clock)
    wake_all(store, ready)
    return count


def _class(item: Ended, known: dict[int | None, Ended]) -> str:
    """By the newest finding; of what only needed something that failed, the class of that."""
    if item.state == "cancelled":
        return "cancelled"
    if item.reason.startswith("needs task") and item.needs:
        return _class(known[item.needs[0]], known)
    if item.kind == "budgetspent" or " budget of " in item.reason:
        return "budget"
    if item.kind in _CONFLICTS:
        return "conflict"
    if item.kind in _SERVER:
        return "server"
    if item.kind in _SETUP:
        return "setup"
    if item.kind == "needshuman":
        return "needs_human"
    if item.analyzer == "checks":
        return "verify"
    return _OF_PHASE.get(item.phase, "needs_human" if item.state == "needs_human" else "coder")
