"""The journal of one phase run (``lao.core.steps.Steps``): a finished step is never run again. Rows: lao.state."""

from __future__ import annotations

from collections.abc import Callable

from lao.core.chat import ChatAnswer
from lao.core.errors import Interrupted, NeedsHuman
from lao.core.steps import Effect, OutcomeUnknown, StepKind
from lao.core.words import Json
from lao.durable.faults import crash_point
from lao.state import journal as rows
from lao.state import runs
from lao.state.records import Claim
from lao.state.store import Store

_UNKNOWN = "outcome unknown"


class Journal:
    """Runs the body's steps in order, from the record as far as it goes and for real after that.

    Args:
        role, model: what the run's model calls are counted under.
        stopping: asked before every real step; True raises Interrupted.
        lasting: whether the step with this label changes what outlives the run; such a step is never forgotten.
    """

    def __init__(
        self,
        store: Store,
        claim: Claim,
        *,
        role: str = "",
        model: str = "",
        stopping: Callable[[], bool] = lambda: False,
        lasting: Callable[[str], bool] = lambda _label: False,
    ) -> None:
        self._store, self._claim = store, claim
        self._role, self._model = role, model
        self._stopping, self._lasting = stopping, lasting
        self._recorded = rows.load(store, claim.run.id)
        self._next = 0
        answers = sum(1 for s in self._recorded if s.done and s.kind is StepKind.MODEL)
        if answers:
            rows.count_replays(store, claim, role, answers)

    def run(self, kind: StepKind, label: str, fn: Callable[[], Json]) -> Json:
        """See ``Steps.run``."""
        step = self._take(kind, label)
        if step is not None and step.done:
            if step.intent == _UNKNOWN:
                raise OutcomeUnknown(label)
            return step.result
        seq = self._begin()
        if kind is StepKind.UNKNOWN:
            if step is not None:
                return self._unknown(seq, label)
            self._write(seq, kind, label, done=False)
            crash_point("after_intent")
        result = fn()
        crash_point("after_apply")
        self._write(seq, kind, label, done=True, result=result)
        crash_point("after_step")
        return result

    def effect(self, label: str, effect: Effect) -> Json:
        """See ``Steps.effect``."""
        step = self._take(StepKind.EDIT, label)
        if step is not None and step.done:
            return step.result
        seq = self._begin()
        if step is None:
            intent = effect.prepare()
            self._write(seq, StepKind.EDIT, label, done=False, intent=intent)
            crash_point("after_intent")
            result = effect.apply(intent)
        else:
            intent = step.intent
            found = effect.probe(intent)
            result = found if found is not None else effect.apply(intent)
        crash_point("after_apply")
        self._write(seq, StepKind.EDIT, label, done=True, intent=intent, result=result)
        crash_point("after_step")
        return result

    def _take(self, kind: StepKind, label: str) -> rows.Step | None:
        """The recorded step at this place; a different one means that the body changed: the rest is forgotten, unless
        it has changed something that would be changed a second time (NeedsHuman)."""
        if self._next >= len(self._recorded):
            return None
        step = self._recorded[self._next]
        if (step.kind, step.label) != (kind, label):
            if made := next((s.label for s in self._recorded[self._next :] if self._lasting(s.label)), None):
                raise NeedsHuman(
                    f"run {self._claim.run.id!r} was begun otherwise: its step {self._next} was {step.label!r} "
                    f"and would now be {label!r}, and {made!r} has been begun already",
                    "look at the plan's last commits, then 'lao retry-failed' does the task anew upon them",
                )
            rows.drop_from(self._store, self._claim, self._next)
            del self._recorded[self._next :]
            return None
        if step.done:
            self._next += 1
        return step

    def _begin(self) -> int:
        if self._stopping():
            raise Interrupted(f"the worker is stopping; run {self._claim.run.id!r} goes on later")
        runs.check_held(self._store, self._claim)
        crash_point("before_step")
        self._next += 1
        return self._next - 1

    def _unknown(self, seq: int, label: str) -> Json:
        """Record once that the outcome is unknown, so that a second resume sees the same."""
        self._write(seq, StepKind.UNKNOWN, label, done=True, intent=_UNKNOWN)
        raise OutcomeUnknown(label)

    def _write(
        self, seq: int, kind: StepKind, label: str, *, done: bool, intent: Json = None, result: Json = None
    ) -> None:
        call, asked = None, None
        if done and kind is StepKind.MODEL:
            failed = "failed" in result  # an answer that was no good is an outcome, and was a call
            call = (self._role, self._model, ChatAnswer(text="") if failed else ChatAnswer.from_json(result))
            asked = {"asked": result.get("asked"), **({"failed": result["failed"]["kind"]} if failed else {})}
        rows.record(
            self._store, self._claim, seq, kind, label, done=done, intent=intent, result=result, call=call, asked=asked
        )
