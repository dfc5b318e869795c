"""How much of the prompts the server served from its cache: told by it, else estimated, else unknown. Read-only.

A server that does not tell is unknown, not zero. The estimate is what the time to the first token leaves to be read at
the calibrated speed; it is taken only where calibration has measured one and has not seen that nothing is reused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lao.core.words import Json
from lao.state import profiles
from lao.state.store import Store
from lao.state.tables import ModelEventRow, PlanRow, RunRow

TOLD, ESTIMATED = "server", "estimate"
"""Where a share comes from."""


@dataclass(frozen=True)
class PromptCall:
    """One model call of a run, as far as its prompt goes.

    Attributes:
        prompt: tokens.
        cached: tokens of it that the server says it had; None when it does not say.
        estimated: the same by the time to the first token; None when there is nothing to go by.
    """

    plan: str
    run: int
    phase: str
    task: int | None
    prompt: int
    cached: int | None
    estimated: float | None


def calls(store: Store, server: str, plan_id: str | None = None) -> tuple[PromptCall, ...]:
    """Every call with a prompt, in the order of the calls. ``server``: the base URL whose profiles tell the speed."""
    speeds = _speeds(store, server)
    event, run = ModelEventRow, RunRow
    fields = (run.plan, run.id, run.phase, run.task, event.model, event.prompt_tokens, event.cached_tokens, event.data)
    with store.reading():
        query = event.select(*fields).join(run).where(event.kind == "call", event.prompt_tokens > 0)
        if plan_id is not None:
            query = query.where(run.plan == plan_id)
        return tuple(
            PromptCall(plan, ident, phase, task, prompt, cached, _estimate(prompt, data, speeds.get(model)))
            for plan, ident, phase, task, model, prompt, cached, data in query.order_by(event.id).tuples()
        )


def _speeds(store: Store, server: str) -> dict[str, float]:
    """Tokens of prompt a second by model, of those models of which calibration allows an estimate."""
    return {
        known.model: known.prefill_tokens_s
        for known in profiles.every(store)
        if known.server == server and known.prefill_tokens_s and known.cache_reuse is not False
    }


def _estimate(prompt: int, data: Mapping[str, Json] | None, speed: float | None) -> float | None:
    waited = (data or {}).get("first_token_s")
    if speed is None or not isinstance(waited, (int, float)) or waited <= 0:
        return None
    return min(float(prompt), max(0.0, prompt - waited * speed))


def share(found: Iterable[PromptCall]) -> dict[str, Json]:
    """calls, counted (calls of which something is known), prompt and cached (their tokens), share (0 to 1, None when
    nothing is known), source: "server", "estimate" or None. Told and estimated figures are never mixed: where the
    server has told of any call, only such calls count."""
    every = list(found)
    told = [(call.prompt, float(min(call.cached, call.prompt))) for call in every if call.cached is not None]
    guessed = [(call.prompt, call.estimated) for call in every if call.estimated is not None]
    counted = told or guessed
    prompt, cached = sum(tokens for tokens, _ in counted), sum(tokens for _, tokens in counted)
    return {
        "calls": len(every),
        "counted": len(counted),
        "prompt": prompt,
        "cached": round(cached) if counted else None,
        "share": round(cached / prompt, 4) if counted else None,
        "source": TOLD if told else ESTIMATED if guessed else None,
    }


def by_plan(store: Store, server: str) -> dict[str, dict[str, Json]]:
    """Plan id to its share, with ``phases``: the same for each phase that called a model."""
    found = calls(store, server)
    view: dict[str, dict[str, Json]] = {}
    with store.reading():
        plans = [ident for (ident,) in PlanRow.shown(PlanRow.id).tuples()]
    for plan in plans:
        own = [call for call in found if call.plan == plan]
        phases = {name: share(c for c in own if c.phase == name) for name in dict.fromkeys(c.phase for c in own)}
        view[plan] = {**share(own), "phases": phases}
    return view


def first_and_later(found: Iterable[PromptCall], phase: str) -> tuple[list[PromptCall], list[PromptCall]]:
    """The calls of a phase: the first one of each of its runs, and all that come after it."""
    seen: set[int] = set()
    first: list[PromptCall] = []
    later: list[PromptCall] = []
    for call in found:
        if call.phase == phase:
            (later if call.run in seen else first).append(call)
            seen.add(call.run)
    return first, later
