"""What the models did, by model and role, and the energy: sums of rows, unknown where nobody counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lao.reports.model import Claim, Energy, Figure, Usage
from lao.reports.refs import ref
from lao.state.report_rows import CallFacts, EnergyFacts, PlanFacts


def usage_of(facts: Sequence[PlanFacts]) -> tuple[Usage, ...]:
    """By model and role, the one with the most tokens first."""
    calls: dict[tuple[str, str], list[tuple[str, CallFacts]]] = {}
    for one in facts:
        for call in one.calls:
            calls.setdefault((call.model, call.role), []).append((one.plan.id, call))
    found = [_usage(model, role, own) for (model, role), own in calls.items()]
    return tuple(sorted(found, key=lambda one: (-one.prompt_tokens - one.completion_tokens, one.model, one.role)))


def _usage(model: str, role: str, own: Sequence[tuple[str, CallFacts]]) -> Usage:
    calls = [call for _, call in own]
    told = [call.cached for call in calls if call.cached is not None]
    prompt, completion = sum(call.prompt for call in calls), sum(call.completion for call in calls)
    seconds = round(sum(call.seconds for call in calls), 3)
    plans = tuple(dict.fromkeys(ref("plan", plan) for plan, _ in own))
    cached = sum(told) if told else None
    share = "from the server's cache: not told" if cached is None else f"{cached} of them from the server's cache"
    text = (
        f"{role} ({model}): {len(calls)} calls, {prompt} prompt tokens, {share}, {completion} completion tokens, "
        f"{seconds:g} s"
    )
    whose = f":{role}:{model}"
    figures: list[Figure] = [(f"usage.calls{whose}", len(calls)), (f"usage.prompt{whose}", prompt)]
    figures += [(f"usage.completion{whose}", completion), (f"usage.seconds{whose}", seconds)]
    figures += [(f"usage.cached{whose}", cached)] if cached is not None else []
    claim = Claim(text, plans, tuple(figures))
    return Usage(model, role, len(calls), prompt, completion, cached, seconds, claim)


def energy_of(pieces: Iterable[EnergyFacts], worked: int) -> Energy | None:
    """The sum of what was measured. ``worked``: how many phases with a model have begun and are over."""
    every = list(pieces)
    known = [piece for piece in every if piece.joules is not None]
    if not known:
        return None
    joules = round(sum(piece.joules or 0.0 for piece in known), 1)
    source = "; ".join(dict.fromkeys(piece.source for piece in known))
    complete = len(known) == len(every) and len({piece.run for piece in known}) >= worked
    return Energy(joules, source, complete)


def energy_claim(plan_id: str, energy: Energy | None) -> Claim:
    """Energy as a statement."""
    where = (ref("plan", plan_id),)
    if energy is None:
        return Claim("energy: not measured", where)
    least = "" if energy.complete else "at least "
    return Claim(f"energy: {least}{energy.joules:g} J ({energy.source})", where, (("energy", energy.joules),))
