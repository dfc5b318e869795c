"""Rows of the journal. What a step means is in ``lao.durable.journal``; here it is written, fenced, and read back."""

from __future__ import annotations

from dataclasses import dataclass

from lao.core.chat import ChatAnswer
from lao.core.states import RunState
from lao.core.steps import StepKind
from lao.core.words import Json
from lao.state import runs
from lao.state.records import Claim
from lao.state.store import Store
from lao.state.tables import ModelEventRow, RunRow, StepRow


@dataclass(frozen=True)
class Step:
    """A recorded step; ``done`` False means that it was begun and its outcome is unknown. ``at``: when it was written,
    in seconds since the epoch."""

    seq: int
    kind: StepKind
    label: str
    done: bool
    intent: Json
    result: Json
    at: float = 0.0


def load(store: Store, run_id: int) -> list[Step]:
    with store.reading():
        rows = StepRow.select().where(StepRow.run == run_id).order_by(StepRow.seq)
        return [Step(r.seq, StepKind(r.kind), r.label, r.state == "done", r.intent, r.result, r.at) for r in rows]


def open_intents(store: Store, plan_id: str, label: str) -> list[Json]:
    """The intents of the steps with this label in the plan's runs that are not over."""
    over = [RunState.DONE.value, RunState.FAILED.value, RunState.SKIPPED.value]
    with store.reading():
        steps = (
            StepRow.select(StepRow.intent)
            .join(RunRow)
            .where(RunRow.plan == plan_id, RunRow.state.not_in(over), StepRow.label == label)
        )
        return [intent for (intent,) in steps.tuples()]


def intent_of(store: Store, run_id: int, label: str) -> Json:
    """The intent of the run's step with this label, finished or not; None when it has not come to that."""
    with store.reading():
        step = StepRow.get_or_none(StepRow.run == run_id, StepRow.label == label)
        return step.intent if step is not None else None


def result_of(store: Store, run_id: int, label: str) -> Json:
    """The result of the run's newest finished step with this label; None when there is none."""
    with store.reading():
        steps = StepRow.select().where(StepRow.run == run_id, StepRow.label == label, StepRow.state == "done")
        step = steps.order_by(StepRow.seq.desc()).first()
        return step.result if step is not None else None


def record(
    store: Store,
    claim: Claim,
    seq: int,
    kind: StepKind,
    label: str,
    *,
    done: bool,
    intent: Json = None,
    result: Json = None,
    call: tuple[str, str, ChatAnswer] | None = None,
    asked: dict[str, Json] | None = None,
) -> None:
    """Write one step, or complete its intent, if the claim still holds (else LostClaim).

    Args:
        call: (role, model, answer) of a model call, counted in the same transaction.
        asked: what is kept with it of the request, and of how it failed.
    """
    with store.write():
        runs.check_fence(claim)
        now = store.now()
        StepRow.replace(
            run=claim.run.id,
            seq=seq,
            kind=kind.value,
            label=label,
            state="done" if done else "intent",
            intent=intent,
            result=result,
            epoch=claim.epoch,
            at=now,
        ).execute()
        if done:
            runs.note_progress(claim)
        if call is not None:
            role, model, answer = call
            ModelEventRow.create(
                kind="call",
                role=role,
                model=model,
                run=claim.run.id,
                prompt_tokens=answer.usage.prompt,
                completion_tokens=answer.usage.completion,
                cached_tokens=answer.usage.cached,
                seconds=answer.seconds,
                data={
                    "label": label,
                    "first_token_s": answer.first_token_s,
                    "finish_reason": answer.finish_reason,
                    "response_model": answer.model,
                    **(asked or {}),
                },
                at=now,
            )


def begin_again(store: Store, claim: Claim, version: str) -> None:
    """Forget all steps of the run; it is this version of LAO that begins it now."""
    with store.write():
        runs.check_fence(claim)
        StepRow.delete().where(StepRow.run == claim.run.id).execute()
        RunRow.update(version=version).where(RunRow.id == claim.run.id).execute()


def drop_from(store: Store, claim: Claim, seq: int) -> None:
    """Forget the steps from ``seq`` on: the body took another way than when they were recorded."""
    with store.write():
        runs.check_fence(claim)
        StepRow.delete().where(StepRow.run == claim.run.id, StepRow.seq >= seq).execute()


def count_replays(store: Store, claim: Claim, role: str, count: int) -> None:
    """Record how many model answers a resumed run got from its journal."""
    with store.write():
        ModelEventRow.create(kind="replayed", role=role, run=claim.run.id, count=count, at=store.now())
